import type { Annotation } from '../annotation.ts'
import { lowerBound } from '../point-columns.ts'
import type { SeriesReader } from '../point-store.ts'
import { RequestRefused } from '../request-refused.ts'
import type { Series } from '../series-index.ts'
import type { SeriesPoints } from '../series-points.ts'
import { aggregated } from './aggregate-series.ts'
import { NONE } from './aggregator.ts'
import { Downsampler } from './downsample.ts'
import { rates } from './rate.ts'
import type { StoreQuery, SubQuery } from './store-query.ts'

/** What one query may cost. */
export interface QueryLimits {
  /** Points read by one query, all sub-queries together. */
  readonly maxPoints: number
  /** Series that one sub-query matches. */
  readonly maxSeries: number
}

export const defaultQueryLimits: QueryLimits = { maxPoints: 5_000_000, maxSeries: 50_000 }

/** One line of the answer. */
export interface QueryResult {
  readonly query: SubQuery
  readonly metric: string
  /** Tags that all series of the group share. */
  readonly tags: ReadonlyMap<string, string>
  /** Keys that all of them have or some lack, with different values. */
  readonly aggregateTags: readonly string[]
  readonly tsuids: readonly string[]
  readonly annotations: readonly Annotation[]
  readonly points: SeriesPoints
}

/** Points read between two yields: some 10 ms of work. */
const POINTS_PER_YIELD = 250_000

/**
 * Answers a query. Yields now and then, so that the caller can let others run; what is written meanwhile may be in the answer or not.
 * @throws RequestRefused 400 for unknown names, 413 when a limit is exceeded
 */
export function* runQuery(
  query: StoreQuery,
  reader: SeriesReader,
  limits: QueryLimits,
): Generator<void, QueryResult[]> {
  const results: QueryResult[] = []
  const budget = { points: limits.maxPoints, sinceYield: 0, limits }
  // All names are checked before anything is read.
  const selected = query.queries.map((sub) => [sub, selectSeries(sub, reader, limits)] as const)
  for (const [sub, series] of selected) {
    const read: ReadSeries[] = []
    const downsampler =
      sub.downsample === undefined ? undefined : new Downsampler(sub.downsample, sub.range)
    for (const one of series) {
      const points = readSeries(one, sub, downsampler, reader, budget)
      if (points !== undefined) read.push({ series: one, points })
      if (budget.sinceYield > POINTS_PER_YIELD) {
        budget.sinceYield = 0
        yield
      }
    }
    for (const group of grouped(read, sub)) {
      results.push(yield* groupResult(group, sub, query, reader))
    }
  }
  return results
}

interface ReadSeries {
  readonly series: Series
  readonly points: SeriesPoints
}

interface Budget {
  points: number
  sinceYield: number
  readonly limits: QueryLimits
}

function selectSeries(sub: SubQuery, reader: SeriesReader, limits: QueryLimits): Series[] {
  const { metric, tsuids, filters, explicitTags } = sub.raw
  const series =
    tsuids.length > 0
      ? tsuids.flatMap((tsuid) => reader.index.findByTsuid(tsuid) ?? [])
      : reader.index.select(metric ?? '', filters, explicitTags)
  if (series.length > limits.maxSeries) {
    throw new RequestRefused(
      413,
      `The query matches ${series.length} series, more than the limit of ${limits.maxSeries}`,
      'Choose fewer series with more tags or filters.',
    )
  }
  return series
}

/** Points of the scanned range, downsampled and as rates where the query says so; undefined when there is none. */
function readSeries(
  series: Series,
  sub: SubQuery,
  downsampler: Downsampler | undefined,
  reader: SeriesReader,
  budget: Budget,
): SeriesPoints | undefined {
  const { scanFromMs, scanToMs } = sub.range
  const raw = reader.readPoints(series.id, scanFromMs, scanToMs)
  if (raw.length === 0) return undefined
  budget.points -= raw.length
  budget.sinceYield += raw.length
  if (budget.points < 0) {
    throw new RequestRefused(
      413,
      `The query reads more than the limit of ${budget.limits.maxPoints} points`,
      'Choose a shorter time or fewer series.',
    )
  }
  const points = downsampler?.downsampled(raw) ?? raw
  if (!sub.raw.rate) return downsampler === undefined ? points : since(points, scanFromMs)
  return since(rates(points, sub.raw.rateOptions), scanFromMs)
}

function grouped(read: readonly ReadSeries[], sub: SubQuery): ReadSeries[][] {
  if (read.length === 0) return []
  if (sub.aggregator.name === NONE) return read.map((one) => [one])
  const keys = new Set(
    sub.raw.filters.filter((filter) => filter.groupBy).map((filter) => filter.tagk),
  )
  if (keys.size === 0) return [[...read]]
  const groups = new Map<string, ReadSeries[]>()
  for (const one of read) {
    const values = [...keys].map((key) => one.series.tags.get(key) ?? '')
    const key = values.map((value) => `${value.length}:${value}`).join('')
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [one])
    else group.push(one)
  }
  return [...groups.values()]
}

function* groupResult(
  group: readonly ReadSeries[],
  sub: SubQuery,
  query: StoreQuery,
  reader: SeriesReader,
): Generator<void, QueryResult> {
  const points = yield* aggregated(
    group.map((one) => one.points),
    sub.aggregator,
    sub.raw.rate,
    sub.range.scanToMs,
  )
  const tsuids = group.map((one) => one.series.tsuid).sort()
  const { startMs, endMs } = query
  return {
    query: sub,
    metric: group[0]?.series.metric ?? '',
    ...sharedTags(group),
    tsuids,
    annotations:
      query.noAnnotations || !reader.hasSeriesAnnotations()
        ? []
        : tsuids
            .flatMap((tsuid) => reader.annotations(tsuid, startMs, endMs))
            .sort((left, right) => left.startTime - right.startTime),
    points: until(since(points, startMs), endMs),
  }
}

function sharedTags(group: readonly ReadSeries[]): Pick<QueryResult, 'tags' | 'aggregateTags'> {
  const tags = new Map<string, string>()
  const differing = new Set<string>()
  for (const { series } of group) {
    for (const [key, value] of series.tags) {
      const known = tags.get(key)
      if (differing.has(key)) continue
      if (known === undefined) tags.set(key, value)
      else if (known !== value) {
        tags.delete(key)
        differing.add(key)
      }
    }
  }
  return { tags, aggregateTags: [...differing] }
}

function since(points: SeriesPoints, fromMs: number): SeriesPoints {
  const from = lowerBound(points.times, points.length, fromMs)
  if (from === 0) return points
  return {
    length: points.length - from,
    times: points.times.subarray(from),
    values: points.values.subarray(from),
    integers: points.integers?.subarray(from),
  }
}

function until(points: SeriesPoints, untilMs: number): SeriesPoints {
  return { ...points, length: lowerBound(points.times, points.length, untilMs + 0.5) }
}
