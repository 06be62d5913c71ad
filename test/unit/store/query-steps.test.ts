import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { aggregated } from '../../../src/store/query/aggregate-series.ts'
import { aggregatorNamed, aggregatorNames } from '../../../src/store/query/aggregator.ts'
import { calendarFloor, calendarNext, zonedTime } from '../../../src/store/query/calendar.ts'
import {
  Downsampler,
  parseDownsample,
  type QueryRange,
} from '../../../src/store/query/downsample.ts'
import { parseQueryTime } from '../../../src/store/query/query-time.ts'
import { plainRate, rates } from '../../../src/store/query/rate.ts'
import { tagFilter, tagFilterOfText } from '../../../src/store/query/tag-filter.ts'
import type { SeriesPoints } from '../../../src/store/series-points.ts'

const HOUR_MS = 3_600_000

function series(points: readonly (readonly [number, number])[], integers = false): SeriesPoints {
  return {
    length: points.length,
    times: Float64Array.from(points, ([timeMs]) => timeMs),
    values: Float64Array.from(points, ([, value]) => value),
    integers: integers && points.length > 0 ? new Uint8Array(points.length).fill(1) : undefined,
  }
}

function merged(name: string, group: readonly SeriesPoints[], rate = false): [number, number][] {
  const aggregator = aggregatorNamed(name)
  assert.ok(aggregator)
  const steps = aggregated(group, aggregator, rate, Number.POSITIVE_INFINITY)
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return pairs(step.value)
}

function pairs(points: SeriesPoints): [number, number][] {
  return Array.from({ length: points.length }, (_, at) => [
    points.times[at] ?? 0,
    points.values[at] ?? 0,
  ])
}

describe('aggregation', () => {
  const group = [
    series(
      [
        [0, 1],
        [10, 11],
      ].map(([t, v]) => [t ?? 0, v ?? 0]),
    ),
    series([[5, 100]]),
  ]

  it('a series counts from its first point to its last, interpolated between', () => {
    assert.deepEqual(merged('sum', group), [
      [0, 1],
      [5, 106],
      [10, 11],
    ])
    assert.deepEqual(merged('min', group), [
      [0, 1],
      [5, 6],
      [10, 11],
    ])
  })

  it('zimsum and count take 0 where a series has no point, mimmin and mimmax skip it', () => {
    assert.deepEqual(merged('zimsum', group), [
      [0, 1],
      [5, 100],
      [10, 11],
    ])
    assert.deepEqual(merged('count', group), [
      [0, 1],
      [5, 2],
      [10, 1],
    ])
    assert.deepEqual(merged('mimmin', group), [
      [0, 1],
      [5, 100],
      [10, 11],
    ])
    assert.deepEqual(merged('mimmax', group), [
      [0, 1],
      [5, 100],
      [10, 11],
    ])
  })

  it('integers are averaged and interpolated in integers, a fraction anywhere ends that', () => {
    const integers = [
      series(
        [
          [0, 1],
          [10, 2],
        ],
        true,
      ),
      series([[5, 2]], true),
    ]
    assert.deepEqual(merged('avg', integers), [
      [0, 1],
      [5, 1],
      [10, 2],
    ])
    const mixed = [
      series(
        [
          [0, 1],
          [10, 2],
        ],
        true,
      ),
      series([[5, 2]]),
    ]
    assert.deepEqual(merged('avg', mixed), [
      [0, 1],
      [5, 1.75],
      [10, 2],
    ])
  })

  it('the first rate of a series is not answered', () => {
    const slow = rates(
      series([
        [1_000, 10],
        [3_000, 14],
        [4_000, 13],
      ]),
      plainRate,
    )
    assert.deepEqual(merged('sum', [slow], true), [
      [3_000, 2],
      [4_000, -1],
    ])
  })

  const grid = fc.array(
    fc.array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 6, maxLength: 6 }),
    { minLength: 1, maxLength: 8 },
  )

  it('where all series have all points, the sum of a group is the sum of its members', () => {
    fc.assert(
      fc.property(grid, (rows) => {
        const members = rows.map((row) => series(row.map((value, at) => [at * HOUR_MS, value / 8])))
        const sums = merged('sum', members)
        assert.deepEqual(
          sums.map(([, value]) => value),
          (rows[0] ?? []).map((_, at) => rows.reduce((sum, row) => sum + (row[at] ?? 0), 0) / 8),
        )
        assert.deepEqual(sums, merged('zimsum', members))
      }),
    )
  })

  it('zimsum is the sum of what is there, whatever the times', () => {
    const points = fc.uniqueArray(fc.tuple(fc.nat(30), fc.integer({ min: -99, max: 99 })), {
      selector: ([time]) => time,
      maxLength: 12,
    })
    fc.assert(
      fc.property(fc.array(points, { maxLength: 6 }), (rows) => {
        const expected = new Map<number, number>()
        for (const [time, value] of rows.flat())
          expected.set(time, (expected.get(time) ?? 0) + value)
        const members = rows.map((row) => series(row.toSorted(([left], [right]) => left - right)))
        assert.deepEqual(
          merged('zimsum', members),
          [...expected].sort(([left], [right]) => left - right),
        )
      }),
    )
  })
})

