import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WardenError } from '../../src/core/errors.ts'
import { PipelineRig } from '../support/pipeline-rig.ts'
import { ScriptedLog } from '../support/scripted-source.ts'

const good = { t: 10_000, product: 'a', amount: 1 }
const times = (count: number, document: object | string) =>
  Array.from({ length: count }, () => document)

test('after a long good life garbage stops the job while it is still a small share of all records', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  for (let batch = 0; batch < 40; batch++) log.send('orders-0', ...times(10_000, good))
  const built = (await rig.build({ maxDeadLetterRate: 0.2 })).start()
  await rig.pass(1_000)
  for (let batch = 0; batch < 6; batch++) log.send('orders-0', ...times(10_000, 'garbage'))
  const outcome = await built.finished()
  assert.ok(outcome instanceof WardenError)
  assert.equal(outcome.code, 'too_many_dead_letters')
})

test('garbage of long ago does not stop a job that is well now', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  log.send('orders-0', ...times(2_000, 'garbage'))
  const before = (await rig.build()).start()
  await rig.pass(1_000)
  before.stop()
  await before.finished()
  log.send('orders-0', ...times(1_500, good))
  const after = (await rig.build({ maxDeadLetterRate: 0.1 })).start()
  after.source.end()
  assert.equal(await after.finished(), 'ended')
})
