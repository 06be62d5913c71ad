import type { StoreRequest } from './http-answer.ts'
import { DAY, HOUR } from './opentsdb-points.ts'

/** One request that a real OpenTSDB and the embedded store are both asked. */
export interface CompatRequest extends StoreRequest {
  readonly name: string
  /** Why the answers differ; without it they must be the same. */
  readonly differs?: string
}

/** Twelve hours of the data. */
export const range = `start=${DAY}&end=${DAY + 12 * HOUR}`
export const get = (name: string, m: string, more = '', times = range): CompatRequest => ({
  name,
  path: `/api/query?${times}&m=${encodeURIComponent(m)}${more}`,
})
export const post = (name: string, sub: object, more: object = {}): CompatRequest => ({
  name,
  path: '/api/query',
  body: { start: DAY, end: DAY + 12 * HOUR, queries: [sub], ...more },
})
