import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { backupStore, exportPoints, importPoints, toFile } from '../../../src/app/store-files.ts'
import type { Config } from '../../../src/config/config.ts'
import { LmdbStateStore } from '../../../src/state/lmdb-state-store.ts'
import { LmdbPointStore } from '../../../src/store/lmdb-point-store.ts'
import { UNVERSIONED } from '../../../src/store/point-columns.ts'
import { readConfig } from '../../support/run-config.ts'

/** 2026-11-20T00:00:00Z in seconds. */
const DAY = 1_795_132_800

const text = `
job: files
sources: { f: { type: file, path: ./none.jsonl, event: { time: t } } }
metrics: { m: { window: { size: 1h }, aggregates: [events] } }
`
const all = { prefix: '', fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }

describe('the files of the store', () => {
  let directory: string
  let config: Config
  const file = (name: string): string => join(directory, name)
  const fill = async (count: number): Promise<void> => {
    const store = new LmdbPointStore(join(config.stateDir, 'store'))
    for (const metric of ['orders.count', '温度']) {
      await store.write(
        Array.from({ length: count }, (_, at) => ({
          metric,
          tags: { host: 'a', dc: 'fra' },
          timeMs: (DAY + at * 3_600) * 1_000 + (at % 2),
          value: at % 3 === 0 ? at : at / 7,
          integer: at % 3 === 0,
          incarnation: UNVERSIONED,
          revision: 0,
        })),
      )
    }
    await store.close()
  }
  const exported = async (name: string, choice = all): Promise<string[]> => {
    await toFile(file(name), (output) => exportPoints(config, choice, output))
    const bytes = await readFile(file(name))
    const lines = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
    return lines.split('\n').filter((line) => line !== '')
  }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'warden-files-'))
    config = readConfig(directory, text)
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  it('what is exported and imported elsewhere is the same to the last digit', async () => {
    await fill(2_000)
    const lines = await exported('points.gz')
    assert.equal(lines.length, 4_000)
    assert.deepEqual(lines.slice(0, 3), [
      `orders.count ${DAY} 0 host=a dc=fra`,
      `orders.count ${(DAY + 3_600) * 1_000 + 1} ${1 / 7} host=a dc=fra`,
      `orders.count ${DAY + 7_200} ${2 / 7} host=a dc=fra`,
    ])
    config = readConfig(directory, text.replace('job: files', 'job: other'))
    const result = await importPoints(config, [file('points.gz')])
    assert.deepEqual(result, { stored: 4_000, refused: 0, problems: [] })
    assert.deepEqual(await exported('again'), lines)
  })

  it('an export can be of some metrics and of a time', async () => {
    await fill(100)
    const choice = { prefix: 'ord', fromMs: (DAY + 3_600) * 1_000, toMs: (DAY + 4 * 3_600) * 1_000 }
    const lines = await exported('some', choice)
    assert.deepEqual(
      lines.map((line) => line.split(' ')[1]),
      [String((DAY + 3_600) * 1_000 + 1), String(DAY + 7_200), String((DAY + 10_800) * 1_000 + 1)],
    )
  })

  it('lines that are no points are named by file and line, the others are stored', async () => {
    await writeFile(
      file('in'),
      `m ${DAY} 1 a=b\n\nm abc 1 a=b\nput m ${DAY + 1} 2 a=b\nm ${DAY} x a=b\n`,
    )
    await writeFile(file('more.gz'), gzipSync(`m ${DAY + 2} 3 a=b\nm ${DAY} 1\n`))
    const result = await importPoints(config, [file('in'), file('more.gz')])
    assert.deepEqual(result, {
      stored: 3,
      refused: 3,
      problems: [
        `${file('in')}:3: Invalid timestamp`,
        `${file('in')}:5: Unable to parse value to a number`,
        `${file('more.gz')}:2: Missing tags`,
      ],
    })
  })

  it('an import is refused while a Warden runs on the state', async () => {
    const lock = new LmdbStateStore(join(config.stateDir, 'state'))
    await writeFile(file('in'), `m ${DAY} 1 a=b\n`)
    // The lock is one a process: this process holds it.
    await assert.rejects(importPoints(config, [file('in')]), { code: 'state_locked' })
    await lock.close()
  })

  it('a backup is the store, and no file is overwritten by one', async () => {
    await fill(3_000)
    const before = await exported('before')
    const { series } = await backupStore(config, file('restored/store/points.mdb'))
    assert.equal(series, 2)
    await assert.rejects(backupStore(config, file('restored/store/points.mdb')), { code: 'usage' })
    config = { ...config, stateDir: file('restored') }
    assert.deepEqual(await exported('after'), before)
  })

  it('a store that is not there is named, and none is made', async () => {
    await assert.rejects(backupStore(config, file('copy')), {
      code: 'usage',
      message: `there is no store in ${join(config.stateDir, 'store')}`,
    })
  })
})
