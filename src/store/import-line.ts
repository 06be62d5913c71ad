import type { StorePoint } from './point-store.ts'

/**
 * A line of OpenTSDB's import format, which is a telnet `put` without that word: `metric timestamp value key=value …`. Timestamps of
 * up to ten digits are seconds, longer ones ms.
 */
export interface ImportLine {
  readonly metric: string
  readonly timestamp: string
  readonly value: string
  readonly tags: Readonly<Record<string, string>>
}

/** The parts of a line, not judged; undefined for an empty one. */
export function parseImportLine(line: string): ImportLine | undefined {
  const words = line.trim().split(/\s+/)
  if (words[0] === 'put') words.shift()
  const [metric = '', timestamp = '', value = '', ...tags] = words
  if (metric === '') return undefined
  return {
    metric,
    timestamp,
    value,
    tags: Object.fromEntries(
      tags.map((tag) => {
        const equals = tag.indexOf('=')
        return equals < 0 ? [tag, ''] : [tag.slice(0, equals), tag.slice(equals + 1)]
      }),
    ),
  }
}

/** The line of a point. Fractions keep every digit; seconds are written as seconds. */
export function formatImportLine(
  point: Pick<StorePoint, 'metric' | 'timeMs' | 'value' | 'integer'>,
  tags: Iterable<readonly [string, string]>,
): string {
  const { metric, timeMs, value, integer } = point
  const time = timeMs % 1_000 === 0 ? timeMs / 1_000 : timeMs
  const digits = integer ? BigInt(value).toString() : String(value)
  // An integer is another encoding: OpenTSDB can't overwrite one with the other.
  const text = integer || /[.e]/.test(digits) ? digits : `${digits}.0`
  return `${metric} ${time} ${text}${Array.from(tags, ([key, one]) => ` ${key}=${one}`).join('')}`
}
