import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Keep } from '../../../src/core/plan.ts'
import { DUPLICATE, FIRST, FingerprintTable } from '../../../src/dedup/fingerprint-table.ts'

interface Offer {
  readonly key: number
  readonly outcome: number
  readonly time: number
  readonly tie: number
  readonly value: number
}

const offers = fc.array(
  fc.record({
    key: fc.integer({ min: 1, max: 12 }),
    outcome: fc.integer({ min: 0, max: 3 }),
    time: fc.integer({ min: 0, max: 5 }),
    tie: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    value: fc.integer({ min: 0, max: 100 }),
  }),
  { maxLength: 60 },
)

/** The event that design §5 says counts, chosen by sorting, not by arrival. */
function winner(keep: Keep, events: readonly Offer[]): Offer | undefined {
  const ranked = [...events].sort((a, b) => {
    if (keep === 'best' && a.outcome !== b.outcome) return b.outcome - a.outcome
    if (a.time !== b.time) return keep === 'last' ? b.time - a.time : a.time - b.time
    if (a.outcome !== b.outcome) return b.outcome - a.outcome
    return a.tie - b.tie
  })
  return ranked[0]
}

/** Counts per outcome and the sum of values, kept up to date by what `offer` returns. */
class Tally {
  readonly counts = [0, 0, 0, 0]
  sum = 0
  offer(table: FingerprintTable, event: Offer): void {
    const { key, outcome, time, tie, value } = event
    const code = table.offer(key << 25, key, outcome, time, tie, [Float64Array.of(value)], 0)
    if (code === DUPLICATE) return
    if (code !== FIRST) {
      this.counts[code] = (this.counts[code] ?? 0) - 1
      this.sum -= table.withdrawn[0] ?? 0
    }
    this.counts[outcome] = (this.counts[outcome] ?? 0) + 1
    this.sum += value
  }
}

function expected(keep: Keep, events: readonly Offer[]) {
  const counts = [0, 0, 0, 0]
  let sum = 0
  for (const key of new Set(events.map((event) => event.key))) {
    const kept = winner(
      keep,
      events.filter((event) => event.key === key),
    )
    if (kept === undefined) continue
    counts[kept.outcome] = (counts[kept.outcome] ?? 0) + 1
    sum += kept.value
  }
  return { counts, sum }
}

for (const keep of ['first', 'last', 'best'] as const) {
  test(`keep ${keep}: counts with withdrawals equal those of the winners, whatever the order of arrival`, () => {
    fc.assert(
      fc.property(offers, (events) => {
        // Equal ties of equal time and outcome are not told apart by design.
        const distinct = events.map((event, index) => ({ ...event, tie: index }))
        const tally = new Tally()
        const table = new FingerprintTable(keep, 1)
        for (const event of [...distinct].sort((a, b) => a.value - b.value)) {
          tally.offer(table, event)
        }
        assert.deepEqual({ counts: tally.counts, sum: tally.sum }, expected(keep, distinct))
        assert.equal(table.size, new Set(events.map((event) => event.key)).size)
      }),
    )
  })

  test(`keep ${keep}: stopping at any point and loading the blobs goes on with the same counts`, () => {
    fc.assert(
      fc.property(offers, fc.array(fc.nat(60), { maxLength: 4 }), (events, cuts) => {
        const distinct = events.map((event, index) => ({ ...event, tie: index }))
        const tally = new Tally()
        let table = new FingerprintTable(keep, 1)
        const blobs: Uint8Array[] = []
        distinct.forEach((event, index) => {
          tally.offer(table, event)
          if (!cuts.includes(index)) return
          const blob = table.takeChanges()
          if (blob !== undefined) blobs.push(blob)
          table = new FingerprintTable(keep, 1)
          for (const saved of blobs) table.load(saved)
        })
        assert.deepEqual({ counts: tally.counts, sum: tally.sum }, expected(keep, distinct))
      }),
    )
  })
}

test('a hundred thousand keys in all key groups stay apart while the shards grow', () => {
  const table = new FingerprintTable('best', 0)
  const total = 100_000
  const key = (index: number) => Math.imul(index, 0x9e3779b1) >>> 0
  for (let index = 1; index <= total; index++) {
    assert.equal(table.offer(key(index), index, 1, 0, 0, [], 0), FIRST)
  }
  for (let index = 1; index <= total; index++) {
    assert.equal(table.offer(key(index), index, 1, 0, 0, [], 0), DUPLICATE)
  }
  assert.equal(table.size, total)
  assert.equal(table.changes, total)
})

test('a key whose low half is 0 is not an empty slot', () => {
  const table = new FingerprintTable('best', 0)
  assert.equal(table.offer(5, 0, 1, 0, 0, [], 0), FIRST)
  assert.equal(table.offer(5, 0, 1, 0, 0, [], 0), DUPLICATE)
  assert.equal(table.offer(0, 5, 1, 0, 0, [], 0), FIRST)
  assert.equal(table.size, 2)
})

test('a blob of another layout is refused as corrupt', () => {
  const table = new FingerprintTable('best', 0)
  table.offer(1, 1, 1, 0, 0, [], 0)
  const blob = table.takeChanges()
  assert.ok(blob)
  assert.throws(() => new FingerprintTable('last', 0).load(blob), { code: 'state_corrupt' })
  assert.throws(() => new FingerprintTable('best', 0).load(blob.subarray(1)), {
    code: 'state_corrupt',
  })
})
