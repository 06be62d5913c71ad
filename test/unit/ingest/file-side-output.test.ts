import assert from 'node:assert/strict'
import { appendFile, mkdtemp, open, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { FileSideOutput, type SideFile } from '../../../src/ingest/file-side-output.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const root = await mkdtemp(join(tmpdir(), 'warden-side-output-'))
after(() => rm(root, { recursive: true }))
let made = 0
const newPath = (): string => {
  made += 1
  return join(root, String(made), 'deep', 'dead.jsonl')
}

const telemetry = () => ({
  clock: new VirtualClock(),
  logger: new RecordingLogger(),
  metrics: new RecordingMetrics(),
})
const record = (n: number) => ({ key: `orders/0/${n}`, json: `{"n":${n},"why":"城"}` })
const lines = (...of: number[]): string => of.map((n) => `${record(n).json}\n`).join('')

describe('file side output', () => {
  it('makes its directory, and keeps what was flushed', async () => {
    const path = newPath()
    const output = new FileSideOutput({ path }, telemetry())
    await output.restore(undefined)
    assert.equal(await output.flush(), '0')
    output.append(record(1))
    output.append(record(2))
    assert.equal(output.pendingBytes(), Buffer.byteLength(lines(1, 2)))
    assert.equal(await output.flush(), String(Buffer.byteLength(lines(1, 2))))
    assert.equal(output.pendingBytes(), 0)
    await output.close()
    assert.equal(await readFile(path, 'utf8'), lines(1, 2))
  })

  it('takes back what was written after the mark, so that a replay writes it once', async () => {
    const path = newPath()
    const first = new FileSideOutput({ path }, telemetry())
    await first.restore(undefined)
    first.append(record(1))
    const mark = await first.flush()
    first.append(record(2))
    await first.flush()
    await first.close()
    await appendFile(path, 'torn')
    const again = new FileSideOutput({ path }, telemetry())
    await again.restore(mark)
    again.append(record(2))
    again.append(record(3))
    await again.flush()
    await again.close()
    assert.equal(await readFile(path, 'utf8'), lines(1, 2, 3))
  })

  it('keeps what other runs left when there is no checkpoint', async () => {
    const path = newPath()
    for (const n of [1, 2]) {
      const output = new FileSideOutput({ path }, telemetry())
      await output.restore(undefined)
      output.append(record(n))
      await output.flush()
      await output.close()
    }
    assert.equal(await readFile(path, 'utf8'), lines(1, 2))
  })

  it('warns and goes on when the file is shorter than the mark', async () => {
    const path = newPath()
    const first = new FileSideOutput({ path }, telemetry())
    await first.restore(undefined)
    first.append(record(1))
    const mark = await first.flush()
    await first.close()
    await truncate(path, 0)
    const parts = telemetry()
    const again = new FileSideOutput({ path }, parts)
    await again.restore(mark)
    assert.match(parts.logger.messages('warn').join(), /shorter/)
    again.append(record(2))
    await again.flush()
    await again.close()
    assert.equal(await readFile(path, 'utf8'), lines(2))
  })

  it('refuses a mark that is no length', async () => {
    const output = new FileSideOutput({ path: newPath() }, telemetry())
    await assert.rejects(output.restore('3 apples'), { code: 'state_incompatible' })
  })

  it('keeps what could not be written, and writes it once when the disk has room', async () => {
    const path = newPath()
    let full = false
    const seed = new FileSideOutput({ path }, telemetry())
    await seed.restore(undefined)
    await seed.close()
    const openFile = async (name: string): Promise<SideFile> => {
      const file = await open(name, 'r+')
      return {
        write: (source, start, length, position) => {
          if (full && length < 20) return Promise.reject(new Error('ENOSPC'))
          return file.write(source, start, full ? length - 10 : length, position)
        },
        datasync: () => file.datasync(),
        truncate: (length) => file.truncate(length),
        stat: () => file.stat(),
        close: () => file.close(),
      }
    }
    const output = new FileSideOutput({ path, openFile }, telemetry())
    await output.restore(undefined)
    output.append(record(1))
    await output.flush()
    full = true
    output.append(record(2))
    await assert.rejects(output.flush(), { code: 'state_write_failed' })
    assert.equal(await readFile(path, 'utf8'), lines(1))
    full = false
    output.append(record(3))
    assert.equal(await output.flush(), String(Buffer.byteLength(lines(1, 2, 3))))
    await output.close()
    assert.equal(await readFile(path, 'utf8'), lines(1, 2, 3))
  })

  it('counts what is appended during a flush to the next one', async () => {
    const path = newPath()
    const output = new FileSideOutput({ path }, telemetry())
    await output.restore(undefined)
    output.append(record(1))
    const first = output.flush()
    await Promise.resolve()
    const second = first.then(() => {
      output.append(record(2))
      return output.flush()
    })
    assert.ok(Number(await first) < Number(await second))
    await output.close()
    assert.equal(await readFile(path, 'utf8'), lines(1, 2))
  })
})
