import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationMs } from '../../../src/core/time.ts'
import { LaneRig, metricPlan } from '../../support/lane-rig.ts'

const closings = (rig: LaneRig): unknown[] =>
  rig.windows.takeClosings().map(({ window, kind }) => [window.start, kind])

for (const enabled of [false, true]) {
  const zeroFill = { enabled, expireAfter: durationMs(10_000), whenSilent: 'gap' } as const
  test(`a window ends whole, partial, or silent when the source had nothing in it; zero fill ${enabled ? 'on' : 'off'}`, () => {
    const rig = new LaneRig([metricPlan({ zeroFill })])
    rig.windows.metrics[0]?.operator.markMissing(Number.NEGATIVE_INFINITY, 10_500)
    rig.feed({ at: 10_600 }, { at: 11_100 }, { at: 14_200 }, { at: 15_200 })
    assert.deepEqual(closings(rig), [
      [10_000, 'partial'],
      [12_000, 'silent'],
      [13_000, 'silent'],
      [11_000, 'whole'],
      [14_000, 'whole'],
    ])
    assert.deepEqual(closings(rig), [])
  })
}

test('a silent window that is filled with zeros is silent all the same, and told once', () => {
  const zeroFill = { enabled: true, expireAfter: durationMs(10_000), whenSilent: 'zero' } as const
  const rig = new LaneRig([metricPlan({ zeroFill })])
  rig.feed({ at: 10_000 }, { at: 12_200 })
  // The first event gives the first watermark, which lies in the window before.
  assert.deepEqual(closings(rig), [
    [9_000, 'silent'],
    [11_000, 'silent'],
    [10_000, 'whole'],
  ])
})

test('of a silence of years only the newest windows are told of', () => {
  const rig = new LaneRig([metricPlan()])
  rig.feed({ at: 10_000 }, { at: 10_000_000_000 })
  const told = closings(rig)
  assert.ok(told.length <= 10_001, `${told.length}`)
  assert.deepEqual(told.at(-2), [9_999_998_000, 'silent'])
})
