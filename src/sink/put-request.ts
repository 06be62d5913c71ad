import type { DataPoint } from './sink.ts'

/**
 * A value as OpenTSDB must see it: always with a decimal point, so that every write of a point has the same encoding (8-byte
 * double) and overwrites the one before. `5` and `5.5` would be two columns, and every query of the row would fail.
 */
export function putValue(value: number): string {
  // Rounds to the same double at the store: JavaScript prints the shortest digits that do.
  const text = String(Object.is(value, -0) ? 0 : value)
  const exponentAt = text.indexOf('e')
  if (exponentAt < 0) return text.includes('.') ? text : `${text}.0`
  const digits = text.slice(0, exponentAt)
  const exponent = text.slice(exponentAt + 1).replace('+', '')
  return `${digits.includes('.') ? digits : `${digits}.0`}E${exponent}`
}

/** The points as `/api/put` takes them, a JSON array. */
export function putBody(points: readonly DataPoint[]): string {
  let body = ''
  for (const { metric, timestamp, value, tags } of points) {
    body += body === '' ? '[' : ','
    body += `{"metric":${JSON.stringify(metric)},"timestamp":${timestamp},"value":"${putValue(value)}","tags":${JSON.stringify(tags)}}`
  }
  return `${body}]`
}
