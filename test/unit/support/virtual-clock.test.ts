import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../support/virtual-clock.ts'

test('timers run in order of due time, equal ones in order of arming, and see the time they were due', async () => {
  const clock = new VirtualClock(1_000)
  const ran: string[] = []
  const note = (name: string) => () => ran.push(`${name}@${clock.now()}`)
  clock.after(30, note('c'))
  clock.after(10, note('a'))
  clock.after(30, note('d'))
  clock.after(20, note('b'))
  await clock.advance(30)
  assert.deepEqual(ran, ['a@1010', 'b@1020', 'c@1030', 'd@1030'])
  assert.equal(clock.now(), 1_030)
  assert.equal(clock.pendingTimers(), 0)
})

test('a loop of sleeps runs as often as the time allows in one advance', async () => {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  const woke: number[] = []
  const loop = (async () => {
    for (;;) {
      await clock.sleep(100, stop.signal)
      woke.push(clock.now())
    }
  })()
  await clock.advance(350)
  assert.deepEqual(woke, [100, 200, 300])
  stop.abort(new Error('stop'))
  await assert.rejects(loop, /stop/)
  assert.equal(clock.pendingTimers(), 0)
})

test('a cancelled timer never runs, one not yet due stays armed', async () => {
  const clock = new VirtualClock(0)
  let ran = 0
  clock.after(5, () => ran++)()
  clock.after(50, () => ran++)
  await clock.advance(10)
  assert.equal(ran, 0)
  assert.equal(clock.nextDueAt(), 50)
})

test('sleep rejects at once under an aborted signal', async () => {
  const clock = new VirtualClock(0)
  await assert.rejects(clock.sleep(5, AbortSignal.abort(new Error('gone'))), /gone/)
  assert.equal(clock.pendingTimers(), 0)
})
