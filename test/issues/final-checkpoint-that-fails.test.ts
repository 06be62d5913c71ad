import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WardenError } from '../../src/core/errors.ts'
import { PipelineRig } from '../support/pipeline-rig.ts'
import { ScriptedLog } from '../support/scripted-source.ts'

const event = (t: number) => ({ t, u: 'u1', product: 'a', amount: 1 })
const full = new WardenError('state_write_failed', 'no space left on device')

test('a job whose last checkpoint fails once tries again before it says that it has ended', async () => {
  const log = new ScriptedLog('orders-0')
  log.send('orders-0', event(10_000), event(10_500))
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  let failures = 1
  rig.store.beforeCommit = () => {
    if (failures-- > 0) throw full
  }
  built.source.end()
  assert.equal(await built.finished(), 'ended')
  assert.deepEqual(rig.stored(), new Map([['loan.count a 10', 2]]))
})

test('a job whose last checkpoint fails for good fails', async () => {
  const log = new ScriptedLog('orders-0')
  log.send('orders-0', event(10_000))
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  rig.store.beforeCommit = () => {
    throw full
  }
  built.source.end()
  assert.equal(await built.finished(), full)
  assert.equal(rig.store.commits, 4)
})
