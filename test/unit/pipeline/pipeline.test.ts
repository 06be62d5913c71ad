import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WardenError } from '../../../src/core/errors.ts'
import { durationMs } from '../../../src/core/time.ts'
import { metricPlan } from '../../support/lane-rig.ts'
import { PipelineRig, type RigOptions } from '../../support/pipeline-rig.ts'
import { ScriptedLog } from '../../support/scripted-source.ts'

const event = (t: number, u = 'u1', product = 'a') => ({ t, u, product, o: 'success', amount: 1 })
const away = new WardenError('state_write_failed', 'away')

const deduplicated = metricPlan({
  keep: 'best',
  values: [],
  aggregates: [
    { kind: 'count', name: 'count' },
    { kind: 'events', name: 'events' },
  ],
})
/** Lateness beyond what disorder can do here, so that nothing is late and every count is that of the whole input. */
const patient: RigOptions = {
  metrics: [{ ...deduplicated, allowedLateness: durationMs(1_000_000) }],
}

test('a source that ends drains: everything fires, is committed and sent', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  log.send('orders-0', event(10_000), event(10_001), event(13_000))
  built.source.end()
  assert.equal(await built.finished(), 'ended')
  assert.deepEqual(
    rig.stored(),
    new Map([
      ['loan.count a 10', 2],
      ['loan.count a 13', 1],
    ]),
  )
  assert.equal(built.outbox.cursor('sink'), built.outbox.visibleEnd)
})

test('a source that ends without an event ends the job, with a checkpoint and no points', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  built.source.end()
  assert.equal(await built.finished(), 'ended')
  assert.equal(rig.points.length, 0)
  const again = (await rig.build()).start()
  again.source.end()
  assert.equal(await again.finished(), 'ended')
})

test('stopped and resumed anywhere, or killed, it gives the points of one run', async () => {
  const lives = fc.array(
    fc.record({
      events: fc.array(fc.record({ back: fc.nat(3_000), user: fc.nat(5), product: fc.nat(1) }), {
        minLength: 1,
        maxLength: 12,
      }),
      isKilled: fc.boolean(),
    }),
    { minLength: 1, maxLength: 4 },
  )
  await fc.assert(
    fc.asyncProperty(lives, async (history) => {
      const log = new ScriptedLog('orders-0')
      const rig = new PipelineRig(log)
      const users = new Map<string, Set<number>>()
      const events = new Map<string, number>()
      let now = 10_000
      for (const { events: some, isKilled } of history) {
        const built = (await rig.build(patient)).start()
        await rig.pass(300)
        for (const { back, user, product } of some) {
          now += 400
          const at = now - back
          log.send('orders-0', event(at, `u${user}`, `p${product}`))
          const key = `p${product} ${Math.floor(at / 1_000)}`
          users.set(key, (users.get(key) ?? new Set()).add(user))
          events.set(key, (events.get(key) ?? 0) + 1)
        }
        await rig.pass(500)
        if (isKilled) built.source.fail(new WardenError('source_unreachable', 'killed'))
        else built.stop()
        await built.finished()
      }
      const last = (await rig.build(patient)).start()
      last.source.end()
      assert.equal(await last.finished(), 'ended')
      const stored = rig.stored()
      assert.equal(stored.size, 2 * users.size)
      for (const [key, one] of users) {
        assert.equal(stored.get(`loan.count ${key}`), one.size, key)
        assert.equal(stored.get(`loan.events ${key}`), events.get(key), key)
      }
    }),
    { numRuns: 25 },
  )
})

test('dead letters and late events are set aside once, whatever was written after the checkpoint', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const before = (await rig.build()).start()
  await rig.pass(10_500)
  log.send('orders-0', event(100_000), 'garbage', event(1_000))
  await rig.pass(300)
  before.source.fail(new WardenError('source_unreachable', 'killed'))
  await before.finished()
  rig.dead.push({ key: 'torn', json: '{}' })
  const after = (await rig.build()).start()
  await rig.pass(300)
  after.stop()
  await after.finished()
  assert.deepEqual(
    rig.dead.map(({ json }) => JSON.parse(json).reason),
    ['not_json'],
  )
  const [late] = rig.late.map(({ json }) => JSON.parse(json))
  assert.deepEqual(
    { ...late, tags: undefined, values: undefined },
    {
      reason: 'late',
      metric: 'loan',
      source: 'orders',
      partition: 'orders-0',
      offset: late.offset,
      time: 1_000,
      tags: undefined,
      outcome: 'other',
      values: undefined,
      windowEnd: 2_000,
      watermark: 99_899,
    },
  )
  assert.equal(rig.late.length, 1)
})

