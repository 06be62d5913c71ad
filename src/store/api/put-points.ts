import { UNVERSIONED } from '../point-columns.ts'
import type { StorePoint } from '../point-store.ts'
import { isJsonObject, type JsonObject, unparsable } from '../query/query-json.ts'
import { RequestRefused } from '../request-refused.ts'

/** What became of one entry of a put: a point for the store, or the reason why not and the entry as it was understood. */
export type PutVerdict =
  | { readonly kind: 'good'; readonly point: StorePoint }
  | { readonly kind: 'bad'; readonly error: string; readonly datapoint: EchoedPoint | null }

/** An entry as the answer with `details` shows it; fields that it lacks are left out. */
export interface EchoedPoint {
  readonly metric?: string
  readonly timestamp: number
  readonly value?: string
  readonly tags?: Readonly<Record<string, string | null>>
}

const MAX_TAGS = 8

/** Longer names are refused, so that one broken client can't fill the index. */
const MAX_NAME_LENGTH = 1_024

/** Timestamps of up to ten digits are seconds, of up to 13 milliseconds. */
const LAST_SECOND = 9_999_999_999
const LAST_MS = 9_999_999_999_999

/**
 * The entries of a parsed put body, each with its verdict. A wrong JSON type refuses the whole body, a wrong value only its entry.
 * @throws RequestRefused
 */
export function judgePut(body: unknown): PutVerdict[] {
  const entries: readonly unknown[] = Array.isArray(body) ? body : [body]
  if (entries.length === 0) throw new RequestRefused(400, 'No datapoints found in content')
  return entries.map(understood).map(judge)
}

/** An entry whose fields have the right types. */
interface Entry {
  readonly metric: string | null
  readonly timestamp: number
  readonly value: string | null
  readonly tags: ReadonlyMap<string, string | null> | null
}

function understood(entry: unknown): Entry | null {
  if (entry === null) return null
  if (!isJsonObject(entry)) throw unparsable('a data point is an object')
  return {
    metric: textField(entry, 'metric'),
    timestamp: timestampField(entry),
    value: textField(entry, 'value'),
    tags: tagsField(entry),
  }
}

function textField(entry: JsonObject, field: string): string | null {
  const value = entry[field]
  if (value === undefined || value === null) return null
  if (typeof value === 'object') throw unparsable(`"${field}" is a text or a number`)
  return String(value)
}

function timestampField(entry: JsonObject): number {
  const value = entry.timestamp
  if (value === undefined || value === null || value === '') return 0
  if (typeof value === 'number') return Math.trunc(value)
  if (typeof value === 'string' && /^\s*[+-]?\d{1,18}\s*$/.test(value)) return Number(value)
  throw unparsable('"timestamp" is a whole number')
}

function tagsField(entry: JsonObject): ReadonlyMap<string, string | null> | null {
  const tags = entry.tags
  if (tags === undefined || tags === null) return null
  if (!isJsonObject(tags)) throw unparsable('"tags" is an object')
  return new Map(Object.keys(tags).map((key) => [key, textField(tags, key)]))
}

function judge(entry: Entry | null): PutVerdict {
  if (entry === null) {
    const error = 'Unexpected null datapoint encountered in set.'
    return { kind: 'bad', error, datapoint: null }
  }
  const bad = (error: string): PutVerdict => ({ kind: 'bad', error, datapoint: echo(entry) })
  const { metric, timestamp, value, tags } = entry
  if (!metric) return bad('Metric name was empty')
  if (timestamp <= 0) return bad('Invalid timestamp')
  if (!value) return bad('Empty value')
  if (tags === null || tags.size === 0) return bad('Missing tags')
  const number = parseValue(value)
  if (number === undefined) return bad('Unable to parse value to a number')
  if (!Number.isFinite(number)) {
    return bad(`value is NaN or Infinite: ${number} for metric=${metric} timestamp=${timestamp}`)
  }
  if (timestamp > LAST_MS) return bad(`bad timestamp=${timestamp} for metric=${metric}`)
  const trouble = nameTrouble(metric, tags)
  if (trouble !== undefined) return bad(trouble)
  return {
    kind: 'good',
    point: {
      metric,
      tags: Object.fromEntries([...tags].map(([key, text]) => [key, text ?? ''])),
      timeMs: timestamp > LAST_SECOND ? timestamp : timestamp * 1_000,
      value: number,
      integer: looksLikeInteger(value),
      incarnation: UNVERSIONED,
      revision: 0,
    },
  }
}

function echo({ metric, timestamp, value, tags }: Entry): EchoedPoint {
  return {
    ...(metric === null ? {} : { metric }),
    timestamp,
    ...(value === null ? {} : { value }),
    ...(tags === null ? {} : { tags: Object.fromEntries(tags) }),
  }
}

function looksLikeInteger(text: string): boolean {
  return !/[.eE]/.test(text)
}

/** Undefined when the text is no number of OpenTSDB's: a 64-bit integer or a decimal with an optional exponent. */
function parseValue(text: string): number | undefined {
  if (looksLikeInteger(text)) {
    if (!/^[+-]?\d{1,19}$/.test(text)) return undefined
    const exact = BigInt(text.replace('+', ''))
    return exact === BigInt.asIntN(64, exact) ? Number(exact) : undefined
  }
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined
}

/** What is wrong with the names of a point, as OpenTSDB says it; undefined when nothing is. */
export function nameTrouble(
  metric: string,
  tags: ReadonlyMap<string, string | null>,
): string | undefined {
  if (tags.size > MAX_TAGS) {
    const shown = [...tags].map(([key, value]) => `${key}=${value}`).join(', ')
    return `Too many tags: ${tags.size} maximum allowed: ${MAX_TAGS}, tags: {${shown}}`
  }
  let trouble = oneNameTrouble('metric name', metric)
  for (const [key, value] of tags) {
    trouble ??= oneNameTrouble(`tag name with value [${value}]`, key)
    trouble ??= oneNameTrouble(`tag value with key [${key}]`, value)
  }
  return trouble
}

function oneNameTrouble(what: string, name: string | null): string | undefined {
  if (name === null) return `Invalid ${what}: null`
  if (name === '') return `Invalid ${what}: empty string`
  // Letters of every script, with the marks and digits that belong to them: OpenTSDB takes the letters only, and corrupts them.
  const illegal = /[^-_./\p{L}\p{M}\p{N}]/u.exec(name)
  if (illegal !== null) return `Invalid ${what} ("${name}"): illegal character: ${illegal[0]}`
  if (name.length > MAX_NAME_LENGTH) {
    return `Invalid ${what}: longer than ${MAX_NAME_LENGTH} characters`
  }
  return undefined
}
