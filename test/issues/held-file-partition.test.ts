import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { FilePartition } from '../../src/ingest/file-partition.ts'
import { FileSource } from '../../src/ingest/file-source.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'
import { until } from '../support/until.ts'

const root = mkdtempSync(join(tmpdir(), 'warden-held-file-'))
after(() => rmSync(root, { recursive: true, force: true }))

const telemetry = () => ({
  clock: new SystemClock(),
  logger: new RecordingLogger(),
  metrics: new RecordingMetrics(),
})

const text = (lines: number): string => `{"pad":"${'x'.repeat(90)}"}\n`.repeat(lines)

/** Two files, a partition each; follow: false. */
async function twoFiles(name: string, linesOf: readonly number[], bufferBytes: number) {
  const paths = linesOf.map((lines, i) => {
    const path = join(root, `${name}-${i}.jsonl`)
    writeFileSync(path, text(lines))
    return path
  })
  const options = {
    name: 'events',
    paths,
    follow: false,
    partitionPerFile: true,
    from: 'earliest',
    onDataLoss: 'stop',
    bufferBytes,
    batchBytes: 4_096,
  } as const
  const source = new FileSource(options, telemetry())
  await source.open(new Map())
  return source
}

test('a held partition that fills the buffer takes no room of the one that it waits for', async () => {
  const bufferBytes = 16_384
  const source = await twoFiles('room', [2_000, 2_000], bufferBytes)
  const [first, second] = source.partitions() as readonly FilePartition[]
  assert.ok(first !== undefined && second !== undefined)
  // Only the second is taken, and read on: in the end the buffer is full of it.
  source.hold(0, true)
  while (first.buffered > 0) {
    source.hold(0, false)
    source.hold(1, true)
    if (source.take() === undefined) break
    source.hold(0, true)
    source.hold(1, false)
  }
  source.hold(0, true)
  source.hold(1, false)
  await until('the buffer is full of the second', () => second.buffered >= bufferBytes)
  source.hold(1, true)
  source.hold(0, false)
  while (first.lag !== 0) {
    await source.ready(AbortSignal.timeout(5_000))
    assert.equal(source.take()?.partition ?? 0, 0)
  }
  source.hold(1, false)
  while (!source.ended()) {
    await source.ready(AbortSignal.timeout(5_000))
    source.take()
  }
  await source.close()
})

test('a file that was read to its end stands there for good: its partition falls idle, and others need not wait for it', async () => {
  const source = await twoFiles('end', [1, 1], 16_384)
  const openedAt = Date.now()
  while (!source.ended()) {
    await source.ready(AbortSignal.timeout(5_000))
    source.take()
  }
  await until('time has gone by', () => Date.now() > openedAt + 20)
  const before = Date.now()
  assert.ok((source.partitions()[0]?.caughtUpAt ?? 0) >= before)
  await source.close()
})
