import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WardenError } from '../../../src/core/errors.ts'
import { durationMs, epochMs } from '../../../src/core/time.ts'
import { eventPlan, metricPlan, never } from '../../support/lane-rig.ts'
import { PipelineRig } from '../../support/pipeline-rig.ts'
import { ScriptedLog } from '../../support/scripted-source.ts'
import { until } from '../../support/until.ts'

const event = (t: number, u = 'u1', product = 'a') => ({ t, u, product, o: 'success', amount: 1 })

test('a full outbox stops reading until a sink took something, and the time is counted', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build({ outboxBytes: 50 })).start(false)
  log.send('orders-0', event(10_000), event(11_200))
  await rig.pass(1_000)
  assert.equal(built.outbox.full(), true)
  const stoodAt = built.source.partitions()[0]?.position.offset
  log.send('orders-0', event(12_300))
  await rig.pass(5_000)
  assert.equal(built.source.partitions()[0]?.position.offset, stoodAt)
  assert.ok(rig.metrics.total('warden_backpressure_seconds_total') >= 5)
  built.drain()
  await rig.pass(1_000)
  assert.notEqual(built.source.partitions()[0]?.position.offset, stoodAt)
  const blocked = rig.metrics.total('warden_backpressure_seconds_total')
  built.drain()
  await rig.pass(5_000)
  assert.ok(rig.metrics.total('warden_backpressure_seconds_total') - blocked < 1)
  built.stop()
  await built.finished()
})

test('too large a share of dead letters stops the pipeline, once there are enough to judge', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build({ maxDeadLetterRate: 0.1 })).start()
  log.send('orders-0', ...Array.from({ length: 999 }, () => 'garbage'))
  await rig.pass(1_000)
  assert.equal(built.outcome, undefined)
  log.send('orders-0', 'garbage')
  const outcome = await built.finished()
  assert.ok(outcome instanceof WardenError)
  assert.equal(outcome.code, 'too_many_dead_letters')
  assert.match(outcome.message, /1000 of the last 1000 records of orders/)
})

test('a partition far ahead in event time is held until the others have come near', async () => {
  const log = new ScriptedLog('orders-0', 'orders-1')
  const rig = new PipelineRig(log)
  const { watermark } = eventPlan()
  const built = (
    await rig.build({ event: { watermark: { ...watermark, maxDrift: durationMs(5_000) } } })
  ).start()
  log.send('orders-0', event(10_000))
  log.send('orders-1', event(15_001))
  await rig.pass(500)
  assert.deepEqual([built.source.isHeld(0), built.source.isHeld(1)], [false, true])
  log.send('orders-1', event(15_002))
  await rig.pass(500)
  assert.equal(built.input.windows.tracker.watermarkOf(1), 15_001 - 101)
  log.send('orders-0', event(10_001))
  await rig.pass(1_000)
  assert.equal(built.input.windows.tracker.watermarkOf(1), 15_002 - 101)
  built.stop()
  await built.finished()
})

test('a window that began before the first position is partial, and no partition is marked after a restart', async () => {
  const log = new ScriptedLog('orders-0')
  log.readFrom = 10_400
  const rig = new PipelineRig(log)
  const first = (await rig.build()).start()
  log.send('orders-0', event(10_500), event(11_000), event(12_200))
  await rig.pass(1_000)
  first.stop()
  await first.finished()
  const second = (await rig.build()).start()
  log.send('orders-0', event(12_300), event(13_400))
  await rig.pass(1_000)
  second.stop()
  await second.finished()
  assert.deepEqual(
    rig.stored(),
    new Map([
      ['loan.count a 11', 1],
      ['loan.count a 12', 2],
    ]),
  )
  assert.equal(rig.metrics.total('warden_partial_windows_total'), 1)
})

test('windows in which records were lost are partial, those after them are not', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  log.send('orders-0', event(10_000))
  await rig.pass(500)
  const [partition] = built.source.partitions()
  assert.ok(partition)
  partition.lost = { from: epochMs(10_100), to: epochMs(11_001) }
  log.send('orders-0', event(11_500), event(12_500), event(13_500))
  await rig.pass(1_000)
  assert.deepEqual([...rig.stored().keys()], ['loan.count a 12'])
  built.stop()
  await built.finished()
})

test('a partition that is proved to stand at its end stops holding back; one that is not never does', async () => {
  const log = new ScriptedLog('orders-0', 'orders-1')
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  log.send('orders-0', event(10_000), event(12_000))
  await rig.pass(120_000)
  assert.equal(rig.points.length, 0)
  const [, idle] = built.source.partitions()
  assert.ok(idle)
  idle.caughtUpAt = rig.clock.now()
  await rig.pass(1_000)
  assert.deepEqual(rig.stored(), new Map([['loan.count a 10', 1]]))
  built.stop()
  await built.finished()
})

test('counters go on over a pipeline that is built anew, and count nothing twice', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const before = (await rig.build()).start()
  await rig.pass(300)
  log.send('orders-0', event(10_000), event(10_100), 'garbage')
  await rig.pass(300)
  before.source.fail(new WardenError('source_unreachable', 'gone'))
  await before.finished()
  const after = (await rig.build()).start()
  await rig.pass(500)
  log.send('orders-0', event(10_200))
  await rig.pass(500)
  assert.equal(rig.metrics.total('warden_records_total'), 4)
  assert.equal(rig.metrics.total('warden_dead_letters_total'), 1)
  assert.equal(rig.metrics.total('warden_rows_total'), 3)
  after.stop()
  await after.finished()
})

test('early points come after their time although no event does', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const metrics = [metricPlan({ earlyAfter: durationMs(3_000), allowedLateness: never })]
  const built = (await rig.build({ metrics })).start()
  log.send('orders-0', event(10_000))
  await rig.pass(2_500)
  assert.equal(built.panes.length, 0)
  await rig.pass(1_000)
  await until('the early pane', () => built.panes.length === 1)
  assert.equal(built.panes[0]?.firing, 'early')
  built.stop()
  await built.finished()
})
