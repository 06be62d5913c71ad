import { lowerBound } from '../point-columns.ts'
import type { SeriesPoints } from '../series-points.ts'
import type { Aggregator, Interpolation } from './aggregator.ts'

/** Values looked at between two yields of `aggregated`: some 10 ms of work. */
const WORK_PER_YIELD = 1_000_000

/**
 * Merges the series of a group: at every timestamp that any of them has, the aggregate over all of them. A series counts from
 * its first point to its last; where it has no point between, it is interpolated as the aggregator says. A result is
 * an integer when all points around it are.
 *
 * Yields now and then, so that the caller can let others run.
 * @param rate the points are rates: the first of each series only counts as a value that others meet
 * @param untilMs points after it are left out
 */
export function* aggregated(
  group: readonly SeriesPoints[],
  aggregator: Aggregator,
  rate: boolean,
  untilMs: number,
): Generator<void, SeriesPoints> {
  const allExact = !rate && group.every((series) => isExact(series))
  const mixed = !rate && !allExact && group.some((series) => series.integers !== undefined)
  if (!rate && !mixed && isInStep(group)) {
    return yield* aggregatedInStep(group, aggregator, allExact, untilMs)
  }
  const merge = new SeriesMerge(group, aggregator.interpolation, rate)
  const times: number[] = []
  const values: number[] = []
  const integers: number[] = []
  let work = 0
  for (;;) {
    const timeMs = merge.advance()
    if (timeMs > untilMs || timeMs === Number.POSITIVE_INFINITY) break
    const exact = allExact || (mixed && merge.isExact())
    const count = merge.gather(timeMs, exact)
    times.push(timeMs)
    values.push(aggregator.reduce(merge.gathered, count, exact))
    integers.push(exact ? 1 : 0)
    work += group.length
    if (work >= WORK_PER_YIELD) {
      work = 0
      yield
    }
  }
  return {
    length: times.length,
    times: Float64Array.from(times),
    values: Float64Array.from(values),
    integers: allExact || mixed ? Uint8Array.from(integers) : undefined,
  }
}

/** Do all series have points at the same times? Then nothing is interpolated. */
function isInStep(group: readonly SeriesPoints[]): boolean {
  const [first] = group
  if (first === undefined) return false
  const { length, times } = first
  for (const series of group) {
    if (series.length !== length) return false
    // The store shares the times of series that it knows to be in step.
    if (series.times === times) continue
    for (let at = 0; at < length; at++) if (series.times[at] !== times[at]) return false
  }
  return true
}

/** Timestamps whose values are gathered at once, as one walk along each series. */
const TILE = 16

/** `aggregated` for series in step, as those of one metric mostly are: a fraction of the general way (test/bench/store.ts). */
function* aggregatedInStep(
  group: readonly SeriesPoints[],
  aggregator: Aggregator,
  exact: boolean,
  untilMs: number,
): Generator<void, SeriesPoints> {
  const times = group[0]?.times ?? new Float64Array(0)
  const length = lowerBound(times, group[0]?.length ?? 0, untilMs + 0.5)
  const columns = group.map((series) => series.values)
  const count = columns.length
  const tile = new Float64Array(TILE * count)
  const rows = Array.from({ length: TILE }, (_, row) =>
    tile.subarray(row * count, (row + 1) * count),
  )
  const values = new Float64Array(length)
  let work = 0
  for (let from = 0; from < length; from += TILE) {
    const height = Math.min(TILE, length - from)
    gatherTile(columns, from, height, tile)
    for (let row = 0; row < height; row++) {
      values[from + row] = aggregator.reduce(rows[row] ?? tile, count, exact)
    }
    work += height * count
    if (work >= WORK_PER_YIELD) {
      work = 0
      yield
    }
  }
  return { length, times, values, integers: exact ? new Uint8Array(length).fill(1) : undefined }
}

/** Puts values `from ≤ index < from + height` of all columns into the rows of `tile`, a row for each index. */
function gatherTile(
  columns: readonly Float64Array[],
  from: number,
  height: number,
  tile: Float64Array,
): void {
  const count = columns.length
  for (const [one, column] of columns.entries()) {
    for (let row = 0; row < height; row++) {
      tile[row * count + one] = column[from + row] ?? Number.NaN
    }
  }
}

