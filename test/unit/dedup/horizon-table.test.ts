import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DUPLICATE, FIRST } from '../../../src/dedup/fingerprint-table.ts'
import { HorizonTable } from '../../../src/dedup/horizon/horizon-table.ts'

const day = 86_400_000
const start = Date.UTC(2026, 0, 1)

test('a user counts once in seven days, from the event that counted, and again after exactly seven', () => {
  const table = new HorizonTable(7 * day)
  assert.equal(table.offer(1, 1, start), FIRST)
  assert.equal(table.offer(1, 1, start + 7 * day - 1), DUPLICATE)
  assert.equal(table.offer(2, 1, start + 1), FIRST)
  assert.equal(table.offer(1, 1, start + 7 * day), FIRST)
  assert.equal(table.offer(1, 1, start + 10 * day), DUPLICATE)
})

test('an event that comes late and lies before the one that counted is a duplicate too', () => {
  const table = new HorizonTable(7 * day)
  assert.equal(table.offer(1, 1, start), FIRST)
  assert.equal(table.offer(1, 1, start - 6 * day), DUPLICATE)
  assert.equal(table.offer(1, 1, start - 7 * day), FIRST)
})

const offers = fc.array(
  fc.record({ user: fc.integer({ min: 1, max: 4 }), time: fc.integer({ min: -50, max: 300 }) }),
  { maxLength: 120 },
)

test('any disorder, dropping and restarting: the verdicts are those of a list of everything that counted', () => {
  fc.assert(
    fc.property(
      offers,
      fc.integer({ min: 1, max: 90 }),
      fc.nat(40),
      (events, horizon, lateness) => {
        let table = new HorizonTable(horizon)
        const saved = new Map<number, Uint8Array[]>()
        const counted: { user: number; time: number }[] = []
        let newest = Number.NEGATIVE_INFINITY
        events.forEach(({ user, time }, index) => {
          // What is late is never offered.
          if (time < newest - lateness) return
          newest = Math.max(newest, time)
          const isKnown = counted.some(
            (one) => one.user === user && Math.abs(one.time - time) < horizon,
          )
          assert.equal(table.offer(user << 28, user, time), isKnown ? DUPLICATE : FIRST)
          if (!isKnown) counted.push({ user, time })
          table.dropBefore(newest - lateness)
          if (index % 17 !== 0) return
          for (const gone of table.takeGone()) saved.delete(gone)
          for (const [at, bucket] of table.buckets) {
            const blob = bucket.takeChanges()
            if (blob !== undefined) saved.set(at, [...(saved.get(at) ?? []), blob])
          }
          table = new HorizonTable(horizon)
          for (const [at, blobs] of saved) for (const blob of blobs) table.bucketOf(at).load(blob)
        })
      },
    ),
    { numRuns: 300 },
  )
})

test('users who never come again are gone a horizon and a bucket later, whole buckets at a time', () => {
  const table = new HorizonTable(7 * day)
  for (let user = 1; user <= 50_000; user++) {
    const time = start + user * 60_000
    table.offer((user * 0x9e3779b1) >>> 0, user, time)
    table.dropBefore(time - day)
  }
  const kept = Math.ceil((7 + 1 + 7 / 8) * 24 * 60) + 1_440
  assert.ok(table.size <= kept, `${table.size} of at most ${kept}`)
  assert.ok(table.takeGone().length > 15)
  table.dropBefore(start + 50_000 * 60_000 + 8 * day)
  assert.deepEqual([table.size, table.bytes, table.buckets.size], [0, 0, 0])
})
