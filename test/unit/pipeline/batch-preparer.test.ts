import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BatchPreparer, preparersInTurn } from '../../../src/core/batch-preparer.ts'
import { WardenError } from '../../../src/core/errors.ts'
import { createDecodedBatch, type DecodedBatch } from '../../../src/core/rows.ts'
import type { SeriesDictionary } from '../../../src/core/series.ts'
import { epochMs } from '../../../src/core/time.ts'
import { createDecoder } from '../../../src/ingest/create-decoder.ts'
import { inProcessLanes } from '../../../src/pipeline/lanes/in-process-lane.ts'
import { eventPlan, metricPlan } from '../../support/lane-rig.ts'
import { PipelineRig } from '../../support/pipeline-rig.ts'
import { ScriptedLog, ScriptedSource } from '../../support/scripted-source.ts'
import { settle } from '../../support/virtual-clock.ts'

const event = (t: number, u = 'u1', product = 'a') => ({ t, u, product, o: 'success', amount: 1 })
const count = (rig: PipelineRig, second: number) => rig.stored().get(`loan.count a ${second}`)

/** Lets a batch pass only while it is open. */
class Gate implements BatchPreparer {
  isOpen: boolean
  asked = 0
  closed = 0
  #go: (() => void) | undefined
  #refuse: ((error: unknown) => void) | undefined

  constructor(isOpen: boolean) {
    this.isOpen = isOpen
  }

  prepare(_batch: DecodedBatch, _origin: unknown, signal: AbortSignal): Promise<void> | undefined {
    this.asked++
    if (this.isOpen) return undefined
    return new Promise((resolve, reject) => {
      this.#go = resolve
      this.#refuse = reject
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }

  open(): void {
    this.isOpen = true
    this.#go?.()
  }

  refuse(error: unknown): void {
    this.#refuse?.(error)
  }

  async close(): Promise<void> {
    this.closed++
  }
}

test('while a batch waits, checkpoints are cut before it: its records, rows and dead letters are in a later one', async () => {
  const log = new ScriptedLog('orders-0')
  const waiting = new PipelineRig(log)
  const gate = new Gate(false)
  const built = (await waiting.build({ preparers: [gate] })).start()
  await waiting.pass(300)
  log.send('orders-0', event(10_000), 'garbage')
  await waiting.pass(11_000)
  assert.equal(built.input.positions()[0]?.position.offset, 0)
  assert.equal(built.input.totals.records, 0)
  assert.equal(waiting.dead.length, 0)
  assert.equal(waiting.metrics.total('warden_checkpoint_failures_total'), 0)
  assert.ok(waiting.store.get('checkpoint') !== undefined)
  gate.open()
  await waiting.pass(1_000)
  assert.equal(built.input.totals.records, 2)
  built.source.end()
  assert.equal(await built.finished(), 'ended')
  assert.equal(count(waiting, 10), 1)
  assert.equal(waiting.dead.length, 1)
})

test('a batch that waits when the job stops is not counted, and counted once after the restart', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const gate = new Gate(true)
  const first = (await rig.build({ preparers: [gate] })).start()
  await rig.pass(300)
  log.send('orders-0', event(10_000))
  await rig.pass(300)
  gate.isOpen = false
  log.send('orders-0', event(10_100))
  log.send('orders-0', event(10_200))
  await rig.pass(300)
  first.stop()
  assert.equal(await first.finished(), 'stopped')
  await first.input.close()
  assert.equal(gate.closed, 1)
  const second = (await rig.build({ preparers: [new Gate(true)] })).start()
  await rig.pass(300)
  second.source.end()
  assert.equal(await second.finished(), 'ended')
  assert.equal(count(rig, 10), 3)
})

test('a partition whose batch waits is not idle, however long it takes', async () => {
  const log = new ScriptedLog('orders-0', 'orders-1')
  const rig = new PipelineRig(log)
  const gate = new Gate(true)
  const built = (await rig.build({ preparers: [gate] })).start()
  await rig.pass(300)
  log.send('orders-0', event(10_000))
  log.send('orders-1', event(10_000))
  await rig.pass(300)
  gate.isOpen = false
  log.send('orders-0', event(10_500))
  for (let second = 0; second < 65; second++) {
    for (const status of built.source.partitions()) status.caughtUpAt = rig.clock.now()
    await rig.pass(1_000)
  }
  // The other one is idle meanwhile: nothing came, and it stands at its end.
  assert.equal(built.input.windows.tracker.isIdle(1), true)
  assert.equal(built.input.windows.tracker.isIdle(0), false)
  gate.open()
  await rig.pass(1_000)
  built.stop()
  await built.finished()
})

test('the time of the wait is back-pressured, not idle', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build({ preparers: [new Gate(false)] })).start()
  await rig.pass(300)
  log.send('orders-0', event(10_000))
  await rig.pass(300)
  await rig.pass(1_000)
  const idle = rig.metrics.total('warden_lane_idle_seconds_total')
  await rig.pass(5_000)
  assert.ok(rig.metrics.total('warden_lane_back_pressured_seconds_total') >= 4)
  assert.equal(rig.metrics.total('warden_lane_idle_seconds_total'), idle)
  built.stop()
  await built.finished()
})