function isExact(series: SeriesPoints): boolean {
  if (series.integers === undefined) return series.length === 0
  for (let at = 0; at < series.length; at++) if (series.integers[at] !== 1) return false
  return true
}

/** Nothing, as an index. */
const NOWHERE = -1

/**
 * Walks several series in step. Per series: `#current` is the last point at or before now (NOWHERE before its first and
 * after its last one), `#next` the one after it.
 */
class SeriesMerge {
  readonly #series: readonly SeriesPoints[]
  readonly #interpolation: Interpolation
  readonly #rate: boolean
  readonly #current: Int32Array
  readonly #next: Int32Array
  /** Time of `#next`; Infinity when there is none. */
  readonly #nextTime: Float64Array
  readonly gathered: Float64Array

  constructor(series: readonly SeriesPoints[], interpolation: Interpolation, rate: boolean) {
    this.#series = series
    this.#interpolation = interpolation
    this.#rate = rate
    this.#current = new Int32Array(series.length).fill(NOWHERE)
    this.#next = new Int32Array(series.length)
    this.#nextTime = new Float64Array(series.length)
    this.gathered = new Float64Array(series.length)
    for (const [at, one] of series.entries()) {
      if (rate && one.length > 0) {
        this.#current[at] = one.length > 1 ? 0 : NOWHERE
        this.#next[at] = 1
      }
      this.#nextTime[at] = one.times[this.#next[at] ?? 0] ?? Number.POSITIVE_INFINITY
      if ((this.#next[at] ?? 0) >= one.length) this.#nextTime[at] = Number.POSITIVE_INFINITY
    }
  }

  /** Steps to the next timestamp of any series and returns it; Infinity at the end. */
  advance(): number {
    const nextTime = this.#nextTime
    const { length } = nextTime
    let now = Number.POSITIVE_INFINITY
    for (let at = 0; at < length; at++) {
      const time = nextTime[at] ?? Number.POSITIVE_INFINITY
      if (time < now) now = time
      else if (time === Number.POSITIVE_INFINITY) this.#current[at] = NOWHERE
    }
    if (now === Number.POSITIVE_INFINITY) return now
    for (let at = 0; at < length; at++) {
      if (nextTime[at] !== now) continue
      const next = this.#next[at] ?? 0
      this.#current[at] = next
      this.#next[at] = next + 1
      const series = this.#series[at]
      nextTime[at] =
        series !== undefined && next + 1 < series.length
          ? (series.times[next + 1] ?? Number.POSITIVE_INFINITY)
          : Number.POSITIVE_INFINITY
    }
    return now
  }

  /** Are all points that now lies on or between integers? */
  isExact(): boolean {
    for (const [at, series] of this.#series.entries()) {
      const current = this.#current[at] ?? NOWHERE
      if (current !== NOWHERE && series.integers?.[current] !== 1) return false
      const next = this.#next[at] ?? 0
      if (next < series.length && series.integers?.[next] !== 1) return false
    }
    return true
  }

  /** Puts the value of every series at `now` into `gathered`; returns how many there are. */
  gather(now: number, exact: boolean): number {
    let count = 0
    for (let at = 0; at < this.#series.length; at++) {
      const current = this.#current[at] ?? NOWHERE
      if (current === NOWHERE) continue
      const series = this.#series[at]
      if (series === undefined) continue
      const time = series.times[current] ?? 0
      const value = series.values[current] ?? Number.NaN
      this.gathered[count++] =
        time === now || this.#rate ? value : this.#between(series, current, now, exact)
    }
    return count
  }

  #between(series: SeriesPoints, current: number, now: number, exact: boolean): number {
    const value = series.values[current] ?? Number.NaN
    switch (this.#interpolation) {
      case 'zero':
        return 0
      case 'previous':
        return value
      case 'largest':
        return Number.MAX_VALUE
      case 'smallest':
        return -Number.MAX_VALUE
      case 'linear': {
        const time = series.times[current] ?? 0
        const rise = (series.values[current + 1] ?? Number.NaN) - value
        const run = (series.times[current + 1] ?? 0) - time
        const step = ((now - time) * rise) / run
        return value + (exact ? Math.trunc(step) : step)
      }
    }
  }
}
