import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationMs } from '../../src/core/time.ts'
import { LaneRig, metricPlan } from '../support/lane-rig.ts'

test('a window that was dropped stays gone when the lateness grows: its point is not counted anew from nothing', async () => {
  const rig = new LaneRig([metricPlan()])
  rig.feed({ at: 10_000 }, { at: 10_500 }, { at: 12_500 })
  await rig.checkpoint()
  rig.restart([metricPlan({ allowedLateness: durationMs(60_000) })])
  rig.feed({ at: 10_700 }, { at: 12_600 })
  rig.end()
  assert.deepEqual(
    rig.final(),
    new Map([
      ['a@10000', { count: 2 }],
      ['a@12000', { count: 2 }],
    ]),
  )
  assert.deepEqual(
    rig.late.map(({ time }) => time),
    [10_700],
  )
})

test('a window that lived at the restart lives on under the longer lateness, and over another restart', async () => {
  const longer = [metricPlan({ allowedLateness: durationMs(5_000) })]
  const rig = new LaneRig([metricPlan()])
  rig.feed({ at: 9_000 }, { at: 10_000 }, { at: 11_200 })
  await rig.checkpoint()
  rig.restart(longer)
  rig.feed({ at: 13_000 })
  await rig.checkpoint()
  rig.restart(longer)
  rig.feed({ at: 10_000 }, { at: 9_999 })
  rig.collect()
  assert.deepEqual(rig.final().get('a@10000'), { count: 2 })
  assert.deepEqual(rig.final().get('a@9000'), { count: 1 })
  assert.deepEqual(
    rig.late.map(({ time }) => time),
    [9_999],
  )
})
