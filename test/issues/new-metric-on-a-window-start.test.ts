import assert from 'node:assert/strict'
import { test } from 'node:test'
import { metricPlan } from '../support/lane-rig.ts'
import { PipelineRig } from '../support/pipeline-rig.ts'
import { ScriptedLog } from '../support/scripted-source.ts'

test('a new metric whose window begins with the last event that went by has not seen it: the window is partial', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  log.send(
    'orders-0',
    { t: 9_000, product: 'a', amount: 1 },
    { t: 10_000, product: 'a', amount: 1 },
  )
  const before = (await rig.build()).start()
  await rig.pass(1_000)
  before.stop()
  await before.finished()
  const metrics = [metricPlan(), metricPlan({ name: 'joined' })]
  const after = (await rig.build({ metrics })).start()
  log.send(
    'orders-0',
    { t: 10_500, product: 'a', amount: 1 },
    { t: 11_000, product: 'a', amount: 1 },
  )
  after.source.end()
  await after.finished()
  assert.deepEqual(
    rig.stored(),
    new Map([
      ['loan.count a 9', 1],
      ['loan.count a 10', 2],
      ['loan.count a 11', 1],
      ['joined.count a 11', 1],
    ]),
  )
})
