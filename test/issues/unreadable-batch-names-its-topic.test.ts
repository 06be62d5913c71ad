import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WardenError } from '../../src/core/errors.ts'
import { epochMs } from '../../src/core/time.ts'
import type { Decoder } from '../../src/ingest/decoder.ts'
import type { Source } from '../../src/ingest/source.ts'
import { inProcessLanes } from '../../src/pipeline/lanes/in-process-lane.ts'
import { oneLane } from '../../src/pipeline/lanes/lane-layout.ts'
import { eventPlan } from '../support/decode-plans.ts'
import { settle, VirtualClock } from '../support/virtual-clock.ts'

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

test('a batch that cannot be read is refused with the names of its source, topic and partition', async () => {
  const decoder: Decoder = {
    decode: () => {
      throw new WardenError('source_unsupported', 'record batches are compressed with zstd')
    },
    stats: { records: 0, fallbacks: 0, internResets: 0 },
  }
  const [lane] = inProcessLanes([
    {
      place: { ...oneLane, lane: 0 },
      plan: eventPlan(),
      metrics: [],
      source,
      createDecoder: () => decoder,
      clock: new VirtualClock(),
      yieldToIo: settle,
      handOverMs: 0,
    },
  ])
  assert.ok(lane)
  const failed = new Promise((resolve) => {
    lane.onMessage = (message) => {
      if (message.kind === 'failed') resolve(message.error)
      if (message.kind !== 'opened') return
      const nobody = { active: 0, minimum: Number.POSITIVE_INFINITY, maximum: now }
      const view = { combined: now, others: nobody, gone: now, series: [] }
      lane.send({ kind: 'start', start: { view, watermarks: [], goneThrough: [] } })
    }
  })
  lane.send({ kind: 'open', positions: new Map(), series: [] })
  const error = await failed
  await lane.close()
  assert.ok(error instanceof WardenError)
  assert.equal(error.code, 'source_unsupported')
  assert.equal(error.message, 'orders/loan-events-3: record batches are compressed with zstd')
})
