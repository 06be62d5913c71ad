import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import axios, { type AxiosInstance } from 'axios'
import { pointKey } from './data-point.ts'
import { putBody } from './put-request.ts'
import { type PutOutcome, type PutVerdict, putVerdict } from './put-verdict.ts'
import type { DataPoint, PointOutcome, Sink, WriteResult } from './sink.ts'

export interface OpentsdbSinkOptions {
  readonly name: string
  /** Base URL of the TSD, without a slash at its end. */
  readonly url: string
  /** Longest wait for an answer, ms. */
  readonly timeoutMs: number
  /** The TSD's own wait for its storage, ms; below `timeoutMs`, so that it can answer what became of each point. */
  readonly syncTimeoutMs: number
  readonly connections: number
  /** Sent with every request, e.g. `Authorization`. */
  readonly headers: Readonly<Record<string, string>>
  /** Bodies of at least so many bytes are compressed. */
  readonly gzipFromBytes: number
  /** A connection that was idle for so long, ms, is closed and not used again. */
  readonly idleMs: number
  /** Asked right before each request; while it says no, nothing is sent. */
  readonly mayWrite: () => boolean
}

/** Share of the client's timeout that the TSD may wait for its storage. */
const syncShare = 0.8

/** Options of a sink for which nothing else is said. On a fast network compression costs more time than it saves. */
export function opentsdbSinkOptions(
  options: Pick<OpentsdbSinkOptions, 'name' | 'url'> & Partial<OpentsdbSinkOptions>,
): OpentsdbSinkOptions {
  const timeoutMs = options.timeoutMs ?? 30_000
  return {
    timeoutMs,
    syncTimeoutMs: Math.max(1, Math.floor(timeoutMs * syncShare)),
    connections: 4,
    headers: {},
    gzipFromBytes: 256 * 1024,
    idleMs: 4_000,
    mayWrite: () => true,
    ...options,
  }
}

/** Times a point may be doubtful while the store takes others; then it is the point. */
const doubtfulAttempts = 5
const maxDoubts = 10_000
/** A store that asks for more is asked earlier. */
const maxRetryAfterMs = 600_000
/** Smaller bodies are never too large: the smallest limit (`tsd.http.request.max_chunk`) that a TSD comes with. */
const alwaysTakenBytes = 4096

const closedBySender: ReadonlySet<string> = new Set(['EPIPE', 'ECONNRESET'])
/** The request surely never got to the server. */
const neverReached: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])

/** An answer with details about 5,000 points and a Java stack trace each is smaller. */
const maxAnswerBytes = 64 * 1024 * 1024

/** First byte of a gzip stream; JSON begins with another. */
const gzipMagic = 0x1f

const compress = promisify(gzip)

/**
 * OpenTSDB over HTTP. Puts wait for the storage (`sync`) and ask for details, since any other success is no promise. Points that
 * make the server refuse a whole batch are found by halving it.
 */
export class OpentsdbSink implements Sink {
  readonly name: string
  readonly #options: OpentsdbSinkOptions
  readonly #http: AxiosInstance
  readonly #agent: HttpAgent
  readonly #path: string
  /** Point key → how often it was doubtful while the store took others; oldest doubt first. */
  readonly #doubts = new Map<string, { readonly times: number; readonly writtenBefore: number }>()
  /** Points written so far: the store's sign of life. */
  #written = 0
  #closedInARow = 0