describe('downsampling', () => {
  const range: QueryRange = {
    startMs: 0,
    endMs: 4 * HOUR_MS,
    scanFromMs: 0,
    scanToMs: 5 * HOUR_MS,
    timezone: 'UTC',
  }
  const points = series([
    [60_000, 1],
    [120_000, 3],
    [2 * HOUR_MS, 8],
  ])
  const by = (text: string): [number, number][] =>
    pairs(new Downsampler(parseDownsample(text, false), range).downsampled(points))

  it('an empty interval is left out, or filled up to the end', () => {
    assert.deepEqual(by('1h-avg'), [
      [0, 2],
      [2 * HOUR_MS, 8],
    ])
    assert.deepEqual(
      by('1h-sum-zero').map(([, value]) => value),
      [4, 0, 8, 0, 0],
    )
    assert.deepEqual(by('1h-max-nan')[1], [HOUR_MS, Number.NaN])
    assert.deepEqual(by('0all-sum'), [[0, 12]])
  })

  it('one point an interval is what the aggregator makes of one value, for every series with these times', () => {
    const times = Float64Array.of(HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS)
    for (const name of aggregatorNames().filter((one) => one !== 'none')) {
      const aggregator = aggregatorNamed(name)
      assert.ok(aggregator)
      const downsampler = new Downsampler(parseDownsample(`1h-${name}`, false), range)
      for (const values of [Float64Array.of(4, 5, 0.5), Float64Array.of(-7, 0, 1)]) {
        const found = downsampler.downsampled({ length: 3, times, values, integers: undefined })
        assert.deepEqual(
          pairs(found),
          Array.from(values, (value, at): [number, number] => [
            times[at] ?? 0,
            aggregator.reduce(Float64Array.of(value), 1, false),
          ]),
          name,
        )
      }
    }
  })

  it('no value is lost or counted twice, whatever the interval', () => {
    const many = fc.uniqueArray(fc.nat(5 * 3_600 - 1), { maxLength: 80 })
    const interval = fc.constantFrom('1s', '7s', '1m', '13m', '1h', '2h', '1d')
    fc.assert(
      fc.property(many, interval, fc.constantFrom('', '-zero'), (seconds, text, fill) => {
        const one = series(seconds.sort((a, b) => a - b).map((at) => [at * 1_000, 1]))
        const found = pairs(
          new Downsampler(parseDownsample(`${text}-sum${fill}`, false), range).downsampled(one),
        )
        assert.equal(
          found.reduce((sum, [, value]) => sum + value, 0),
          seconds.length,
        )
      }),
      { numRuns: 50 },
    )
  })
})

describe('calendar intervals', () => {
  it('a day of Berlin has 23 hours when the clock goes forward and 25 when it goes back', () => {
    const hours = (year: number, month: number, day: number): number => {
      const wall = { year, month, day, hour: 12, minute: 0, second: 0 }
      const start = calendarFloor(zonedTime(wall, 'Europe/Berlin'), 1, 'd', 'Europe/Berlin')
      return (calendarNext(start, 1, 'd', 'Europe/Berlin') - start) / HOUR_MS
    }
    assert.deepEqual([hours(2026, 3, 29), hours(2026, 10, 25), hours(2026, 11, 20)], [23, 25, 24])
  })

  it('an interval holds the time it was asked for, and its start is its own start', () => {
    const zone = fc.constantFrom('UTC', 'Asia/Shanghai', 'America/New_York', 'Asia/Kathmandu')
    const unit = fc.constantFrom('m', 'h', 'd', 'w', 'n', 'y' as const)
    fc.assert(
      fc.property(
        fc.nat(4_000_000_000),
        zone,
        unit,
        fc.integer({ min: 1, max: 6 }),
        (second, timezone, name, count) => {
          const timeMs = second * 1_000
          const start = calendarFloor(timeMs, count, name, timezone)
          assert.ok(start <= timeMs)
          assert.ok(calendarNext(start, count, name, timezone) > timeMs)
          if (count === 1) assert.equal(calendarFloor(start, count, name, timezone), start)
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('times and filters of a query', () => {
  it('times are read in every form', () => {
    const now = 1_795_132_800_000
    const read = (text: string, zone = 'UTC'): number => parseQueryTime(text, now, zone)
    assert.equal(read('1h-ago'), now - HOUR_MS)
    assert.equal(read('now'), now)
    assert.equal(read('2026/11/20-00:00:00'), now)
    assert.equal(read('2026/11/20 08:00', 'Asia/Shanghai'), now)
    assert.equal(read('1795132800'), now)
    assert.equal(read('1795132800123'), now + 123)
    for (const wrong of ['4hours-ago', 'abc', '-4h', '2026/11', '']) {
      assert.throws(() => read(wrong), { status: 400 }, wrong)
    }
  })

  it('a wildcard matches the whole value, each asterisk any text', () => {
    const matches = (pattern: string, value: string): boolean =>
      tagFilter('wildcard', 'host', pattern, false).matches(value)
    assert.ok(matches('web*.org', 'web01.example.org'))
    assert.ok(matches('*e*e*', 'example'))
    assert.ok(!matches('web*.org', 'xweb.org'))
    assert.ok(!matches('ab*ba', 'aba'))
    assert.ok(tagFilterOfText('host', 'WEB*', true).matches('web01'))
  })
})
