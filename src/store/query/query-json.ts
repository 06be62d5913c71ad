import { RequestRefused } from '../request-refused.ts'
import { DEFAULT_COUNTER_MAX, plainRate, type RateOptions } from './rate.ts'
import type { RawQuery, RawSubQuery } from './store-query.ts'
import { type TagFilter, tagFilter, tagFilterOfText } from './tag-filter.ts'

/** A parsed JSON object; nothing is known about its fields. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Why a body whose JSON has the wrong types is refused. */
export function unparsable(details: string): RequestRefused {
  return new RequestRefused(400, 'Unable to parse the given JSON', details)
}

/** The body of POST /api/query. Unknown fields are ignored. @throws RequestRefused */
export function parseQueryJson(body: unknown): RawQuery {
  if (!isJsonObject(body)) throw unparsable('a query is an object')
  return {
    start: text(body, 'start'),
    end: text(body, 'end'),
    timezone: text(body, 'timezone'),
    useCalendar: flag(body, 'useCalendar'),
    msResolution: flag(body, 'msResolution'),
    showQuery: flag(body, 'showQuery'),
    showTsuids: flag(body, 'showTSUIDs'),
    noAnnotations: flag(body, 'noAnnotations'),
    globalAnnotations: flag(body, 'globalAnnotations'),
    delete: flag(body, 'delete'),
    queries: objects(body, 'queries').map(parseSubQuery),
  }
}

function parseSubQuery(sub: JsonObject): RawSubQuery {
  return {
    aggregator: text(sub, 'aggregator'),
    metric: text(sub, 'metric'),
    tsuids: texts(sub, 'tsuids'),
    downsample: text(sub, 'downsample'),
    rate: flag(sub, 'rate'),
    rateOptions: parseRateOptions(sub.rateOptions),
    filters: parseFilters(sub),
    explicitTags: flag(sub, 'explicitTags'),
  }
}

/** Of `tags` and `filters`, in the order in which they come: the later `tags` replaces, as does the later `filters`. */
function parseFilters(sub: JsonObject): TagFilter[] {
  let filters: TagFilter[] = []
  for (const field of Object.keys(sub)) {
    const value = sub[field]
    if (value === null) continue
    if (field === 'tags') {
      if (!isJsonObject(value)) throw unparsable('"tags" is an object')
      filters = Object.keys(value).map((key) => tagFilterOfText(key, text(value, key) ?? '', true))
    } else if (field === 'filters') {
      filters = objects(sub, 'filters').map((filter) =>
        tagFilter(
          text(filter, 'type') ?? '',
          text(filter, 'tagk') ?? '',
          text(filter, 'filter') ?? '',
          flag(filter, 'groupBy') || flag(filter, 'group_by'),
        ),
      )
    }
  }
  return filters
}

function parseRateOptions(value: unknown): RateOptions {
  if (value === undefined || value === null) return plainRate
  if (!isJsonObject(value)) throw unparsable('"rateOptions" is an object')
  return {
    counter: flag(value, 'counter'),
    counterMax: count(value, 'counterMax') ?? DEFAULT_COUNTER_MAX,
    resetValue: count(value, 'resetValue') ?? 0,
    dropResets: flag(value, 'dropResets'),
  }
}

/** A text field; numbers and truth values become text, null and a missing field undefined. @throws RequestRefused */
export function text(object: JsonObject, field: string): string | undefined {
  const value = object[field]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'object') throw unparsable(`"${field}" is a text`)
  return String(value)
}

/** A truth value; a missing one is false. @throws RequestRefused */
export function flag(object: JsonObject, field: string): boolean {
  const value = object[field]
  if (value === undefined || value === null || value === false || value === 'false') return false
  if (value === true || value === 'true') return true
  if (typeof value === 'number') return value !== 0
  throw unparsable(`"${field}" is true or false`)
}

/** A whole number, also as text; fractions are cut off. @throws RequestRefused */
export function count(object: JsonObject, field: string): number | undefined {
  const value = object[field]
  if (value === undefined || value === null || value === '') return undefined
  const number = typeof value === 'string' && /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : value
  if (typeof number !== 'number') throw unparsable(`"${field}" is a whole number`)
  return Math.trunc(number)
}

export function texts(object: JsonObject, field: string): string[] {
  const value = object[field]
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw unparsable(`"${field}" is a list`)
  return value.map((one: unknown) => {
    if (typeof one === 'object') throw unparsable(`"${field}" is a list of texts`)
    return String(one)
  })
}

export function objects(object: JsonObject, field: string): JsonObject[] {
  const value = object[field]
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw unparsable(`"${field}" is a list`)
  return value.map((one: unknown) => {
    if (!isJsonObject(one)) throw unparsable(`"${field}" is a list of objects`)
    return one
  })
}