  constructor(options: OpentsdbSinkOptions) {
    this.name = options.name
    this.#options = options
    const agentOptions = {
      keepAlive: true,
      maxSockets: options.connections,
      scheduling: 'fifo',
      // Shorter than the 5 s after which servers in front of a TSD close (Node, Apache): a put on a connection that is just
      // being closed has no known outcome.
      timeout: options.idleMs,
    } as const
    this.#agent = options.url.startsWith('https:')
      ? new HttpsAgent(agentOptions)
      : new HttpAgent(agentOptions)
    this.#path = `${options.url}/api/put?sync&details&sync_timeout=${options.syncTimeoutMs}`
    this.#http = axios.create({
      httpAgent: this.#agent,
      httpsAgent: this.#agent,
      // The TSD is named in the config: variables of the environment don't send points elsewhere.
      proxy: false,
      maxRedirects: 0,
      maxBodyLength: Number.POSITIVE_INFINITY,
      maxContentLength: maxAnswerBytes,
      responseType: 'text',
      transformRequest: [(data: unknown) => data],
      transformResponse: [(data: unknown) => data],
      validateStatus: () => true,
      headers: { ...options.headers, 'Content-Type': 'application/json; charset=UTF-8' },
    })
  }

  async write(points: readonly DataPoint[], signal: AbortSignal): Promise<WriteResult> {
    const batch = new Batch(points)
    await this.#put(batch, 0, points.length, signal)
    return this.#judge(batch)
  }

  close(): Promise<void> {
    this.#agent.destroy()
    return Promise.resolve()
  }

  /** Sends `points[from…to)`; halves again and again what the server refuses as a whole. */
  async #put(batch: Batch, from: number, to: number, signal: AbortSignal): Promise<void> {
    if (from === to) return
    const points = batch.points.slice(from, to)
    const verdict = batch.givenUp ?? (await this.#post(points, batch, signal))
    if (verdict.kind === 'points') {
      batch.set(from, verdict.outcomes)
      return
    }
    if (verdict.kind === 'again') {
      // The store is in trouble: the rest of the batch would only wait for the same answer.
      batch.givenUp = verdict
      const { reason, unknown } = verdict
      batch.set(
        from,
        points.map(() => ({ kind: 'retry', reason, unknown })),
      )
      return
    }
    if (points.length === 1) {
      batch.set(from, [{ kind: 'refused', reason: verdict.reason }])
      return
    }
    const middle = from + Math.floor(points.length / 2)
    await this.#put(batch, from, middle, signal)
    await this.#put(batch, middle, to, signal)
  }

  async #post(
    points: readonly DataPoint[],
    batch: Batch,
    signal: AbortSignal,
  ): Promise<PutVerdict> {
    const { timeoutMs } = this.#options
    // Not axios' own timeout: that one begins anew with every byte of a slow answer.
    const over = new AbortController()
    const end = () => over.abort()
    const timer = setTimeout(end, timeoutMs)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    const body = await this.#encode(points)
    const zipped = body.length > 1 && body[0] === gzipMagic
    try {
      // Packing takes time, in which the right to write may have ended.
      if (!this.#options.mayWrite()) {
        return { kind: 'again', reason: 'nothing may be written now', unknown: false }
      }
      const answer = await this.#http.post<unknown>(this.#path, body, {
        signal: over.signal,
        headers: zipped ? { 'Content-Encoding': 'gzip' } : {},
      })
      this.#closedInARow = 0
      batch.retryAfterMs = retryAfter(answer.headers['retry-after']) ?? batch.retryAfterMs
      return putVerdict(points, answer.status, typeof answer.data === 'string' ? answer.data : '')
    } catch (cause) {
      if (signal.aborted) return { kind: 'again', reason: 'stopped', unknown: true }
      if (over.signal.aborted) {
        return { kind: 'again', reason: `no answer in ${timeoutMs} ms`, unknown: true }
      }
      return this.#broken(cause, body.length, batch)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
    }
  }

  #broken(cause: unknown, bytes: number, batch: Batch): PutVerdict {
    const { code, message } = describe(cause)
    const reason = `no answer: ${message}`
    // A server closes the connection on a body it finds too large, and does so again; a connection that just broke works again.
    if (closedBySender.has(code) && bytes > alwaysTakenBytes) {
      this.#closedInARow++
      batch.tooLarge ||= this.#closedInARow > 1
      if (batch.tooLarge) return { kind: 'halve', reason }
    }
    return { kind: 'again', reason, unknown: !neverReached.has(code) }
  }

  async #encode(points: readonly DataPoint[]): Promise<Buffer> {
    const body = Buffer.from(putBody(points))
    if (body.length < this.#options.gzipFromBytes) return body
    return compress(body, { level: constants.Z_BEST_SPEED })
  }

  /** Outcomes for the caller; gives up on doubtful points when the store took others often enough meanwhile. */
  #judge(batch: Batch): WriteResult {
    const taken = batch.outcomes.filter((outcome) => outcome.kind === 'written').length
    this.#written += taken
    let storeFailed = false
    const outcomes = batch.outcomes.map((outcome, i): PointOutcome => {
      const point = batch.points[i]
      if (point === undefined)
        throw new RangeError(`an outcome for point ${i} of ${batch.points.length}`)
      if (outcome.kind !== 'doubtful') {
        if (outcome.kind === 'retry') storeFailed = true
        else if (this.#doubts.size > 0) this.#doubts.delete(pointKey(point))
        return outcome
      }
      const key = pointKey(point)
      const times = this.#doubt(key, taken)
      if (times >= doubtfulAttempts) {
        this.#doubts.delete(key)
        return { kind: 'refused', reason: `${outcome.reason} (${times} times, others were stored)` }
      }
      if (times <= 1) storeFailed = true
      return { kind: 'retry', reason: outcome.reason, unknown: true }
    })
    return { outcomes, retryAfterMs: batch.retryAfterMs, failed: taken === 0 && storeFailed }
  }

  /** How often the point was doubtful while the store took others; at least 1. */
  #doubt(key: string, takenWithIt: number): number {
    const known = this.#doubts.get(key)
    const alive = known !== undefined && this.#written > known.writtenBefore
    const times = known === undefined ? (takenWithIt > 0 ? 2 : 1) : known.times + (alive ? 1 : 0)
    this.#doubts.delete(key)
    this.#doubts.set(key, { times, writtenBefore: this.#written })
    const [oldest] = this.#doubts.keys()
    if (this.#doubts.size > maxDoubts && oldest !== undefined) this.#doubts.delete(oldest)
    return times
  }
}

/** A batch while it is being put. */
class Batch {
  readonly points: readonly DataPoint[]
  readonly outcomes: PutOutcome[]
  retryAfterMs: number | undefined
  /** The server closes the connection on it: halves are halved at once. */
  tooLarge = false
  /** The store's trouble, after which no more of the batch is sent. */
  givenUp: PutVerdict | undefined

  constructor(points: readonly DataPoint[]) {
    this.points = points
    this.outcomes = points.map(() => ({ kind: 'retry', reason: 'not sent', unknown: false }))
  }

  set(from: number, outcomes: readonly PutOutcome[]): void {
    outcomes.forEach((outcome, i) => {
      this.outcomes[from + i] = outcome
    })
  }
}

/** Retry-After in seconds or as a date, in ms. */
function retryAfter(header: unknown): number | undefined {
  if (typeof header !== 'string' || header.trim() === '') return undefined
  const seconds = Number(header)
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), maxRetryAfterMs) : undefined
}

function describe(cause: unknown): { readonly code: string; readonly message: string } {
  if (!(cause instanceof Error)) return { code: '', message: String(cause) }
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
  // Node tries all addresses of a name, and then has a message for each but none for all.
  const message = cause.message === '' ? code : cause.message
  return { code, message }
}
