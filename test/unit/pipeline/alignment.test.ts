import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SeriesDictionary } from '../../../src/core/series.ts'
import { durationMs } from '../../../src/core/time.ts'
import { createDecoder } from '../../../src/ingest/create-decoder.ts'
import { inProcessLanes } from '../../../src/pipeline/lanes/in-process-lane.ts'
import { eventPlan, metricPlan } from '../../support/lane-rig.ts'
import { PipelineRig } from '../../support/pipeline-rig.ts'
import { ScriptedLog, ScriptedSource } from '../../support/scripted-source.ts'
import { settle } from '../../support/virtual-clock.ts'

const { watermark } = eventPlan()
const aligned = { watermark: { ...watermark, maxDrift: durationMs(5_000) } }
const event = (t: number, u = `u${t}`) => ({ t, u, product: 'a', o: 'success', amount: 1 })

/** Two lanes with a partition each, as two threads have. */
function twoLanes(rig: PipelineRig, logs: readonly ScriptedLog[]) {
  const sources = logs.map((log) => new ScriptedSource(log))
  const plan = eventPlan(aligned)
  const metrics = [metricPlan()]
  const layout = { lanes: 2, shuffled: true, partitions: undefined }
  const links = inProcessLanes(
    sources.map((source, lane) => ({
      place: { ...layout, lane },
      plan,
      metrics,
      source,
      createDecoder: (dictionaries: readonly SeriesDictionary[]) =>
        createDecoder('json-walk', {
          event: plan,
          metrics,
          dictionaries,
          hashKey: Buffer.alloc(16),
        }),
      createPreparers: () => [],
      clock: rig.clock,
      yieldToIo: settle,
      handOverMs: 0,
    })),
  )
  return { sources, lanes: { links, layout } }
}

/** As a source does that stands at its end: each fetch proves it anew. */
async function passAtEnd(rig: PipelineRig, source: ScriptedSource, own: number, ms: number) {
  for (let left = ms; left > 0; left -= 1_000) {
    const status = source.partitions()[own]
    assert.ok(status !== undefined)
    status.caughtUpAt = rig.clock.now()
    await rig.pass(1_000)
  }
}

test('with lanes that exchange rows a partition far ahead waits for that of another lane, and nothing of it is lost', async () => {
  const [slow, fast] = [new ScriptedLog('orders-0'), new ScriptedLog('orders-1')]
  const rig = new PipelineRig(slow)
  const { sources, lanes } = twoLanes(rig, [slow, fast])
  const built = (await rig.build({ event: aligned, lanes })).start()
  const isHeld = () => sources.map((source) => source.isHeld(0))
  slow.send('orders-0', event(10_000))
  fast.send('orders-1', event(15_000))
  await rig.pass(1_000)
  assert.deepEqual(isHeld(), [false, false])
  fast.send('orders-1', event(16_000))
  await rig.pass(1_000)
  assert.deepEqual(isHeld(), [false, true])
  fast.send('orders-1', event(17_000), event(30_000))
  await rig.pass(300_000)
  assert.equal(built.input.windows.tracker.watermarkOf(1), 16_000 - 101, 'it waits for ever')
  assert.equal(built.input.windows.tracker.isIdle(1), false)
  slow.send('orders-0', event(12_000))
  await rig.pass(1_000)
  assert.equal(built.input.windows.tracker.watermarkOf(1), 30_000 - 101)
  assert.deepEqual(isHeld(), [false, true])
  slow.send('orders-0', event(31_000))
  await rig.pass(3_000)
  assert.deepEqual(isHeld(), [false, false])
  built.stop()
  await built.finished()
  const counts = [...rig.stored()].filter(([key]) => key.startsWith('loan.count'))
  assert.deepEqual(
    new Map(counts),
    new Map([10, 12, 15, 16, 17].map((second) => [`loan.count a ${second}`, 1])),
  )
})

test('the partition that others wait for falls idle at its end, and they go on', async () => {
  const [slow, fast] = [new ScriptedLog('orders-0'), new ScriptedLog('orders-1')]
  const rig = new PipelineRig(slow)
  const { sources, lanes } = twoLanes(rig, [slow, fast])
  const [slowSource, fastSource] = sources
  assert.ok(slowSource !== undefined && fastSource !== undefined)
  const built = (await rig.build({ event: aligned, lanes })).start()
  slow.send('orders-0', event(10_000))
  fast.send('orders-1', event(16_000))
  await rig.pass(1_000)
  fast.send('orders-1', event(17_000), event(18_500))
  await passAtEnd(rig, slowSource, 0, 55_000)
  assert.ok(fastSource.isHeld(0))
  assert.equal(built.input.windows.tracker.watermarkOf(1), 16_000 - 101)
  await passAtEnd(rig, slowSource, 0, 10_000)
  assert.ok(built.input.windows.tracker.isIdle(0))
  assert.equal(fastSource.isHeld(0), false)
  assert.equal(built.input.windows.tracker.watermarkOf(1), 18_500 - 101)
  // It comes back, far behind: what is ahead of it is not held for what is late anyway.
  slow.send('orders-0', event(10_500))
  await rig.pass(1_000)
  assert.equal(fastSource.isHeld(0), false)
  built.stop()
  await built.finished()
})

test('a partition that is not proved to stand at its end is waited for, however long it is silent', async () => {
  const log = new ScriptedLog('orders-0', 'orders-1')
  const rig = new PipelineRig(log)
  const built = (await rig.build({ event: aligned })).start()
  log.send('orders-0', event(10_000))
  log.send('orders-1', event(16_000))
  await rig.pass(1_000)
  log.send('orders-1', event(17_000))
  await rig.pass(600_000)
  assert.ok(built.source.isHeld(1))
  assert.equal(built.input.windows.tracker.watermarkOf(1), 16_000 - 101)
  built.stop()
  await built.finished()
})

test('one that has said nothing yet does not let the others run apart', async () => {
  const log = new ScriptedLog('orders-0', 'orders-1', 'orders-2')
  const rig = new PipelineRig(log)
  const built = (await rig.build({ event: aligned })).start()
  log.send('orders-1', event(10_000))
  log.send('orders-2', event(16_000))
  await rig.pass(1_000)
  assert.deepEqual(
    [0, 1, 2].map((one) => built.source.isHeld(one)),
    [false, false, true],
  )
  log.send('orders-1', event(12_000))
  await rig.pass(1_000)
  assert.equal(built.source.isHeld(2), false)
  built.stop()
  await built.finished()
})

test('a partition that waits goes on waiting after a restart', async () => {
  const log = new ScriptedLog('orders-0', 'orders-1')
  const rig = new PipelineRig(log)
  const first = (await rig.build({ event: aligned })).start()
  log.send('orders-0', event(10_000))
  log.send('orders-1', event(16_000))
  await rig.pass(1_000)
  assert.ok(first.source.isHeld(1))
  first.stop()
  await first.finished()
  const second = (await rig.build({ event: aligned })).start()
  await rig.pass(1_000)
  assert.deepEqual([second.source.isHeld(0), second.source.isHeld(1)], [false, true])
  log.send('orders-1', event(17_000))
  log.send('orders-0', event(15_000))
  await rig.pass(1_000)
  assert.equal(second.input.windows.tracker.watermarkOf(1), 17_000 - 101)
  second.stop()
  await second.finished()
})