test('checkpoints come at the interval; a window that fired asks for one at once', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  await rig.pass(9_900)
  assert.equal(rig.store.commits, 0)
  await rig.pass(300)
  assert.equal(rig.store.commits, 1)
  log.send('orders-0', event(10_000), event(11_200))
  await rig.pass(500)
  assert.equal(rig.store.commits, 2)
  assert.deepEqual(rig.stored(), new Map([['loan.count a 10', 1]]))
  built.stop()
  await built.finished()
})

test('late panes wait a second for more of their kind', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  await rig.pass(300)
  log.send('orders-0', event(10_000), event(11_200))
  await rig.pass(500)
  log.send('orders-0', event(10_001))
  await rig.pass(600)
  log.send('orders-0', event(10_002))
  await rig.pass(1_000)
  assert.deepEqual(
    built.panes.map(({ firing, revision, values }) => [firing, revision, values.count]),
    [
      ['on-time', 0, 1],
      ['late', 1, 3],
    ],
  )
  built.stop()
  await built.finished()
})

test('nothing is sent or told before it is durable', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  let release = () => {}
  rig.store.beforeCommit = () =>
    new Promise((resolve) => {
      release = resolve
    })
  const built = (await rig.build()).start()
  log.send('orders-0', event(10_000), event(11_200))
  await rig.pass(1_000)
  assert.deepEqual(
    [rig.points.length, built.panes.length, built.source.checkpoints.length],
    [0, 0, 0],
  )
  rig.store.beforeCommit = () => {}
  release()
  await rig.pass(100)
  assert.deepEqual(
    [rig.points.length, built.panes.length, built.source.checkpoints.length],
    [1, 1, 1],
  )
  built.stop()
  await built.finished()
})

test('a source is told the positions of the checkpoint, not where it stands by then', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  let release = () => {}
  const built = (await rig.build()).start()
  log.send('orders-0', event(10_000), event(11_200))
  rig.store.beforeCommit = () =>
    new Promise((resolve) => {
      release = resolve
    })
  await rig.pass(1_000)
  const collected = built.source.partitions()[0]?.position.offset
  rig.store.beforeCommit = () => {}
  log.send('orders-0', event(11_300))
  await rig.pass(300)
  release()
  await rig.pass(0)
  assert.equal(built.source.checkpoints[0]?.get('orders-0')?.offset, collected)
  assert.notEqual(built.source.partitions()[0]?.position.offset, collected)
  built.stop()
  await built.finished()
})

test('a store that fails is tolerated as often as configured, then the pipeline stops with its error', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  log.send('orders-0', event(10_000), event(11_200))
  let failures = 3
  rig.store.beforeCommit = () => {
    if (failures-- > 0) throw away
  }
  await rig.pass(5_000)
  assert.equal(built.outcome, undefined)
  assert.deepEqual(rig.stored(), new Map([['loan.count a 10', 1]]))
  failures = Number.POSITIVE_INFINITY
  assert.equal(await built.finished(), away)
  assert.equal(rig.metrics.total('warden_checkpoint_failures_total'), 3 + 4)
})

test('a checkpoint that hangs stops the pipeline after as many timeouts as failures are tolerated', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const checkpoint = { timeoutMs: durationMs(1_000), toleratedFailures: 2 }
  const built = (await rig.build({ checkpoint })).start()
  rig.store.beforeCommit = () => new Promise(() => {})
  log.send('orders-0', event(10_000), event(11_200))
  const outcome = await built.finished(5_000)
  assert.ok(outcome instanceof WardenError)
  assert.equal(outcome.code, 'checkpoint_timeout')
})

test('an error of a source ends the pipeline with it, and commits nothing more', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  await rig.pass(300)
  log.send('orders-0', event(10_000))
  await rig.pass(300)
  const broken = new WardenError('source_unreachable', 'the broker is gone')
  built.source.fail(broken)
  assert.equal(await built.finished(), broken)
  assert.equal(rig.store.commits, 0)
  assert.equal(rig.clock.pendingTimers(), 0)
})

test('a source that cannot be opened ends the pipeline with its error', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = await rig.build()
  const missing = new WardenError('source_missing', 'no such topic')
  built.source.openFailure = missing
  assert.equal(await built.start().finished(), missing)
})

test('stopping leaves no timer, and says so with a checkpoint of everything counted', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const built = (await rig.build()).start()
  log.send('orders-0', event(10_000))
  await rig.pass(300)
  built.stop()
  assert.equal(await built.finished(), 'stopped')
  assert.equal(rig.clock.pendingTimers(), 0)
  assert.ok(rig.store.get('source/orders'))
})
