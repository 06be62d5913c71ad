import axios, { type AxiosInstance } from 'axios'
import type { VerdictNote, VerdictNotes } from '../alert/verdict-notes.ts'
import { type BackoffPolicy, fullJitter } from '../core/backoff.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { durationMs } from '../core/time.ts'

export interface OpentsdbNotesOptions {
  readonly sink: string
  /** Base URL of the TSD, without a slash at its end. */
  readonly url: string
  readonly timeoutMs: number
  readonly headers: Readonly<Record<string, string>>
  /** Names of all metrics, in the order of the config. */
  readonly metrics: readonly string[]
  /** Asked before each request. */
  readonly mayWrite: () => boolean
}

/** The body of `POST /api/annotation`. Source: http://opentsdb.net/docs/build/html/api_http/annotation/index.html */
interface GlobalAnnotation {
  /** Epoch seconds. */
  readonly startTime: number
  readonly endTime: number
  readonly description: string
  readonly notes: string
  readonly custom: { readonly id: string }
}

/** Notes that wait for a TSD at most; the oldest go. */
const maxWaiting = 1_000
/** Series that one note names. */
const maxNamed = 5
const retry: BackoffPolicy = { initialMs: durationMs(1_000), maxMs: durationMs(60_000) }

/**
 * Verdicts as global annotations of an OpenTSDB: one for each metric and window, so that Grafana's OpenTSDB data source shows them on any
 * chart. A TSD keeps one annotation for each second: metric k of a config takes second k of the window. What a TSD does not take
 * is sent again until it does, the newest word on a window last; the verdicts themselves are in the state.
 */
export class OpentsdbNotes implements VerdictNotes {
  readonly #options: OpentsdbNotesOptions
  readonly #telemetry: Telemetry
  readonly #http: AxiosInstance
  readonly #stop = new AbortController()
  /** By metric and window; in the order in which they came. */
  readonly #waiting = new Map<string, GlobalAnnotation>()
  #sending: Promise<void> | undefined

  constructor(options: OpentsdbNotesOptions, telemetry: Telemetry) {
    this.#options = options
    this.#telemetry = telemetry
    this.#http = axios.create({
      baseURL: options.url,
      timeout: options.timeoutMs,
      headers: options.headers,
      proxy: false,
      signal: this.#stop.signal,
    })
  }

  add(notes: readonly VerdictNote[]): void {
    for (const [id, annotation] of annotationsOf(notes, this.#options.metrics)) {
      this.#waiting.delete(id)
      this.#waiting.set(id, annotation)
    }
    for (const id of this.#waiting.keys()) {
      if (this.#waiting.size <= maxWaiting) break
      this.#waiting.delete(id)
    }
    if (this.#waiting.size === 0) return
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined
    })
  }

  /** Resolves when nothing is being sent; what waits is dropped. */
  async close(): Promise<void> {
    this.#waiting.clear()
    this.#stop.abort()
    await this.#sending
  }

  async #send(): Promise<void> {
    const { logger, clock } = this.#telemetry
    const { sink } = this.#options
    let attempt = 0
    for (;;) {
      const [next] = this.#waiting
      if (next === undefined || this.#stop.signal.aborted) return
      const [id, annotation] = next
      const failure = await this.#post(annotation)
      if (failure === undefined) {
        attempt = 0
        if (this.#waiting.get(id) === annotation) this.#waiting.delete(id)
        continue
      }
      if (attempt === 0)
        logger.warn({ sink, ...failure }, 'a verdict could not be noted in OpenTSDB')
      if (failure.isRefused) {
        this.#waiting.delete(id)
        continue
      }
      const waitMs = fullJitter(retry, attempt++, Math.random())
      await clock.sleep(waitMs, this.#stop.signal).catch(() => {})
    }
  }

  /** undefined: the TSD took it. */
  async #post(
    annotation: GlobalAnnotation,
  ): Promise<{ readonly error: string; readonly isRefused: boolean } | undefined> {
    if (!this.#options.mayWrite()) return { error: 'another Warden leads', isRefused: true }
    try {
      await this.#http.post('/api/annotation', annotation)
      return undefined
    } catch (cause) {
      const status = axios.isAxiosError(cause) ? cause.response?.status : undefined
      const isRefused = status !== undefined && status >= 400 && status < 500 && status !== 429
      const error = status === undefined ? String(cause) : `it answered ${status}`
      return { error, isRefused }
    }
  }
}

/** One for each metric and window, by an id of both. */
function annotationsOf(
  notes: readonly VerdictNote[],
  metrics: readonly string[],
): Map<string, GlobalAnnotation> {
  const groups = new Map<string, VerdictNote[]>()
  for (const note of notes) {
    const id = `verdict ${note.metric} ${note.windowStart}`
    groups.set(id, [...(groups.get(id) ?? []), note])
  }
  const annotations = new Map<string, GlobalAnnotation>()
  for (const [id, group] of groups) {
    const note = group.at(-1)
    if (note === undefined) continue
    const { metric, windowStart, windowEnd, value, reason } = note
    const second =
      Math.max(1, Math.floor(windowStart / 1_000)) + Math.max(0, metrics.indexOf(metric))
    const named = group.flatMap(({ tags }) => (tags === undefined ? [] : [textOf(tags)]))
    const more = named.length > maxNamed ? `; and ${named.length - maxNamed} more` : ''
    const series = named.length === 0 ? '' : ` ${named.slice(0, maxNamed).join('; ')}${more}`
    annotations.set(id, {
      startTime: second,
      endTime: Math.max(second, Math.floor(windowEnd / 1_000)),
      description: `${metric}: ${value}${series}`,
      notes: reason,
      custom: { id },
    })
  }
  return annotations
}

const textOf = (tags: Readonly<Record<string, string>>): string =>
  Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
