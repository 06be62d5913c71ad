import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationMs } from '../../src/core/time.ts'
import { LaneRig, metricPlan } from '../support/lane-rig.ts'

const silent = (expireAfterMs: number, window = metricPlan().window) =>
  metricPlan({
    window,
    zeroFill: { enabled: true, expireAfter: durationMs(expireAfterMs), whenSilent: 'zero' },
  })

test('whenSilent: zero writes every window of a silence that was longer than the lateness', () => {
  const rig = new LaneRig([silent(60_000)])
  rig.feed({ at: 10_000 }, { at: 15_900 })
  rig.collect()
  assert.deepEqual(
    rig.panes.map(({ windowStart, values, zero, firing, revision }) => ({
      windowStart,
      count: values.count,
      zero,
      firing,
      revision,
    })),
    [10_000, 11_000, 12_000, 13_000, 14_000].map((windowStart) => ({
      windowStart,
      count: windowStart === 10_000 ? 1 : 0,
      zero: windowStart !== 10_000,
      firing: 'on-time',
      revision: 0,
    })),
  )
  assert.equal(rig.windows.metrics[0]?.operator.windows.size, 1)
})

test('a silent window is written once: neither a restart nor a late event writes it again', async () => {
  const rig = new LaneRig([silent(60_000)])
  rig.feed({ at: 10_000 }, { at: 15_900 })
  await rig.checkpoint()
  rig.restart()
  rig.feed({ at: 11_500 }, { at: 17_000 })
  rig.collect()
  const starts = rig.panes.map((pane) => pane.windowStart)
  assert.deepEqual(starts, [10_000, 11_000, 12_000, 13_000, 14_000, 15_000])
  assert.equal(rig.late.length, 1)
})

test('after years of silence in windows of a second zeros are bounded, in number and in memory', () => {
  const rig = new LaneRig([silent(7 * 86_400_000)])
  rig.feed({ at: 10_000 }, { at: 3 * 365 * 86_400_000 })
  rig.collect()
  assert.ok(rig.panes.length <= 10_001, `${rig.panes.length} panes`)
  assert.ok((rig.windows.metrics[0]?.operator.windows.size ?? 0) <= 3)
})
