import { RequestRefused } from '../request-refused.ts'
import { type Aggregator, aggregatorNamed } from './aggregator.ts'
import { isTimezone, UTC } from './calendar.ts'
import { type Downsample, parseDownsample, type QueryRange } from './downsample.ts'
import { parseQueryTime } from './query-time.ts'
import type { RateOptions } from './rate.ts'
import type { TagFilter } from './tag-filter.ts'

/** A query as the client gave it, in either syntax, not yet checked. */
export interface RawQuery {
  readonly start: string | undefined
  readonly end: string | undefined
  readonly timezone: string | undefined
  readonly useCalendar: boolean
  readonly msResolution: boolean
  readonly showQuery: boolean
  readonly showTsuids: boolean
  readonly noAnnotations: boolean
  readonly globalAnnotations: boolean
  readonly delete: boolean
  readonly queries: readonly RawSubQuery[]
}

export interface RawSubQuery {
  readonly aggregator: string | undefined
  readonly metric: string | undefined
  readonly tsuids: readonly string[]
  readonly downsample: string | undefined
  readonly rate: boolean
  readonly rateOptions: RateOptions
  readonly filters: readonly TagFilter[]
  readonly explicitTags: boolean
}

/** A checked query. */
export interface StoreQuery {
  /** Inclusive; epoch ms. */
  readonly startMs: number
  readonly endMs: number
  readonly msResolution: boolean
  readonly showQuery: boolean
  readonly showTsuids: boolean
  readonly noAnnotations: boolean
  readonly globalAnnotations: boolean
  readonly queries: readonly SubQuery[]
}

export interface SubQuery {
  readonly index: number
  readonly raw: RawSubQuery
  readonly aggregator: Aggregator
  readonly downsample: Downsample | undefined
  readonly range: QueryRange
}

/** @throws RequestRefused naming what is wrong */
export function checkedQuery(raw: RawQuery, nowMs: number): StoreQuery {
  if (raw.delete) {
    throw new RequestRefused(
      400,
      'Deleting data by a query is not possible: leave out "delete"',
      'This store drops data by age only.',
    )
  }
  const timezone = raw.timezone || UTC
  if (!raw.start) throw new RequestRefused(400, 'Missing start time')
  const startMs = parseQueryTime(raw.start, nowMs, timezone)
  const endMs = raw.end ? parseQueryTime(raw.end, nowMs, timezone) : nowMs
  if (endMs <= startMs) {
    throw new RequestRefused(
      400,
      `End time [${endMs}] must be greater than the start time [${startMs}]`,
    )
  }
  if (raw.queries.length === 0) throw new RequestRefused(400, 'Missing queries')
  const queries = raw.queries.map((sub, index) =>
    checkedSubQuery(sub, index, { startMs, endMs, timezone, useCalendar: raw.useCalendar }),
  )
  const { msResolution, showQuery, showTsuids, noAnnotations, globalAnnotations } = raw
  return {
    startMs,
    endMs,
    msResolution,
    showQuery,
    showTsuids,
    noAnnotations,
    globalAnnotations,
    queries,
  }
}

interface QueryTimes {
  readonly startMs: number
  readonly endMs: number
  readonly timezone: string
  readonly useCalendar: boolean
}

function checkedSubQuery(raw: RawSubQuery, index: number, times: QueryTimes): SubQuery {
  if (!raw.aggregator) throw new RequestRefused(400, 'Missing the aggregation function')
  const aggregator = aggregatorNamed(raw.aggregator)
  if (aggregator === undefined) {
    throw new RequestRefused(400, `No such aggregation function: ${raw.aggregator}`)
  }
  if (!raw.metric && raw.tsuids.length === 0) {
    throw new RequestRefused(400, 'Missing the metric or tsuids, provide at least one')
  }
  const downsample = raw.downsample ? parseDownsample(raw.downsample, times.useCalendar) : undefined
  if (downsample !== undefined && !isTimezone(times.timezone)) {
    throw new RequestRefused(400, 'The timezone specification could not be found')
  }
  return { index, raw, aggregator, downsample, range: scanRange(times, downsample) }
}

/** OpenTSDB reads whole hours. */
const SCAN_UNIT_S = 3_600

/**
 * The points that a query reads: whole hours around the range, and whole intervals. Interpolation, rates and intervals see
 * points before and after the range, but none further away than that.
 */
function scanRange(times: QueryTimes, downsample: Downsample | undefined): QueryRange {
  const { startMs, endMs, timezone } = times
  const interval = downsample?.interval
  const intervalMs = interval === undefined || interval.kind === 'all' ? 0 : interval.ms
  let from = Math.floor(startMs / 1_000)
  let to = Math.floor(endMs / 1_000) + 1
  if (intervalMs > 0) {
    from -= Math.floor(((from * 1_000) % intervalMs) / 1_000)
    to += Math.floor((intervalMs - ((to * 1_000) % intervalMs)) / 1_000)
    to = Math.ceil(to / SCAN_UNIT_S) * SCAN_UNIT_S
  } else {
    to += SCAN_UNIT_S - (to % SCAN_UNIT_S)
  }
  from = Math.max(0, from - (from % SCAN_UNIT_S))
  return { startMs, endMs, scanFromMs: from * 1_000, scanToMs: to * 1_000, timezone }
}
