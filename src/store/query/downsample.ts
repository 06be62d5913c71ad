import { lowerBound } from '../point-columns.ts'
import { RequestRefused } from '../request-refused.ts'
import type { SeriesPoints } from '../series-points.ts'
import { type Aggregator, aggregatorNamed, NONE } from './aggregator.ts'
import { type CalendarUnit, calendarFloor, calendarNext } from './calendar.ts'
import { parseInterval } from './query-time.ts'

export const fillPolicies = ['none', 'zero', 'nan', 'null'] as const

/** What an interval without a value gets; `none` leaves it out. */
export type FillPolicy = (typeof fillPolicies)[number]

/** Intervals that start at multiples of `ms` since the epoch, at calendar bounds, or one for the whole query. */
export type DownsampleInterval =
  | { readonly kind: 'fixed'; readonly ms: number }
  | {
      readonly kind: 'calendar'
      readonly ms: number
      readonly count: number
      readonly unit: CalendarUnit
    }
  | { readonly kind: 'all' }

export interface Downsample {
  readonly interval: DownsampleInterval
  readonly aggregator: Aggregator
  readonly fill: FillPolicy
}

/** Reads `1h-avg`, `1h-sum-zero`, `0all-max`, `1dc-sum`. @throws RequestRefused */
export function parseDownsample(text: string, useCalendar: boolean): Downsample {
  const [interval = '', name = '', fill, ...rest] = text.split('-')
  if (name === '') {
    throw new RequestRefused(
      400,
      `Invalid downsampling specifier '${text}': must provide at least interval and function`,
    )
  }
  if (rest.length > 0) {
    throw new RequestRefused(
      400,
      `Invalid downsampling specifier '${text}': must consist of interval, function, and optional fill policy`,
    )
  }
  const parsedInterval = parseDownsampleInterval(interval, useCalendar)
  const aggregator = aggregatorNamed(name)
  if (aggregator === undefined) {
    throw new RequestRefused(400, `No such downsampling function: ${name}`)
  }
  if (aggregator.name === NONE) {
    throw new RequestRefused(400, 'cannot use the NONE aggregator for downsampling')
  }
  return { interval: parsedInterval, aggregator, fill: parseFill(fill) }
}

function parseDownsampleInterval(text: string, useCalendar: boolean): DownsampleInterval {
  if (text.includes('all')) return { kind: 'all' }
  const calendar = useCalendar || text.endsWith('c')
  const parsed = parseInterval(text.endsWith('c') ? text.slice(0, -1) : text)
  if (!calendar) return { kind: 'fixed', ms: parsed.ms }
  return { kind: 'calendar', ms: parsed.ms, count: parsed.count, unit: parsed.unit }
}

function parseFill(text: string | undefined): FillPolicy {
  if (text === undefined) return 'none'
  const fill = fillPolicies.find((one) => one === text)
  if (fill === undefined) throw new RequestRefused(400, `Unrecognized fill policy: ${text}`)
  return fill
}

/** What the steps of a query need to know about its time. */
export interface QueryRange {
  /** Asked for, inclusive at both ends; epoch ms. */
  readonly startMs: number
  readonly endMs: number
  /** Points outside of `scanFromMs ≤ time < scanToMs` have no influence on the answer. */
  readonly scanFromMs: number
  readonly scanToMs: number
  /** Zone of calendar intervals. */
  readonly timezone: string
}

/**
 * One point per interval, at its start. Values become floats. An interval that the scan cuts at its start is left out:
 * a part of it would be taken for the whole.
 */
export function downsampled(
  points: SeriesPoints,
  downsample: Downsample,
  range: QueryRange,
): SeriesPoints {
  return downsample.interval.kind === 'all'
    ? downsampledToOne(points, downsample.aggregator, range)
    : downsampledToIntervals(points, downsample, intervalsOf(downsample.interval, range), range)
}

function downsampledToOne(
  points: SeriesPoints,
  aggregator: Aggregator,
  range: QueryRange,
): SeriesPoints {
  const from = lowerBound(points.times, points.length, range.startMs)
  const to = lowerBound(points.times, points.length, range.endMs)
  if (from >= to) return { length: 0, times: none, values: none, integers: undefined }
  const value = aggregator.reduce(points.values.subarray(from, to), to - from, false)
  return {
    length: 1,
    times: Float64Array.of(range.startMs),
    values: Float64Array.of(value),
    integers: undefined,
  }
}

const none = new Float64Array(0)

interface Intervals {
  /** Start of the interval that holds `timeMs`. */
  floor(timeMs: number): number
  /** Start of the interval after the one that starts at `startMs`. */
  next(startMs: number): number
}

function intervalsOf(
  interval: Exclude<DownsampleInterval, { readonly kind: 'all' }>,
  range: QueryRange,
): Intervals {
  if (interval.kind === 'fixed') {
    const { ms } = interval
    return { floor: (timeMs) => timeMs - (timeMs % ms), next: (startMs) => startMs + ms }
  }
  const { count, unit } = interval
  return {
    floor: (timeMs) => calendarFloor(timeMs, count, unit, range.timezone),
    next: (startMs) => calendarNext(startMs, count, unit, range.timezone),
  }
}

function downsampledToIntervals(
  points: SeriesPoints,
  downsample: Downsample,
  intervals: Intervals,
  range: QueryRange,
): SeriesPoints {
  const scanStart = intervals.floor(range.scanFromMs)
  const firstWhole = scanStart < range.scanFromMs ? intervals.next(scanStart) : scanStart
  const result = new IntervalValues(points.length)
  const single = new Float64Array(1)
  const filling = downsample.fill !== 'none'
  const fillValue = downsample.fill === 'zero' ? 0 : Number.NaN
  let due = scanStart
  const fillUntil = (timeMs: number): void => {
    for (; filling && due < timeMs; due = intervals.next(due)) result.push(due, fillValue)
  }
  let at = lowerBound(points.times, points.length, firstWhole)
  while (at < points.length) {
    const start = intervals.floor(points.times[at] ?? 0)
    const end = intervals.next(start)
    const from = at
    while (at < points.length && (points.times[at] ?? 0) < end) at++
    fillUntil(start)
    // Mostly one point an interval: a view for each would take as long as all the rest (test/bench/store.ts).
    single[0] = points.values[from] ?? Number.NaN
    const inside = at - from === 1 ? single : points.values.subarray(from, at)
    result.push(start, downsample.aggregator.reduce(inside, at - from, false))
    due = end
  }
  fillUntil(intervals.floor(range.scanToMs))
  return result
}

/** Values of intervals in ascending time. Grows by itself. */
class IntervalValues implements SeriesPoints {
  length = 0
  times: Float64Array
  values: Float64Array
  readonly integers = undefined

  constructor(capacity: number) {
    this.times = new Float64Array(capacity)
    this.values = new Float64Array(capacity)
  }

  push(timeMs: number, value: number): void {
    if (this.length === this.times.length) {
      const capacity = 16 + 2 * this.length
      const { times, values } = this
      this.times = new Float64Array(capacity)
      this.times.set(times)
      this.values = new Float64Array(capacity)
      this.values.set(values)
    }
    this.times[this.length] = timeMs
    this.values[this.length] = value
    this.length++
  }
}
