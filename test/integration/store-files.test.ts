import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { backupStore, exportPoints, importPoints, toFile } from '../../src/app/store-files.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/file-config.ts'
import { LmdbPointStore } from '../../src/store/lmdb-point-store.ts'
import { ask } from '../support/http-answer.ts'
import { type OpentsdbService, startOpentsdb } from '../support/opentsdb-service.ts'
import { readConfig } from '../support/run-config.ts'
import { until } from '../support/until.ts'
import { WardenHome } from '../support/warden-process.ts'

/** 2026-11-20T00:00:00Z in seconds. */
const DAY = 1_795_132_800
const HOURS = 48

const text = (job: string): string => `
job: ${job}
sources: { f: { type: file, path: ./none.jsonl, event: { time: t } } }
metrics: { m: { window: { size: 1h }, aggregates: [events] } }
`

/** Integers, fractions, ms, several series. */
function lines(): string[] {
  return Array.from({ length: HOURS }, (_, hour) => hour).flatMap((hour) => {
    const at = DAY + hour * 3_600
    return [
      `files.ints ${at} ${hour * 7} host=a dc=fra`,
      `files.ints ${at} ${hour * 7 + 1} host=b dc=fra`,
      `files.floats ${at} ${hour / 7 + 0.001} host=a`,
      `files.floats ${at * 1_000 + 250} -${hour}.5 host=a`,
    ]
  })
}

describe('points go from the store to OpenTSDB and back by files', () => {
  let opentsdb: OpentsdbService
  let directory: string
  const file = (name: string): string => join(directory, name)
  const config = (job: string): Config => readConfig(directory, text(job))
  const all = { prefix: 'files.', fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }
  const exportOf = async (job: string): Promise<string[]> => {
    const name = file(`${job}.export`)
    await rm(name, { force: true })
    await toFile(name, (output) => exportPoints(config(job), all, output))
    return (await readFile(name, 'utf8')).trim().split('\n').sort()
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'warden-store-files-'))
    opentsdb = await startOpentsdb()
    await writeFile(file('points'), `${lines().join('\n')}\n`)
    assert.equal((await importPoints(config('ours'), [file('points')])).refused, 0)
  })
  after(async () => {
    await opentsdb?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  it('OpenTSDB’s importer takes an export of the store, and answers with the same points', async () => {
    const exported = await exportOf('ours')
    assert.equal(exported.length, HOURS * 4)
    await opentsdb.tool('TextImporter', [file('ours.export')])
    for (const [metric, count] of [
      ['files.ints', HOURS * 2],
      ['files.floats', HOURS * 2],
    ] as const) {
      const path = `/api/query?start=${DAY - 1}&end=${DAY + HOURS * 3_600}&ms&m=none:${metric}`
      const { body } = await ask(opentsdb.url, { path })
      const points = (body as { dps: object }[]).flatMap(({ dps }) => Object.keys(dps))
      assert.equal(points.length, count)
    }
  })

  it('what OpenTSDB’s scanner writes for import, the store takes, and has the same points', async () => {
    const scanned: string[] = []
    for (const metric of ['files.ints', 'files.floats']) {
      const range = ['2026/11/19-00:00:00', '2026/11/30-00:00:00']
      const output = await opentsdb.tool('DumpSeries', ['--import', ...range, 'sum', metric])
      scanned.push(...output.split('\n').filter((line) => line.startsWith('files.')))
    }
    assert.equal(scanned.length, HOURS * 4)
    await writeFile(file('scanned'), `${scanned.join('\n')}\n`)
    const result = await importPoints(config('back'), [file('scanned')])
    assert.deepEqual(result, { stored: HOURS * 4, refused: 0, problems: [] })
    // OpenTSDB's importer keeps fractions in four bytes.
    const ours = numbers(await exportOf('ours'), Math.fround)
    assert.deepEqual(numbers(await exportOf('back'), Math.fround), ours)
  })

  it('a store that Warden writes to is backed up, and the copy has what was acknowledged', async () => {
    const home = new WardenHome({
      job: 'busy',
      sources: {
        made: { type: 'generator', rate: 2_000, speed: 3_600 },
      },
      metrics: {
        apply: { window: { size: '1h' }, dimensions: ['product'], aggregates: ['events'] },
      },
      checkpoint: { interval: '1s' },
    })
    const warden = home.run()
    try {
      const url = await warden.url()
      const query = '/api/query?start=1971/01/01&end=2100/01/01&m=none:warden.apply.events'
      const written = async (): Promise<number> => {
        const { status, body } = await ask(url, { path: query })
        if (status !== 200) return 0
        return (body as { dps: object }[]).flatMap(({ dps }) => Object.keys(dps)).length
      }
      await until('there are points', async () => (await written()) > 20)
      const before = await written()
      const busy = loadConfig(home.configFile, {})
      await backupStore(busy, home.path('copy/points.mdb'))
      const after = await written()
      const copy = LmdbPointStore.openFile(home.path('copy/points.mdb'))
      let points = 0
      for (const { id } of copy.index.all()) {
        points += copy.readPoints(id, 0, Number.MAX_SAFE_INTEGER).length
      }
      await copy.close()
      assert.ok(before <= points && points <= after, `${before} ≤ ${points} ≤ ${after}`)
    } finally {
      await warden.kill()
      home.remove()
    }
  })
})

/** The same tags in any order, numbers as numbers: OpenTSDB prints them in its own way. */
function numbers(exported: readonly string[], rounded: (value: number) => number): string[] {
  return exported
    .map((line) => {
      const [metric, time = '', value, ...tags] = line.split(' ')
      const ms = time.length > 10 ? Number(time) : Number(time) * 1_000
      return [metric, ms, rounded(Number(value)), ...tags.sort()].join(' ')
    })
    .sort()
}
