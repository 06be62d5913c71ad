import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationMs, type EpochMs, epochMs } from '../../src/core/time.ts'
import { WatermarkTracker } from '../../src/ingest/watermark.ts'

const plan = {
  outOfOrderness: durationMs(0),
  idleTimeout: durationMs(60_000),
  maxDrift: durationMs(Number.POSITIVE_INFINITY),
}

/** Partition 0 delivered up to 100,000, partition 1 up to 50,000 before it fell idle; then Warden was away for a day. */
function restarted(now: EpochMs): WatermarkTracker {
  const before = new WatermarkTracker(plan)
  before.observe(1, 50_001, epochMs(0))
  before.setIdle(1, true, epochMs(0))
  before.observe(0, 100_001, epochMs(0))
  const after = new WatermarkTracker(plan)
  const saved = [0, 1].map((partition) => [partition, before.snapshot(partition)] as const)
  after.restore(before.combined, saved, now)
  return after
}

test('a partition that was idle before a restart holds the watermark back until a fetch shows it at its end', () => {
  const now = epochMs(86_400_000)
  const tracker = restarted(now)
  assert.equal(tracker.combined, 100_000)
  tracker.observe(0, 86_400_001, now)
  tracker.probe(now, () => undefined)
  assert.equal(tracker.isIdle(1), false)
  assert.equal(tracker.combined, 100_000)
  tracker.probe(epochMs(now + 1_000), (partition) => (partition === 1 ? now : undefined))
  assert.equal(tracker.isIdle(1), true)
  assert.equal(tracker.combined, 86_400_000)
})

test('what came to it meanwhile is not late', () => {
  const now = epochMs(86_400_000)
  const tracker = restarted(now)
  tracker.observe(0, 86_400_001, now)
  assert.equal(tracker.combinedAfter(1, 200_001), 200_000)
})
