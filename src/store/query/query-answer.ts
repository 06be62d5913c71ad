import type { Annotation } from '../annotation.ts'
import { RequestRefused } from '../request-refused.ts'
import type { QueryResult } from './run-query.ts'
import type { StoreQuery, SubQuery } from './store-query.ts'

/**
 * The JSON of an answer, a piece per line. A point whose second another point has too is left out without `msResolution`: the last
 * one stays, which is what a JSON parser keeps of OpenTSDB's duplicate keys.
 * @param arrays `[[time, value], …]` instead of `{"time": value, …}`
 * @throws RequestRefused when a value is beyond the range of numbers
 */
export function queryAnswer(
  query: StoreQuery,
  results: readonly QueryResult[],
  globals: readonly Annotation[],
  arrays: boolean,
): string {
  return `[${results.map((result) => resultJson(query, result, globals, arrays)).join(',')}]`
}

function resultJson(
  query: StoreQuery,
  result: QueryResult,
  globals: readonly Annotation[],
  arrays: boolean,
): string {
  const head = {
    metric: result.metric,
    tags: Object.fromEntries(result.tags),
    aggregateTags: result.aggregateTags,
    ...(query.showQuery ? { query: shownQuery(result.query) } : {}),
    ...(query.showTsuids ? { tsuids: result.tsuids } : {}),
    ...(result.annotations.length > 0 ? { annotations: result.annotations } : {}),
    ...(globals.length > 0 ? { globalAnnotations: globals } : {}),
  }
  return `${JSON.stringify(head).slice(0, -1)},"dps":${pointsJson(query, result, arrays)}}`
}

function pointsJson(query: StoreQuery, result: QueryResult, arrays: boolean): string {
  const { length, times, values } = result.points
  const nothing = result.query.downsample?.fill === 'null' ? 'null' : '"NaN"'
  const pieces: string[] = []
  for (let at = 0; at < length; at++) {
    const timeMs = times[at] ?? 0
    const key = query.msResolution ? timeMs : Math.floor(timeMs / 1_000)
    if (!query.msResolution && !arrays && at + 1 < length) {
      if (Math.floor((times[at + 1] ?? 0) / 1_000) === key) continue
    }
    const value = values[at] ?? Number.NaN
    if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) {
      throw new RequestRefused(
        500,
        `Got Infinity: the result at ${timeMs} is beyond the range of numbers`,
      )
    }
    const number = Number.isNaN(value) ? nothing : String(value)
    pieces.push(arrays ? `[${key},${number}]` : `"${key}":${number}`)
  }
  return arrays ? `[${pieces.join(',')}]` : `{${pieces.join(',')}}`
}

function shownQuery(sub: SubQuery): unknown {
  const { raw } = sub
  return {
    aggregator: raw.aggregator ?? null,
    metric: raw.metric ?? null,
    tsuids: raw.tsuids.length > 0 ? raw.tsuids : null,
    downsample: raw.downsample ?? null,
    rate: raw.rate,
    filters: raw.filters.map(({ tagk, filter, groupBy, type }) => ({
      tagk,
      filter,
      group_by: groupBy,
      type,
    })),
    rateOptions: raw.rate ? raw.rateOptions : null,
    explicitTags: raw.explicitTags,
    index: sub.index,
  }
}
