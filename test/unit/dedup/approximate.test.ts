import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BitmapStore } from '../../../src/dedup/bitmap/bitmap-store.ts'
import { RoaringBitmap } from '../../../src/dedup/bitmap/roaring-bitmap.ts'
import {
  BloomFilter,
  bloomBytes,
  expectedFalsePositives,
} from '../../../src/dedup/bloom/bloom-filter.ts'
import { BloomStore } from '../../../src/dedup/bloom/bloom-store.ts'
import { DistinctCounter } from '../../../src/dedup/distinct/distinct-counter.ts'
import { HyperLogLog, precisionFor } from '../../../src/dedup/distinct/hyperloglog.ts'

/** Two halves of a 64-bit hash of a number. */
function hash(value: number): readonly [number, number] {
  const mix = (seed: number) => {
    let one = Math.imul((value + seed) | 0, 0x9e3779b1)
    one = Math.imul(one ^ (one >>> 16), 0x85ebca6b)
    one = Math.imul(one ^ (one >>> 13), 0xc2b2ae35)
    return (one ^ (one >>> 16)) >>> 0
  }
  return [mix(0x51ed270b), mix(mix(0x2545f491) ^ value)]
}

test('a Bloom filter has no false negatives', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 200 }), fc.nat(20), (values, blocks) => {
      const filter = new BloomFilter(blocks * 32)
      for (const value of values) filter.add(...hash(value))
      for (const value of values) assert.ok(filter.has(...hash(value)))
    }),
  )
})

for (const target of [0.05, 0.01, 0.001]) {
  test(`a Bloom filter sized for ${target} stays within a fifth of it when it is full`, () => {
    const keys = 50_000
    const bytes = bloomBytes(keys, target)
    const filter = new BloomFilter(bytes)
    for (let value = 0; value < keys; value++) filter.add(...hash(value))
    let found = 0
    const probes = 200_000
    for (let value = keys; value < keys + probes; value++) if (filter.has(...hash(value))) found++
    assert.ok(Math.abs(found / probes / target - 1) < 0.2, `${found / probes}`)
    assert.ok(expectedFalsePositives(keys, bytes - 64) > target)
  })
}

test('a Bloom store has the memory it was made with, however many keys come', () => {
  const store = new BloomStore({ keys: 1_000, falsePositives: 0.01 })
  const { bytes } = store
  for (let value = 0; value < 60_000; value++) {
    store.offer(...hash(value))
    if (value % 500 === 0) store.takeChanges()
  }
  assert.ok(store.bytes < bytes + 20_000, `${store.bytes} of ${bytes}`)
  assert.ok(store.expectedFalsePositives > 0.9)
})

test('the measured false-positive rate is that of the filter, overfilled and after a restart', () => {
  const store = new BloomStore({ keys: 20_000, falsePositives: 0.05 })
  let missed = 0
  const keys = 150_000
  const blobs: Uint8Array[] = []
  for (let value = 0; value < keys; value++) {
    if (store.offer(...hash(value)) < 0) missed++
    if (value % 20_000 === 0) blobs.push(store.takeChanges() ?? new Uint8Array())
  }
  blobs.push(store.takeChanges() ?? new Uint8Array())
  const measured = store.measuredFalsePositives ?? 0
  assert.ok(Math.abs(measured - missed / keys) < 0.03, `${measured} for ${missed / keys}`)
  const next = new BloomStore({ keys: 20_000, falsePositives: 0.05 })
  for (const blob of blobs) next.load(blob)
  assert.equal(next.measuredFalsePositives, measured)
  assert.equal(next.size, store.size)
})

test('HyperLogLog estimates within four standard errors from 300 to 300 thousand users', () => {
  const sketch = new HyperLogLog(12)
  let next = 300
  for (let value = 1; value <= 300_000; value++) {
    sketch.add(...hash(value))
    if (value !== next) continue
    const error = Math.abs(sketch.estimate / value - 1)
    assert.ok(error < 4 * (1.04 / 64), `${sketch.estimate} of ${value}`)
    next = Math.floor(next * 1.5)
  }
})

test('the union of two sketches is the sketch of all', () => {
  const [one, two, all] = [new HyperLogLog(10), new HyperLogLog(10), new HyperLogLog(10)]
  for (let value = 0; value < 5_000; value++) {
    all.add(...hash(value))
    if (value % 3 !== 0) one.add(...hash(value))
    if (value % 2 === 0 || value % 3 === 0) two.add(...hash(value))
  }
  one.merge(two)
  assert.equal(one.estimate, all.estimate)
})

test('precision is the least that gives the wanted error', () => {
  assert.deepEqual([0.01, 0.0081, 0.02, 0.9, 0.0001].map(precisionFor), [14, 15, 12, 4, 18])
})

test('distinct users are exact up to 256 in a series, and what was added up is the estimate', () => {
  const counter = new DistinctCounter(12)
  let sum = 0
  for (let value = 1; value <= 256; value++) {
    sum += counter.add(3, ...hash(value))
    assert.equal(counter.add(3, ...hash(value)), 0)
  }
  assert.equal(counter.estimate(3), 256)
  for (let value = 257; value <= 20_000; value++) sum += counter.add(3, ...hash(value))
  assert.ok(Math.abs(sum - counter.estimate(3)) < 1e-6)
  assert.ok(Math.abs(sum / 20_000 - 1) < 0.06)
  assert.equal(counter.estimate(4), 0)
  assert.ok(counter.bytes < 3 * 4096 + 20_000 * 24)
})

test('a counter that was killed and loaded goes on with the same estimates', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(2), fc.nat(900)), { maxLength: 2_000 }),
      fc.nat(2_000),
      (adds, cut) => {
        const whole = new DistinctCounter(6)
        let parted = new DistinctCounter(6)
        const blobs: Uint8Array[] = []
        adds.forEach(([series, user], index) => {
          whole.add(series, ...hash(user))
          parted.add(series, ...hash(user))
          if (index !== cut) return
          blobs.push(parted.takeChanges() ?? new Uint8Array())
          parted = new DistinctCounter(6)
          for (const blob of blobs) if (blob.length > 0) parted.load(blob)
        })
        for (const series of [0, 1, 2])
          assert.equal(parted.estimate(series), whole.estimate(series))
      },
    ),
    { numRuns: 30 },
  )
})

test('a roaring bitmap equals a set, over lists and bitmaps', () => {
  const value = fc.oneof(fc.nat(70_000), fc.integer({ min: 2 ** 31, max: 2 ** 32 - 1 }))
  fc.assert(
    fc.property(fc.array(value, { maxLength: 500 }), fc.nat(3), (values, dense) => {
      const bitmap = new RoaringBitmap()
      const set = new Set<number>()
      const add = (one: number) => {
        assert.equal(bitmap.add(one), !set.has(one))
        set.add(one)
      }
      for (let one = 0; one < dense * 2_500; one++) add(one * 3)
      for (const one of values) add(one)
      assert.equal(bitmap.size, set.size)
      for (const one of [...values, 1, 2, 65_535, 65_536])
        assert.equal(bitmap.has(one), set.has(one))
    }),
    { numRuns: 60 },
  )
})

test('a million dense integer users take less than a byte each', () => {
  const store = new BitmapStore()
  for (let user = 0; user < 1_000_000; user++) {
    store.offer(1, user)
    if (user % 100_000 === 0) store.takeChanges()
  }
  store.takeChanges()
  assert.ok(store.bytes < 1_300_000, `${store.bytes}`)
})
