import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WardenError } from '../../src/core/errors.ts'
import { epochMs } from '../../src/core/time.ts'
import type { Decoder } from '../../src/ingest/decoder.ts'
import type { SideOutput } from '../../src/ingest/side-output.ts'
import type { Source } from '../../src/ingest/source.ts'
import { PipelineInput } from '../../src/pipeline/pipeline-input.ts'
import { SourceLane } from '../../src/pipeline/source-lane.ts'
import { eventPlan } from '../support/decode-plans.ts'

const now = epochMs(1_700_000_000_000)

const source: Source = {
  name: 'orders',
  bounded: false,
  open: () => Promise.resolve(),
  take: () => ({
    partition: 0,
    framing: 'kafka-v2',
    bytes: Buffer.alloc(0),
    fromOffset: 0,
    nextOffset: 1,
    recordTimestamp: now,
    aborted: [],
  }),
  ready: () => Promise.resolve(),
  partitions: () => [
    {
      name: 'loan-events-3',
      position: { offset: 0, identity: '' },
      readFrom: now,
      caughtUpAt: undefined,
      lag: undefined,
      trouble: undefined,
      lost: undefined,
    },
  ],
  hold: () => {},
  checkpointed: () => Promise.resolve(),
  ended: () => false,
  close: () => Promise.resolve(),
}

const deadLetters: SideOutput = {
  restore: () => Promise.resolve(),
  append: () => {},
  pendingBytes: () => 0,
  flush: () => Promise.resolve(''),
  close: () => Promise.resolve(),
}

test('a batch that cannot be read is refused with the names of its source, topic and partition', async () => {
  const decoder: Decoder = {
    decode: () => {
      throw new WardenError('source_unsupported', 'record batches are compressed with zstd')
    },
    stats: { records: 0, fallbacks: 0, internResets: 0 },
  }
  const input = new PipelineInput({
    source,
    lane: new SourceLane(eventPlan(), []),
    states: [],
    decoder,
    deadLetters,
    restored: undefined,
    newMetrics: new Set(),
  })
  await input.open(now)
  assert.throws(
    () => input.step(now),
    (error: unknown) => {
      assert.ok(error instanceof WardenError)
      assert.equal(error.code, 'source_unsupported')
      assert.equal(error.message, 'orders/loan-events-3: record batches are compressed with zstd')
      return true
    },
  )
})
