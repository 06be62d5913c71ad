import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PipelineRig } from '../support/pipeline-rig.ts'
import { ScriptedLog } from '../support/scripted-source.ts'

test('the end of a source is seen at once, and nobody waits for it in circles', async () => {
  const log = new ScriptedLog('orders-0')
  log.send('orders-0', { t: 10_000, product: 'a', amount: 1 })
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  await rig.clock.advance(1)
  const calls = built.source.readyCalls
  built.source.end()
  await rig.clock.advance(1)
  assert.ok(built.source.readyCalls <= calls + 1, `${built.source.readyCalls - calls} calls`)
  assert.equal(await built.finished(), 'ended')
})
