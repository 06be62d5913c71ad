import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { FileSink } from '../../../src/sink/file-sink.ts'
import type { Sink } from '../../../src/sink/sink.ts'
import { contractPoints } from '../../contract/sink.ts'

const never = new AbortController().signal

describe('FileSink', () => {
  let directory: string
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'warden-file-sink-'))
  })
  after(() => rmSync(directory, { recursive: true }))

  it('writes a line per point, with its rank', async () => {
    const path = join(directory, 'lines.jsonl')
    const sink: Sink = new FileSink({ name: 'file', path })
    await sink.write(
      [{ metric: 'm', tags: { a: 'b' }, timestamp: 7, value: 5.5, incarnation: 1, revision: 2 }],
      never,
    )
    await sink.close()
    assert.equal(
      readFileSync(path, 'utf8'),
      '{"metric":"m","timestamp":7,"value":5.5,"tags":{"a":"b"},"incarnation":1,"revision":2}\n',
    )
  })

  for (const whole of [0, 1, 3]) {
    it(`cuts off a torn last line after ${whole} whole ones, and goes on after them`, async () => {
      const path = join(directory, `torn-${whole}.jsonl`)
      // Longer than the piece that is read at once from the end.
      const lines = '{"a":1}\n'.repeat(whole)
      writeFileSync(path, lines)
      appendFileSync(path, `{"metric":"${'x'.repeat(100_000)}`)
      const sink: Sink = new FileSink({ name: 'file', path })
      assert.equal(readFileSync(path, 'utf8'), lines)
      await sink.write(contractPoints(1), never)
      await sink.close()
      const written = readFileSync(path, 'utf8').split('\n')
      assert.equal(written.length, whole + 2)
      for (const line of written.slice(0, -1)) JSON.parse(line)
    })
  }

  it('puts a full file aside, begins a new one, and keeps as many as told, over a restart too', async () => {
    const path = join(directory, 'rolled.jsonl')
    const written: string[] = []
    for (let life = 0; life < 2; life++) {
      const sink: Sink = new FileSink({ name: 'file', path, rollBytes: 1_000, keepFiles: 3 })
      for (let i = 0; i < 10; i++) {
        const points = contractPoints(7)
        written.push(...points.map(({ tags }) => tags.series ?? ''))
        const { failed } = await sink.write(points, never)
        assert.equal(failed, false)
      }
      await sink.close()
    }
    const files = readdirSync(directory).filter((name) => name.startsWith('rolled.jsonl'))
    assert.equal(files.length, 4, files.join())
    const kept = [...files.slice(1), 'rolled.jsonl'].flatMap((name) =>
      readFileSync(join(directory, name), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line).tags.series),
    )
    assert.deepEqual(kept, written.slice(-kept.length))
    assert.ok(kept.length >= 21, `${kept.length}`)
  })

  it('says why it can’t be opened', () => {
    const path = join(directory, 'a-directory')
    mkdirSync(path)
    assert.throws(() => new FileSink({ name: 'file', path }), {
      code: 'sink_unreachable',
      message: /EISDIR/,
    })
  })

  it('keeps the points when the disk is full', { skip: noFullDevice() }, async () => {
    const sink: Sink = new FileSink({ name: 'file', path: '/dev/full' })
    const result = await sink.write(contractPoints(2), never)
    await sink.close()
    assert.equal(result.failed, true)
    for (const outcome of result.outcomes) {
      assert.ok(outcome.kind === 'retry' && !outcome.unknown && /ENOSPC/.test(outcome.reason))
    }
  })
})

/** Why there is no device that is always full; false where there is one. */
function noFullDevice(): string | false {
  return process.platform === 'linux' ? false : '/dev/full is Linux only'
}
