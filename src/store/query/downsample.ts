import { lowerBound } from '../point-columns.ts'
import { RequestRefused } from '../request-refused.ts'
import { noPoints, type SeriesPoints } from '../series-points.ts'
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
 * Downsamples the series of a query: one point per interval, at its start. Values become floats. An interval that the scan cuts at
 * its start is left out: a part of it would be taken for the whole. Series that share their times share the intervals too.
 */
export class Downsampler {
  readonly #downsample: Downsample
  readonly #range: QueryRange
  #layout: IntervalLayout | undefined

  constructor(downsample: Downsample, range: QueryRange) {
    this.#downsample = downsample
    this.#range = range
  }

  downsampled(points: SeriesPoints): SeriesPoints {
    const { interval, aggregator, fill } = this.#downsample
    if (interval.kind === 'all') return downsampledToOne(points, aggregator, this.#range)
    const known = this.#layout
    const layout =
      known?.of === points.times && known.ofLength === points.length
        ? known
        : layoutOf(points, intervalsOf(interval, this.#range), fill !== 'none', this.#range)
    this.#layout = layout
    return valuesOf(points, layout, aggregator, fill === 'zero' ? 0 : Number.NaN)
  }
}

function downsampledToOne(
  points: SeriesPoints,
  aggregator: Aggregator,
  range: QueryRange,
): SeriesPoints {
  const from = lowerBound(points.times, points.length, range.startMs)
  const to = lowerBound(points.times, points.length, range.endMs)
  if (from >= to) return noPoints
  const value = aggregator.reduce(points.values.subarray(from, to), to - from, false)
  return {
    length: 1,
    times: Float64Array.of(range.startMs),
    values: Float64Array.of(value),
    integers: undefined,
  }
}

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

/** Which points are in which interval. */
interface IntervalLayout {
  /** The times that it is about, and how many of them. */
  readonly of: Float64Array
  readonly ofLength: number
  /** Starts of the intervals, ascending. */
  readonly starts: Float64Array
  /** Points `froms[i] ≤ index < tos[i]` are in interval i; none in one that is to be filled. */
  readonly froms: Int32Array
  readonly tos: Int32Array
  /** Every interval has one point: hourly points by the hour. */
  readonly isOneEach: boolean
}

function layoutOf(
  points: SeriesPoints,
  intervals: Intervals,
  filling: boolean,
  range: QueryRange,
): IntervalLayout {
  const { times, length } = points
  const scanStart = intervals.floor(range.scanFromMs)
  const firstWhole = scanStart < range.scanFromMs ? intervals.next(scanStart) : scanStart
  const starts: number[] = []
  const froms: number[] = []
  const tos: number[] = []
  const push = (startMs: number, from: number, to: number): void => {
    starts.push(startMs)
    froms.push(from)
    tos.push(to)
  }
  let due = scanStart
  const fillUntil = (timeMs: number): void => {
    for (; filling && due < timeMs; due = intervals.next(due)) push(due, 0, 0)
  }
  let at = lowerBound(times, length, firstWhole)
  while (at < length) {
    const start = intervals.floor(times[at] ?? 0)
    const end = intervals.next(start)
    const from = at
    while (at < length && (times[at] ?? 0) < end) at++
    fillUntil(start)
    push(start, from, at)
    due = end
  }
  fillUntil(intervals.floor(range.scanToMs))
  return {
    of: times,
    ofLength: length,
    starts: Float64Array.from(starts),
    froms: Int32Array.from(froms),
    tos: Int32Array.from(tos),
    isOneEach: froms.every((from, at) => (tos[at] ?? 0) === from + 1),
  }
}

function valuesOf(
  points: SeriesPoints,
  { starts, froms, tos, isOneEach }: IntervalLayout,
  aggregator: Aggregator,
  fillValue: number,
): SeriesPoints {
  const { length } = starts
  if (isOneEach && length > 0 && aggregator.changesOne !== true) {
    const [from = 0] = froms
    return {
      length,
      times: starts,
      values: points.values.subarray(from, from + length),
      integers: undefined,
    }
  }
  const values = new Float64Array(length)
  const single = new Float64Array(1)
  for (let at = 0; at < length; at++) {
    const from = froms[at] ?? 0
    const count = (tos[at] ?? 0) - from
    if (count === 0) {
      values[at] = fillValue
      continue
    }
    // Mostly one point an interval: a view for each would take as long as all the rest (test/bench/store.ts).
    single[0] = points.values[from] ?? Number.NaN
    const inside = count === 1 ? single : points.values.subarray(from, from + count)
    values[at] = aggregator.reduce(inside, count, false)
  }
  return { length, times: starts, values, integers: undefined }
}
