import type { StoreAnswer } from './http-answer.ts'

/** Numbers that differ by less than this part of the larger one are the same. */
const TOLERANCE = 1e-9

/** Where two answers differ, in words; undefined when they say the same. The order of series and of names has no meaning. */
export function answerDifference(
  one: StoreAnswer,
  other: StoreAnswer,
  ignoredFields: readonly string[],
): string | undefined {
  if (one.status !== other.status) return `status ${one.status} and ${other.status}`
  return difference(one.body, other.body, '$', ignoredFields)
}

function difference(
  one: unknown,
  other: unknown,
  path: string,
  ignored: readonly string[],
): string | undefined {
  if (typeof one === 'number' && typeof other === 'number') {
    const apart = Math.abs(one - other)
    const near = apart <= TOLERANCE * Math.max(1e-300, Math.abs(one), Math.abs(other))
    return near ? undefined : `${path}: ${one} and ${other}`
  }
  if (Array.isArray(one) && Array.isArray(other)) {
    if (one.length !== other.length) return `${path}: ${one.length} and ${other.length} entries`
    const [left, right] = [ordered(one), ordered(other)]
    for (const [at, entry] of left.entries()) {
      const found = difference(entry, right[at], `${path}[${at}]`, ignored)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (isObject(one) && isObject(other)) {
    const keys = (value: object) => Object.keys(value).filter((key) => !ignored.includes(key))
    const [left, right] = [keys(one).sort(), keys(other).sort()]
    if (left.join() !== right.join()) return `${path}: fields ${left} and ${right}`
    for (const key of left) {
      const found = difference(one[key], other[key], `${path}.${key}`, ignored)
      if (found !== undefined) return found
    }
    return undefined
  }
  return Object.is(one, other)
    ? undefined
    : `${path}: ${JSON.stringify(one)} and ${JSON.stringify(other)}`
}

/** Pairs of time and value keep their order; series are ordered by their tags, names by themselves. */
function ordered(entries: readonly unknown[]): readonly unknown[] {
  if (entries.some((entry) => Array.isArray(entry) || typeof entry === 'number')) return entries
  return [...entries].sort((left, right) => (identity(left) < identity(right) ? -1 : 1))
}

function identity(entry: unknown): string {
  if (!isObject(entry)) return JSON.stringify(entry)
  const { metric, tags, error, key } = entry
  const pairs = isObject(tags) ? Object.entries(tags).sort() : []
  return JSON.stringify([
    metric,
    pairs,
    error,
    key,
    isObject(entry.dps) ? Object.keys(entry.dps) : 0,
  ])
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
