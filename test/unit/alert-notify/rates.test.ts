import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  defaultReceiverCircuit,
  ReceiverCircuit,
} from '../../../src/alert/notify/receiver-circuit.ts'
import { SlidingLimit } from '../../../src/alert/notify/sliding-limit.ts'

const bounds = [
  { messages: 5, perMs: 1_000 },
  { messages: 100, perMs: 60_000 },
]

test('in every span, wherever it begins, no more messages arrive than its bound, however long each is on its way', () => {
  const journey = fc.record({
    pause: fc.nat(800),
    there: fc.nat(900),
    back: fc.nat(900),
  })
  fc.assert(
    fc.property(fc.array(journey, { minLength: 120, maxLength: 220 }), (journeys) => {
      const limit = new SlidingLimit(bounds)
      const arrivals: number[] = []
      let now = 0
      for (const { pause, there, back } of journeys) {
        now = Math.max(now + pause, limit.freeAt())
        assert.ok(limit.room(now) > 0)
        const answered = limit.start()
        arrivals.push(now + there)
        now += there + back
        answered(now)
      }
      for (const { messages, perMs } of bounds) {
        for (let i = messages; i < arrivals.length; i++) {
          const span = (arrivals[i] ?? 0) - (arrivals[i - messages] ?? 0)
          assert.ok(span >= perMs, `${messages + 1} in ${span} ms`)
        }
      }
    }),
    { numRuns: 50 },
  )
})

test('messages on their way count for two receivers of one bot', () => {
  const limit = new SlidingLimit([{ messages: 2, perMs: 1_000 }])
  const first = limit.start()
  const second = limit.start()
  assert.equal(limit.room(0), 0)
  assert.equal(limit.freeAt(), Number.POSITIVE_INFINITY)
  first(100)
  assert.equal(limit.freeAt(), 1_100)
  second(200)
  assert.equal(limit.room(1_100), 1)
  assert.equal(new SlidingLimit([]).room(0), Number.POSITIVE_INFINITY)
})

test('a receiver that fails is asked ever more seldom, by what it asked for, and at once again when it took one', () => {
  const circuit = new ReceiverCircuit(defaultReceiverCircuit, () => 0.5)
  const waits: number[] = []
  for (let i = 0; i < 12; i++) {
    circuit.failed(0, 0)
    waits.push(circuit.notBefore)
  }
  assert.equal(circuit.state, 'open')
  assert.ok(waits.every((wait, i) => i === 0 || wait >= (waits[i - 1] ?? 0)))
  assert.ok((waits.at(-1) ?? 0) >= 150_000 && (waits.at(-1) ?? 0) <= 300_000)
  circuit.failed(0, 900_000)
  assert.equal(circuit.notBefore, 900_000)
  circuit.succeeded()
  assert.equal(circuit.state, 'ok')
  assert.equal(circuit.notBefore, Number.NEGATIVE_INFINITY)
})
