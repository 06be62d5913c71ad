import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { durationMs, type EpochMs, epochMs } from '../../../src/core/time.ts'
import { WatermarkTracker } from '../../../src/ingest/watermark.ts'

const plan = {
  outOfOrderness: durationMs(20_000),
  idleTimeout: durationMs(60_000),
  maxDrift: durationMs(Number.POSITIVE_INFINITY),
}
const at = epochMs

test('the watermark of a partition is its newest event time minus the disorder and one millisecond', () => {
  const tracker = new WatermarkTracker(plan)
  tracker.add(0, at(0))
  tracker.observe(0, 100_000, at(1))
  tracker.observe(0, 90_000, at(2))
  assert.equal(tracker.combined, 79_999)
})

test('a partition that never delivered holds the watermark back, until it is proved to stand at its end', () => {
  const tracker = new WatermarkTracker(plan)
  tracker.add(0, at(0))
  tracker.add(1, at(0))
  tracker.observe(0, 100_000, at(0))
  assert.equal(tracker.combined, Number.NEGATIVE_INFINITY)
  tracker.probe(at(60_000), (partition) => (partition === 0 ? at(60_000) : undefined))
  assert.equal(tracker.isIdle(1), false)
  assert.equal(tracker.isIdle(0), true)
  tracker.observe(0, 100_000, at(60_000))
  tracker.probe(at(60_001), () => at(60_000))
  assert.equal(tracker.isIdle(1), true)
  assert.equal(tracker.combined, 79_999)
})

test('a proof older than the idle timeout proves nothing', () => {
  const tracker = new WatermarkTracker(plan)
  tracker.add(0, at(0))
  tracker.probe(at(200_000), () => at(100_000))
  assert.equal(tracker.isIdle(0), false)
  tracker.probe(at(200_000), () => at(140_000))
  assert.equal(tracker.isIdle(0), true)
})

test('no partition at all is idle and gives no watermark', () => {
  const tracker = new WatermarkTracker(plan)
  tracker.probe(at(1), () => at(1))
  assert.equal(tracker.idle, true)
  assert.equal(tracker.combined, Number.NEGATIVE_INFINITY)
})

interface Step {
  readonly kind: 'observe' | 'idle' | 'active' | 'probe' | 'remove' | 'add'
  readonly partition: number
  readonly time: number
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom(
      'observe',
      'observe',
      'observe',
      'idle',
      'active',
      'probe',
      'remove',
      'add',
    ),
    partition: fc.nat(3),
    time: fc.integer({ min: 0, max: 200_000 }),
  }),
  { maxLength: 60 },
)

function play(tracker: WatermarkTracker, step: Step, now: EpochMs): void {
  switch (step.kind) {
    case 'observe':
      tracker.observe(step.partition, step.time, now)
      break
    case 'idle':
    case 'active':
      tracker.setIdle(step.partition, step.kind === 'idle', now)
      break
    case 'probe':
      tracker.probe(now, () => now)
      break
    case 'remove':
      tracker.remove(step.partition)
      break
    case 'add':
      tracker.add(step.partition, now)
  }
}

test('whatever happens, the combined watermark never goes back and never exceeds the newest partition watermark', () => {
  fc.assert(
    fc.property(steps, (history) => {
      const tracker = new WatermarkTracker(plan)
      let before: number = Number.NEGATIVE_INFINITY
      let newest = Number.NEGATIVE_INFINITY
      history.forEach((step, index) => {
        play(tracker, step, at(index * 10_000))
        if (step.kind === 'observe') newest = Math.max(newest, step.time - 20_001)
        assert.ok(tracker.combined >= before)
        assert.ok(tracker.combined <= newest)
        before = tracker.combined
      })
    }),
  )
})

test('timeToReach names the first event time that brings the combined watermark to a target', () => {
  fc.assert(
    fc.property(
      steps,
      fc.nat(3),
      fc.integer({ min: 0, max: 250_000 }),
      (history, partition, target) => {
        const tracker = new WatermarkTracker(plan)
        history.forEach((step, index) => {
          play(tracker, step, at(index * 10_000))
        })
        if (tracker.combined >= target) return
        const reach = tracker.timeToReach(target, partition)
        if (Number.isFinite(reach)) {
          assert.ok(tracker.combinedAfter(partition, reach) >= target)
          assert.ok(
            tracker.combinedAfter(partition, reach - 1) < target ||
              tracker.watermarkOf(partition) >= target,
          )
        } else {
          assert.ok(tracker.combinedAfter(partition, 1e12) < target)
        }
      },
    ),
  )
})

test('restored it goes on with the same watermarks, and silence counts from the restart', () => {
  const tracker = new WatermarkTracker(plan)
  tracker.add(0, at(0))
  tracker.add(1, at(0))
  tracker.observe(0, 100_000, at(0))
  tracker.observe(1, 50_000, at(0))
  const saved = [0, 1].map((partition) => [partition, tracker.snapshot(partition)] as const)
  const restored = new WatermarkTracker(plan)
  restored.restore(tracker.combined, saved, at(500_000))
  assert.equal(restored.combined, 29_999)
  restored.probe(at(559_999), () => at(559_999))
  assert.equal(restored.isIdle(0), false)
  restored.observe(1, 200_000, at(559_999))
  assert.equal(restored.combined, 79_999)
})
