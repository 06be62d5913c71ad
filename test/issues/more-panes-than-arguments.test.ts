import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LaneRig, metricPlan } from '../support/lane-rig.ts'

test('a window of 150,000 series fires, on time and late: panes are never arguments of a call', () => {
  const rig = new LaneRig([metricPlan({ values: [] })])
  const all = Array.from({ length: 150_000 }, (_, index) => `s${index}`)
  rig.feedBatch(all.map((series) => ({ at: 10_000, series })))
  rig.feedBatch([{ at: 11_200 }])
  rig.feedBatch(all.map((series) => ({ at: 10_001, series })))
  rig.collect()
  assert.equal(rig.panes.length, 300_000)
  assert.equal(rig.panes.at(-1)?.values.count, 2)
})
