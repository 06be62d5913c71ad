import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SendResult } from '../../../src/alert/notify/notifier.ts'
import { durationMs } from '../../../src/core/time.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'
import { notification } from '../../support/notifications.ts'
import { NotifyRig, ScriptedNotifier } from '../../support/notify-rig.ts'

const named = (id: string, receivers = ['ops']) => notification({ id, receivers })

test('nothing is sent before the decision is durable', async () => {
  const ops = new ScriptedNotifier('ops')
  const rig = new NotifyRig([ops])
  const operations = rig.desk.collect([named('a')], rig.clock.now())
  await rig.clock.advance(60_000)
  assert.deepEqual(ops.ids, [])
  await rig.store.commit(operations)
  rig.desk.committed()
  await rig.run(1_000)
  assert.deepEqual(ops.ids, ['a'])
})

test('what failed to commit is in the next collection', async () => {
  const ops = new ScriptedNotifier('ops')
  const rig = new NotifyRig([ops])
  rig.desk.collect([named('a')], rig.clock.now())
  await rig.decide(named('b'))
  await rig.run(5_000)
  assert.deepEqual(ops.ids, ['a', 'b'])
})

test('what was decided on between collecting and committing waits for the next checkpoint', async () => {
  const ops = new ScriptedNotifier('ops')
  const rig = new NotifyRig([ops])
  await rig.decide()
  const first = rig.desk.collect([named('a')], rig.clock.now())
  await rig.store.commit(first)
  rig.desk.committed()
  // Marked by `committed`, and not in the transaction before it.
  assert.deepEqual(ops.ids, [])
  assert.ok(rig.desk.isDue(rig.clock.now()))
  await rig.run(1_000)
  assert.deepEqual(ops.ids, ['a'])
})

test('each receiver reads at its own pace and in order; one that hangs delays no other (complaint 25)', async () => {
  const slow = new ScriptedNotifier('slow')
  const ops = new ScriptedNotifier('ops')
  slow.answers.push(new Promise<SendResult>(() => {}))
  const rig = new NotifyRig([slow, ops])
  await rig.decide(named('a', ['slow', 'ops']), named('b', ['slow', 'ops']), named('c'))
  for (let i = 0; i < 10; i++) {
    await rig.decide()
    await rig.clock.advance(200)
  }
  assert.deepEqual(slow.ids, ['a'])
  assert.deepEqual(ops.ids, ['a', 'b', 'c'])
  assert.equal(
    rig.metrics.value('warden_notifications_total', { receiver: 'ops', outcome: 'sent' }),
    3,
  )
  assert.equal(rig.metrics.value('warden_notifications_waiting', { receiver: 'slow' }), 2)
})

test('a notification leaves the state when its receivers have it', async () => {
  const store = new MemoryStateStore()
  const rig = new NotifyRig([new ScriptedNotifier('ops'), new ScriptedNotifier('b')], { store })
  await rig.decide(named('a', ['ops', 'b']), named('c'))
  await rig.run(5_000)
  await rig.decide()
  assert.deepEqual([...store.range('notice/', 'notice0')], [])
})

test('a new receiver starts at the end, one that is gone from the config holds nothing back', async () => {
  const store = new MemoryStateStore()
  const gone = new ScriptedNotifier('gone')
  gone.answers.push({ kind: 'blocked', reason: 'no' })
  const before = new NotifyRig([gone], { store })
  await before.decide(named('a', ['gone']), named('b', ['gone', 'new']))
  await before.run(1_000)
  await before.desk.stop()

  const fresh = new ScriptedNotifier('new')
  const rig = new NotifyRig([fresh], { store, clock: before.clock })
  await rig.decide(named('c', ['new']))
  await rig.run(5_000)
  assert.deepEqual(fresh.ids, ['c'])
  assert.match(rig.logger.messages('warn').join(), /no longer configured/)
  assert.deepEqual(
    [...store.range('notice', 'notice0')].filter(([key]) => !key.includes('new')),
    [],
  )
})

test('an unknown receiver is said aloud and loses nothing for the others', async () => {
  const ops = new ScriptedNotifier('ops')
  const rig = new NotifyRig([ops])
  await rig.decide(named('a', ['ops', 'opps']), named('b', ['opps']))
  await rig.run(5_000)
  assert.deepEqual(ops.ids, ['a'])
  assert.equal(rig.logger.messages('error').length, 2)
})

test('beyond the bound the oldest are given up, counted, audited, and told of in the next message', async () => {
  const ops = new ScriptedNotifier('ops')
  ops.answers.push({ kind: 'again', reason: 'away', unknown: false })
  const rig = new NotifyRig([ops], { options: { maxWaiting: 3 } })
  await rig.decide(named('0'))
  await rig.run(100)
  await rig.decide(...Array.from({ length: 6 }, (_, i) => named(`${i + 1}`)))
  await rig.run(60_000)
  // `0` was being sent already.
  assert.deepEqual(ops.ids, ['0', '0', '4', '5', '6'])
  assert.deepEqual(
    ops.sent.map(({ dropped }) => dropped),
    [0, 0, 3, 0, 0],
  )
  assert.equal(
    rig.metrics.value('warden_notifications_total', { receiver: 'ops', outcome: 'dropped' }),
    3,
  )
  const [dropped] = rig.audit.filter(({ event }) => event === 'dropped')
  assert.deepEqual(dropped?.event === 'dropped' && dropped.notifications, ['1', '2', '3'])
})

test('heartbeats take the way of the alerts, at their interval and over a restart; only the newest of those that wait is sent', async () => {
  const store = new MemoryStateStore()
  const watchdog = { job: 'lending', everyMs: durationMs(60_000), receivers: ['ops'] }
  const ops = new ScriptedNotifier('ops')
  const rig = new NotifyRig([ops], { store, watchdog })
  await rig.run(150_000)
  assert.deepEqual(ops.ids, ['watchdog-lending-1', 'watchdog-lending-2', 'watchdog-lending-3'])
  await rig.desk.stop()

  const again = new ScriptedNotifier('ops')
  for (let i = 0; i < 10; i++) again.answers.push({ kind: 'again', reason: 'away', unknown: false })
  const next = new NotifyRig([again], { store, watchdog, clock: rig.clock })
  await next.run(20_000)
  assert.deepEqual(again.ids, [], 'a restart is no heartbeat')
  await next.run(3_600_000)
  const [, , ...ids] = new Set(again.ids)
  assert.ok(ids.length > 0)
  const superseded = { receiver: 'ops', outcome: 'superseded' }
  assert.ok((next.metrics.value('warden_notifications_total', superseded) ?? 0) > 5)
})
