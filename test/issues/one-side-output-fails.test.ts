import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WardenError } from '../../src/core/errors.ts'
import { PipelineRig } from '../support/pipeline-rig.ts'
import { ScriptedLog } from '../support/scripted-source.ts'

test('a checkpoint is over only when both side outputs are, also when one of them failed', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = await rig.build({ checkpoint: { intervalMs: 1_000 as never } })
  built.deadLetters.beforeFlush = () => {
    throw new WardenError('state_write_failed', 'away')
  }
  let release = () => {}
  built.lateEvents.beforeFlush = () =>
    new Promise<void>((resolve) => {
      release = resolve
    })
  built.start()
  await rig.pass(1_200)
  assert.equal(built.checkpointer.running, true)
  built.deadLetters.beforeFlush = () => {}
  built.lateEvents.beforeFlush = () => {}
  release()
  built.stop()
  assert.equal(await built.finished(), 'stopped')
  assert.equal(rig.metrics.total('warden_checkpoint_failures_total'), 1)
})
