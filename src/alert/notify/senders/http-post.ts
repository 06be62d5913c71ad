import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import axios, { type AxiosInstance } from 'axios'
import type { SendResult } from '../notifier.ts'

export interface HttpAnswer {
  readonly kind: 'answer'
  readonly status: number
  readonly body: string
  /** Headers by lower-case name. */
  readonly header: (name: string) => string | undefined
}

export interface NoAnswer {
  readonly kind: 'none'
  readonly reason: string
  /** The request may have been taken all the same. */
  readonly unknown: boolean
}

const maxAnswerBytes = 1024 * 1024
/** The request surely never got to the server. */
const neverReached: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])
/** A receiver that asks for more is asked earlier. */
const maxRetryAfterMs = 600_000
const longestTimeoutMs = 60_000

/**
 * Wait for an answer. A receiver that was too slow gets three times as long the next time: one that takes each message, slowly, would
 * otherwise get it again and again.
 */
export function timeoutFor(timeoutMs: number, attempt: number): number {
  return Math.min(Math.max(timeoutMs, longestTimeoutMs), timeoutMs * 3 ** Math.min(attempt, 10))
}

/** POST to one place, judged by the caller; no answer is a result too. The address is never in a reason: it may hold a token. */
export class HttpPost {
  readonly #url: string
  readonly #http: AxiosInstance
  readonly #agent: HttpAgent

  constructor(url: string) {
    this.#url = url
    this.#agent = url.startsWith('https:')
      ? new HttpsAgent({ keepAlive: true })
      : new HttpAgent({ keepAlive: true })
    this.#http = axios.create({
      httpAgent: this.#agent,
      httpsAgent: this.#agent,
      maxRedirects: 0,
      maxContentLength: maxAnswerBytes,
      responseType: 'text',
      transformRequest: [(data: unknown) => data],
      transformResponse: [(data: unknown) => data],
      validateStatus: () => true,
    })
  }

  async post(
    body: string,
    headers: Readonly<Record<string, string>>,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<HttpAnswer | NoAnswer> {
    // Not axios' own timeout: that one begins anew with every byte of a slow answer.
    const over = new AbortController()
    const end = () => over.abort()
    const timer = setTimeout(end, timeoutMs)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    try {
      const answer = await this.#http.post<unknown>(this.#url, Buffer.from(body), {
        signal: over.signal,
        headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
      })
      return {
        kind: 'answer',
        status: answer.status,
        body: typeof answer.data === 'string' ? answer.data : '',
        header: (name) => {
          const value: unknown = answer.headers[name]
          return typeof value === 'string' ? value : undefined
        },
      }
    } catch (cause) {
      if (signal.aborted) return { kind: 'none', reason: 'stopped', unknown: true }
      if (over.signal.aborted) {
        return { kind: 'none', reason: `no answer in ${timeoutMs} ms`, unknown: true }
      }
      const code = codeOf(cause)
      return { kind: 'none', reason: `no answer: ${code}`, unknown: !neverReached.has(code) }
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
    }
  }

  close(): Promise<void> {
    this.#agent.destroy()
    return Promise.resolve()
  }
}

/** How an HTTP API without codes of its own is understood. */
export function judgeByStatus(answer: HttpAnswer | NoAnswer): SendResult {
  if (answer.kind === 'none') return { ...answer, kind: 'again' }
  const { status } = answer
  if (status >= 200 && status < 300) return { kind: 'sent' }
  const reason = `HTTP ${status} ${firstLine(answer.body)}`.trimEnd()
  // A server that failed may have failed after it took the message.
  if (status >= 500) return { kind: 'again', reason, unknown: true, ...after(answer) }
  if (status === 408 || status === 425 || status === 429) {
    return { kind: 'again', reason, unknown: false, ...after(answer) }
  }
  return status === 400 || status === 413 || status === 422
    ? { kind: 'refused', reason }
    : { kind: 'blocked', reason }
}

/** Retry-After in seconds or as a date. */
export function after(answer: HttpAnswer): { readonly afterMs?: number } {
  const text = answer.header('retry-after')?.trim() ?? ''
  if (text === '') return {}
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now()
  return Number.isFinite(ms) ? { afterMs: Math.min(Math.max(0, ms), maxRetryAfterMs) } : {}
}

export const firstLine = (text: string): string => text.split('\n', 1)[0]?.slice(0, 200) ?? ''

function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'failed'
  if ('code' in cause && typeof cause.code === 'string') return cause.code
  return cause.name
}
