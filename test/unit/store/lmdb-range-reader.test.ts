import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeHalvedBlocks } from '../../../src/store/data-block.ts'
import { RangeReader } from '../../../src/store/lmdb-range-reader.ts'
import { PointColumns, UNVERSIONED } from '../../../src/store/point-columns.ts'

const START = 1_790_000_000_000
const HOUR_MS = 3_600_000

type Point = readonly [timeMs: number, value: number, integer: number, revision: number]

/** The points as blocks of at most `size`. */
function blocksOf(points: readonly Point[], size: number) {
  const columns = new PointColumns()
  for (const [timeMs, value, integer, revision] of points) {
    columns.push(timeMs, value, integer, revision < 0 ? UNVERSIONED : 1, Math.max(0, revision))
  }
  return Array.from({ length: Math.ceil(points.length / size) }, (_, at) =>
    encodeHalvedBlocks(columns, at * size, Math.min(points.length, (at + 1) * size)),
  ).flat()
}

const hourly = (count: number, of: (at: number) => number): Point[] =>
  Array.from({ length: count }, (_, at) => [START + at * HOUR_MS, of(at), 0, 1])

/** Steps between points: regular or not, whole seconds or not. */
const steps = fc.oneof(
  fc.constant(HOUR_MS),
  fc.integer({ min: 1, max: 5 }).map((seconds) => seconds * 1_000),
  fc.integer({ min: 1, max: 10_000 }),
)
const values = fc.oneof(
  fc.integer({ min: -200, max: 200 }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)

describe('points of a range', () => {
  it('are those that were stored, whatever the steps, values, versions and blocks', () => {
    fc.assert(
      fc.property(
        fc.boolean().chain((regular) => (regular ? fc.tuple(steps) : fc.array(steps))),
        fc.array(fc.tuple(values, fc.integer({ min: 0, max: 1 }), fc.integer({ min: -1, max: 2 }))),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: -2, max: 200 }),
        fc.integer({ min: -2, max: 200 }),
        (gaps, rows, size, from, length) => {
          let timeMs = START
          const points = rows.map(([value, integer, revision], at): Point => {
            timeMs += gaps[at % Math.max(1, gaps.length)] ?? 1
            return [timeMs, value, Number.isInteger(value) ? integer : 0, revision]
          })
          const fromMs = (points[from]?.[0] ?? START) + (length % 2)
          const toMs = points[from + length]?.[0] ?? timeMs + 1
          const read = new RangeReader().read(blocksOf(points, size), fromMs, toMs)
          const expected = points.filter(([at]) => at >= fromMs && at < toMs)
          assert.equal(read.length, expected.length)
          expected.forEach(([at, value, integer], n) => {
            assert.deepEqual(
              [read.times[n], read.values[n], read.integers?.[n] ?? 0],
              [at, value, integer],
            )
          })
        },
      ),
      { numRuns: 300 },
    )
  })

  it('of series in step have one column of times, also where their blocks are cut elsewhere', () => {
    const reader = new RangeReader()
    const range = [START + 10 * HOUR_MS, START + 90 * HOUR_MS] as const
    const one = reader.read(
      blocksOf(
        hourly(100, (at) => at / 3),
        40,
      ),
      ...range,
    )
    const other = reader.read(
      blocksOf(
        hourly(100, (at) => at * 2),
        7,
      ),
      ...range,
    )
    assert.equal(one.times, other.times)
    assert.equal(one.length, 80)
    assert.equal(other.values[79], 178)
    const gap = hourly(100, (at) => at).filter((_, at) => at !== 50)
    assert.notEqual(reader.read(blocksOf(gap, 40), ...range).times, one.times)
  })

  it('stay as they were read when others are read', () => {
    const reader = new RangeReader()
    const read = Array.from({ length: 400 }, (_, series) =>
      reader.read(
        blocksOf(
          hourly(200, (at) => at + series / 1_000),
          128,
        ),
        0,
        Number.MAX_VALUE,
      ),
    )
    for (const [series, { values: found, length }] of read.entries()) {
      assert.equal(length, 200)
      assert.equal(found[199], 199 + series / 1_000)
      assert.equal(found[0], series / 1_000)
    }
  })
})