test('what no waiting cures ends the pipeline, and nothing of the batch is committed', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const gate = new Gate(false)
  const built = (await rig.build({ preparers: [gate] })).start()
  await rig.pass(300)
  log.send('orders-0', event(10_000))
  await rig.pass(300)
  gate.refuse(new WardenError('dedup_refused', 'no'))
  const outcome = await built.finished()
  assert.equal((outcome as WardenError).code, 'dedup_refused')
  const again = (await rig.build()).start()
  await rig.pass(300)
  again.source.end()
  await again.finished()
  assert.equal(count(rig, 10), 1)
})

test('preparers come in turn, and nothing is awaited where none waits', async () => {
  const said: string[] = []
  const says = (name: string, waits: boolean): BatchPreparer => ({
    prepare: () => {
      said.push(name)
      return waits ? Promise.resolve().then(() => void said.push(`${name} done`)) : undefined
    },
  })
  const batch = createDecodedBatch(1, [])
  const origin = { partition: 'p', now: epochMs(0) }
  const { signal } = new AbortController()
  assert.equal(preparersInTurn([says('a', false)]).prepare(batch, origin, signal), undefined)
  await preparersInTurn([says('b', true), says('c', false), says('d', true)]).prepare(
    batch,
    origin,
    signal,
  )
  assert.deepEqual(said, ['a', 'b', 'b done', 'c', 'd', 'd done'])
})

test('a lane that holds a batch answers to the markers of another, and counts its batch after the cut', async () => {
  const logs = [new ScriptedLog('orders-0'), new ScriptedLog('orders-1')]
  const rig = new PipelineRig(new ScriptedLog())
  const gate = new Gate(false)
  const plan = eventPlan()
  const metrics = [metricPlan({ keep: 'best', values: [] })]
  const layout = { lanes: 2, shuffled: true, partitions: undefined }
  const sources = logs.map((log) => new ScriptedSource(log))
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
          hashKey: new Uint8Array(16),
        }),
      createPreparers: () => (lane === 0 ? [gate] : []),
      clock: rig.clock,
      yieldToIo: settle,
      handOverMs: 0,
    })),
  )
  const built = (await rig.build({ metrics, lanes: { links, layout } })).start()
  await rig.pass(300)
  const users = Array.from({ length: 40 }, (_, index) => `u${index}`)
  logs[0]?.send('orders-0', ...users.map((user) => event(10_000, user)))
  logs[1]?.send('orders-1', ...users.map((user) => event(10_001, user)))
  await rig.pass(25_000)
  assert.equal(rig.metrics.total('warden_checkpoint_failures_total'), 0)
  const [held, counted] = built.input.positions().map(({ position }) => position.offset)
  assert.equal(held, 0)
  assert.ok((counted ?? 0) > 0)
  gate.open()
  await rig.pass(1_000)
  for (const source of sources) source.end()
  assert.equal(await built.finished(), 'ended')
  assert.equal(count(rig, 10), users.length)
})
