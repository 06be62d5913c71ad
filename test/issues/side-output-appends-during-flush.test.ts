import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { FileSideOutput } from '../../src/ingest/file-side-output.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

test('records appended while others are being written are written by the next flush', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'warden-side-'))
  const path = join(directory, 'dead.jsonl')
  let duringSync = () => {}
  const output = new FileSideOutput(
    {
      path,
      openFile: async (name) => {
        const file = await open(name, 'w+')
        return {
          write: (source, start, length, position) => file.write(source, start, length, position),
          datasync: async () => {
            duringSync()
            await file.datasync()
          },
          truncate: (length) => file.truncate(length),
          stat: () => file.stat(),
          close: () => file.close(),
        }
      },
    },
    { clock: new VirtualClock(), logger: new RecordingLogger(), metrics: new RecordingMetrics() },
  )
  const record = (n: number) => ({ key: `orders/0/${n}`, json: `{"n":${n}}` })
  await output.restore(undefined)
  output.append(record(1))
  duringSync = () => output.append(record(2))
  assert.equal(await output.flush(), String('{"n":1}\n'.length))
  duringSync = () => {}
  assert.equal(output.pendingBytes(), '{"n":2}\n'.length)
  await output.flush()
  await output.close()
  assert.equal(readFileSync(path, 'utf8'), '{"n":1}\n{"n":2}\n')
  rmSync(directory, { recursive: true })
})
