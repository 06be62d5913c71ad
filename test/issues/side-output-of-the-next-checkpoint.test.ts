import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { FileSideOutput } from '../../src/ingest/file-side-output.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'
import { VirtualClock } from '../support/virtual-clock.ts'

// A pipeline flushes when all lanes are cut, and in the same turn takes what lanes sent behind their cut.
test('records appended right after a flush was asked for are not in its mark', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'warden-side-'))
  const path = join(directory, 'dead.jsonl')
  const telemetry = {
    clock: new VirtualClock(),
    logger: new RecordingLogger(),
    metrics: new RecordingMetrics(),
  }
  const record = (n: number) => ({ key: `orders/0/${n}`, json: `{"n":${n}}` })
  const line = '{"n":1}\n'.length
  const output = new FileSideOutput({ path }, telemetry)
  await output.restore(undefined)
  output.append(record(1))
  const first = output.flush()
  output.append(record(2))
  const second = output.flush()
  output.append(record(3))
  assert.deepEqual(await Promise.all([first, second]), [String(line), String(2 * line)])
  assert.equal(output.pendingBytes(), line)
  await output.close()

  // Killed after the first checkpoint: what it does not know is cut off, and comes again.
  const next = new FileSideOutput({ path }, telemetry)
  await next.restore(await first)
  next.append(record(2))
  await next.flush()
  await next.close()
  assert.equal(readFileSync(path, 'utf8'), '{"n":1}\n{"n":2}\n')
  rmSync(directory, { recursive: true })
})
