import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WardenError } from '../../../src/core/errors.ts'
import { metricPlan } from '../../support/lane-rig.ts'
import { MemoryClaimServer } from '../../support/memory-claim-server.ts'
import { PipelineRig } from '../../support/pipeline-rig.ts'
import { ScriptedLog } from '../../support/scripted-source.ts'

const event = (t: number, u = 'u1') => ({ t, u, product: 'a', o: 'success', amount: 1 })
const metrics = [
  metricPlan({
    keep: 'first',
    values: [],
    backend: { type: 'redis', cacheKeys: 0 },
    aggregates: [
      { kind: 'count', name: 'count' },
      { kind: 'events', name: 'events' },
    ],
  }),
]
const slicesOf = (claims: MemoryClaimServer) =>
  [...new Set([...claims.buckets.keys()].map((key) => Number(key.split(':')[3])))].sort()

test('killed after users were claimed and before a checkpoint, they are claimed again and count once', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const claims = new MemoryClaimServer()
  const first = (await rig.build({ metrics, claims })).start()
  await rig.pass(300)
  log.send('orders-0', event(10_000), event(10_001, 'u2'), event(10_002))
  await rig.pass(300)
  assert.deepEqual(slicesOf(claims), [10_000])
  first.source.fail(new WardenError('source_unreachable', 'killed'))
  await first.finished()
  const second = (await rig.build({ metrics, claims })).start()
  await rig.pass(300)
  log.send('orders-0', event(10_100), event(10_200, 'u3'))
  await rig.pass(300)
  second.source.end()
  assert.equal(await second.finished(), 'ended')
  assert.equal(rig.stored().get('loan.count a 10'), 3)
  assert.equal(rig.stored().get('loan.events a 10'), 5)
})

test('while the backend is away nothing is counted and nothing lost, and checkpoints go on', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const claims = new MemoryClaimServer()
  const built = (await rig.build({ metrics, claims })).start()
  await rig.pass(300)
  claims.away = true
  log.send('orders-0', event(10_000), event(10_001, 'u2'))
  await rig.pass(90_000)
  assert.equal(rig.metrics.value('warden_dedup_backend_up', { metric: 'loan' }), 0)
  assert.equal(built.input.positions()[0]?.position.offset, 0)
  assert.equal(rig.metrics.total('warden_checkpoint_failures_total'), 0)
  claims.away = false
  claims.losesAnswers = 1
  await rig.pass(15_000)
  built.source.end()
  assert.equal(await built.finished(), 'ended')
  assert.equal(rig.stored().get('loan.count a 10'), 2)
})

test('a slice leaves the backend only after a checkpoint without it, and events that are late are never claimed', async () => {
  const log = new ScriptedLog('orders-0')
  const rig = new PipelineRig(log)
  const claims = new MemoryClaimServer()
  const built = (await rig.build({ metrics, claims })).start()
  await rig.pass(300)
  log.send('orders-0', event(10_000))
  await rig.pass(12_000)
  rig.store.beforeCommit = () => {
    throw new WardenError('state_write_failed', 'away')
  }
  // The second one passes and drops the window of the first; the third comes too late for it, in one batch with it.
  log.send('orders-0', event(12_000), event(10_500, 'u9'))
  await rig.pass(1_000)
  assert.deepEqual(slicesOf(claims), [10_000, 12_000])
  rig.store.beforeCommit = () => {}
  await rig.pass(12_000)
  assert.deepEqual(slicesOf(claims), [12_000])
  assert.equal(rig.late.length, 1)
  built.stop()
  await built.finished()
})
