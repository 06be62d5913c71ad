import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message, Notifier, SendResult } from '../../../src/alert/notify/notifier.ts'
import type { StateOperation } from '../../../src/core/state-store.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'
import { notification } from '../../support/notifications.ts'
import { NotifyRig, ScriptedNotifier } from '../../support/notify-rig.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'

/** Stops at the n-th instant at which a process may be killed, for ever. */
class Kill {
  left: number
  isDead = false

  constructor(left: number) {
    this.left = left
  }

  /** @returns false: the process was killed here */
  pass(): boolean {
    if (this.left-- <= 0) this.isDead = true
    return !this.isDead
  }
}

/** A receiver outside the process: what it took stays taken. */
class KilledNotifier implements Notifier {
  readonly receiver = 'ops'
  readonly #seen: Message[]
  readonly #kill: Kill

  constructor(seen: Message[], kill: Kill) {
    this.#seen = seen
    this.#kill = kill
  }

  batch(): number {
    return 1
  }

  send(message: Message): Promise<SendResult> {
    if (!this.#kill.pass()) return new Promise(() => {})
    this.#seen.push(message)
    if (!this.#kill.pass()) return new Promise(() => {})
    return Promise.resolve({ kind: 'sent' })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

class KilledStore extends MemoryStateStore {
  kill = new Kill(Number.POSITIVE_INFINITY)

  override async commit(operations: readonly StateOperation[]): Promise<void> {
    if (!this.kill.pass()) return await new Promise(() => {})
    await super.commit(operations)
    if (!this.kill.pass()) return await new Promise(() => {})
  }
}

const ids = Array.from({ length: 6 }, (_, i) => `n-${i}`)

/** Decides on all, in pairs, and lets the process live on until it is killed or done. */
async function live(store: KilledStore, seen: Message[], kill: Kill, clock: VirtualClock) {
  store.kill = kill
  const rig = new NotifyRig([new KilledNotifier(seen, kill)], { store, clock })
  // What was decided on is in the state with the decision: it is not decided on again.
  const decided = new TextDecoder().decode(store.get('decided') ?? new Uint8Array())
  let next = Number(decided || 0)
  for (let step = 0; step < 60 && !kill.isDead; step++) {
    const now = next < ids.length ? ids.slice(next, next + 2) : []
    next += now.length
    const operations = rig.desk.collect(
      now.map((id) => notification({ id })),
      clock.now(),
    )
    const mark = {
      kind: 'put',
      key: 'decided',
      value: new TextEncoder().encode(String(next)),
    } as const
    void store.commit([...operations, mark]).then(() => {
      if (!kill.isDead) rig.desk.committed()
    })
    await settle()
    if (!kill.isDead) await clock.advance(200)
  }
}

test('kill -9 at every instant: nothing is lost, at most one message is repeated, and that one says so (complaint 12)', async () => {
  let repeats = 0
  let instants = 0
  for (; ; instants++) {
    const store = new KilledStore()
    const seen: Message[] = []
    const clock = new VirtualClock()
    const first = new Kill(instants)
    await live(store, seen, first, clock)
    if (!first.isDead) break
    await live(store, seen, new Kill(Number.POSITIVE_INFINITY), clock)

    const sent = seen.map(({ id }) => id)
    assert.deepEqual([...new Set(sent)], ids, `killed at ${instants}: in order, all of them`)
    const twice = sent.filter((id, i) => sent.indexOf(id) !== i)
    assert.ok(twice.length <= 1, `killed at ${instants}: ${twice}`)
    for (const id of twice) {
      const [before, again] = seen.filter((one) => one.id === id)
      assert.equal(before?.mayBeRepeat, false)
      assert.equal(again?.mayBeRepeat, true)
    }
    // What surely did not go out before is not called a repeat, but for the one that was about to leave.
    assert.ok(seen.filter(({ mayBeRepeat }) => mayBeRepeat).length <= 1)
    repeats += twice.length
  }
  assert.ok(instants > 20, `${instants} instants`)
  assert.ok(repeats > 0, 'some kills lie between sending and the answer')
})

test('a digest that was being sent when the process ended is repeated as it was, and newer alerts follow', async () => {
  const store = new MemoryStateStore()
  const ops = new ScriptedNotifier('ops', true)
  ops.answers.push(new Promise<SendResult>(() => {}))
  const rig = new NotifyRig([ops], { store })
  await rig.decide(notification({ id: 'a' }), notification({ id: 'b' }))
  await rig.decide(notification({ id: 'c' }))

  const next = new ScriptedNotifier('ops', true)
  await new NotifyRig([next], { store, clock: rig.clock }).run(5_000)
  assert.deepEqual(
    next.sent.map(({ id, mayBeRepeat }) => [id, mayBeRepeat]),
    [
      ['a+1', true],
      ['c', false],
    ],
  )
})

test('a hook that is slow and then fails with 500 leads to at most one duplicate, marked (complaint 15)', async () => {
  const ops = new ScriptedNotifier('ops')
  ops.answers.push({ kind: 'again', reason: 'HTTP 500', unknown: true })
  const rig = new NotifyRig([ops])
  await rig.decide(notification({ id: 'a' }), notification({ id: 'b' }))
  await rig.run(10_000)
  assert.deepEqual(
    ops.sent.map(({ id, mayBeRepeat }) => [id, mayBeRepeat]),
    [
      ['a', false],
      ['a', true],
      ['b', false],
    ],
  )
})

test('a stop drains: what waits goes out, and a receiver that is away does not hold it up for ever', async () => {
  const ops = new ScriptedNotifier('ops')
  const away = new ScriptedNotifier('away')
  for (let i = 0; i < 50; i++) away.answers.push({ kind: 'again', reason: 'away', unknown: false })
  const rig = new NotifyRig([ops, away])
  await rig.decide(notification({ id: 'a', receivers: ['ops', 'away'] }))
  let done: boolean | undefined
  void rig.desk
    .drain(10_000, () => rig.decide())
    .then((result) => {
      done = result
    })
  await rig.clock.advance(11_000)
  assert.deepEqual(ops.ids, ['a'])
  assert.equal(done, false)
  await rig.desk.stop()
})
