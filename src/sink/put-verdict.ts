import { pointKey } from './data-point.ts'
import type { DataPoint, PointOutcome } from './sink.ts'

/** What an answer to `POST /api/put?sync&details&sync_timeout` says about the points that were sent. */
export type PutVerdict =
  /** One outcome per point. */
  | { readonly kind: 'points'; readonly outcomes: readonly PutOutcome[] }
  /** Something in the batch made the server refuse all of it, and nothing was stored: find out what by halving it. */
  | { readonly kind: 'halve'; readonly reason: string }
  /** Nothing is known about any single point, or nothing was stored: the whole batch again. */
  | { readonly kind: 'again'; readonly reason: string; readonly unknown: boolean }

/** `doubtful`: trouble of the store says so, but a point that it will never take says the same. */
export type PutOutcome = PointOutcome | { readonly kind: 'doubtful'; readonly reason: string }

const written: PutOutcome = { kind: 'written' }

/** Trouble of the storage behind the TSD; the point may be written later all the same. Anything else is the point's own fault. */
const storageTrouble = /storage exception|write timed ?out|please throttle|timeout exception/i
const doubtful = /unexpected exception/i
/** The whole batch was refused for its form, before anything was stored. */
const badForm = /unable to parse the given json|no datapoints found|must start as an object/i
/** Answers without a word about single points; some were stored. */
const someFailed = /put call has timed ?out|one or more data points had errors/i

/** Reads an answer. Truth table: measured on OpenTSDB 2.4.1, see test/unit/sink/put-verdict.test.ts. */
export function putVerdict(points: readonly DataPoint[], status: number, body: string): PutVerdict {
  // The only answer without details that is a promise: it is sent when the storage has acknowledged all.
  if (status === 204) return { kind: 'points', outcomes: points.map(() => written) }
  const answer = parse(body)
  if (status === 200 || status === 400) {
    if (answer !== undefined && 'success' in answer) return details(points, answer)
    const message = errorMessage(answer)
    if (status === 200 || message === undefined) return again(status, body, true)
    if (someFailed.test(message)) return { kind: 'again', reason: message, unknown: true }
    if (badForm.test(message)) return { kind: 'halve', reason: message }
    if (storageTrouble.test(message) || doubtful.test(message)) {
      return { kind: 'again', reason: message, unknown: true }
    }
    return { kind: 'halve', reason: message }
  }
  if (status === 413) return { kind: 'halve', reason: 'HTTP 413: the request is too large' }
  // 429 and 503 say that the request was not worked on; other 4xx come from something that is no TSD, or one set up otherwise.
  const unknown = status >= 500 && status !== 503
  return again(status, errorMessage(answer) ?? body, unknown)
}

function again(status: number, text: string, unknown: boolean): PutVerdict {
  return { kind: 'again', reason: `HTTP ${status}${excerpt(text)}`, unknown }
}

function details(points: readonly DataPoint[], answer: Record<string, unknown>): PutVerdict {
  const success = count(answer.success)
  const failed = count(answer.failed)
  const timeouts = count(answer.timeouts)
  const errors = Array.isArray(answer.errors) ? (answer.errors as unknown[]) : []
  const bad = failed + timeouts
  if (bad === 0 && success === points.length) {
    return { kind: 'points', outcomes: points.map(() => written) }
  }
  const tally = `${success} stored, ${failed} failed, ${timeouts} timed out of ${points.length}`
  const unclear: PutVerdict = { kind: 'again', reason: tally, unknown: true }
  if (success + bad !== points.length || bad !== errors.length) return unclear

  const indexes = new Map<string, number[]>()
  points.forEach((point, i) => {
    const key = pointKey(point)
    indexes.set(key, [...(indexes.get(key) ?? []), i])
  })
  const outcomes: PutOutcome[] = points.map(() => written)
  for (const error of errors) {
    const { key, reason } = readError(error)
    const index = key === undefined ? undefined : indexes.get(key)?.pop()
    if (index === undefined) return { ...unclear, reason: `${tally}: ${reason}` }
    outcomes[index] = outcomeOf(reason)
  }
  return { kind: 'points', outcomes }
}

function outcomeOf(reason: string): PutOutcome {
  if (storageTrouble.test(reason)) return { kind: 'retry', reason, unknown: true }
  return doubtful.test(reason) ? { kind: 'doubtful', reason } : { kind: 'refused', reason }
}

/** The point that an element of `errors` is about, as a `pointKey`, and why. */
function readError(error: unknown): { readonly key: string | undefined; readonly reason: string } {
  if (!isObject(error)) return { key: undefined, reason: 'an error without text' }
  const reason = typeof error.error === 'string' ? error.error : 'an error without text'
  const point = error.datapoint
  if (!isObject(point) || !isObject(point.tags) || typeof point.metric !== 'string') {
    return { key: undefined, reason }
  }
  const tags = Object.fromEntries(
    Object.entries(point.tags).map(([name, value]) => [name, String(value)]),
  )
  const timestamp = Number(point.timestamp)
  const key = pointKey({
    metric: point.metric,
    tags,
    timestamp,
    value: 0,
    incarnation: 0,
    revision: 0,
  })
  return { key, reason }
}

/** `{"error":{"code":400,"message":"…","details":"…"}}` */
function errorMessage(answer: Record<string, unknown> | undefined): string | undefined {
  const error = answer?.error
  if (!isObject(error) || typeof error.message !== 'string') return undefined
  return error.message
}

function parse(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : 0
}

function excerpt(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim().slice(0, 200)
  return line === '' ? '' : `: ${line}`
}
