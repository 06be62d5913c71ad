import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PipelineRig } from '../support/pipeline-rig.ts'
import { ScriptedLog } from '../support/scripted-source.ts'
import { until } from '../support/until.ts'

test('late events count against the bound of what waits for a file as soon as they are known', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  log.send('orders-0', { t: 100_000, product: 'a', amount: 1 })
  log.send('orders-0', ...Array.from({ length: 50 }, () => ({ t: 1_000, product: 'a', amount: 1 })))
  await until('the late events are set aside', () => built.lateEvents.pendingBytes() > 50 * 100)
  assert.deepEqual(built.input.windows.late, [])
  built.stop()
  assert.equal(await built.finished(), 'stopped')
  assert.equal(rig.late.length, 50)
})
