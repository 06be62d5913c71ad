import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationMs } from '../../src/core/time.ts'
import { LaneRig, metricPlan } from '../support/lane-rig.ts'

const zeroFill = { enabled: true, expireAfter: durationMs(2_000), whenSilent: 'gap' } as const

test('a series declared after a restart takes no counts of the series that were there', async () => {
  const rig = new LaneRig([metricPlan()])
  rig.feed({ at: 10_000, series: 'a' }, { at: 10_001, series: 'b' }, { at: 10_002, series: 'b' })
  await rig.checkpoint()
  rig.restart([metricPlan({ declaredSeries: [['new'], ['b']] })])
  rig.end()
  assert.deepEqual(
    rig.final(),
    new Map([
      ['a@10000', { count: 1 }],
      ['b@10000', { count: 2 }],
    ]),
  )
})

test('a series that is no longer declared expires like any other', async () => {
  const rig = new LaneRig([metricPlan({ zeroFill, declaredSeries: [['b']] })])
  rig.feed({ at: 10_000 }, { at: 11_200 })
  await rig.checkpoint()
  assert.deepEqual(rig.final().get('b@10000'), { count: 0 })
  rig.restart([metricPlan({ zeroFill })])
  rig.feed({ at: 12_200 })
  rig.collect()
  assert.deepEqual(rig.final().get('a@11000'), { count: 1 })
  assert.equal(rig.final().get('b@11000'), undefined)
})

test('series beyond a bound that was lowered keep their counts', async () => {
  const rig = new LaneRig([metricPlan()])
  rig.feed(...['a', 'b', 'c'].map((series) => ({ at: 10_000, series })))
  await rig.checkpoint()
  rig.restart([metricPlan({ maxSeries: 2 })])
  await rig.checkpoint()
  rig.restart()
  rig.end()
  assert.deepEqual([...rig.final().keys()], ['a@10000', 'b@10000', 'c@10000'])
})
