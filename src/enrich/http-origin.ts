import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import axios, { type AxiosInstance } from 'axios'
import { WardenError } from '../core/errors.ts'
import { entryOf } from './entry.ts'
import type { Entry, Origin } from './origin.ts'

export interface HttpOriginOptions {
  /** With `{key}`: asked with GET for one key at a time. Else with POST, for a batch: `{"keys": […]}`. */
  readonly url: string
  /** Answers GET with everything; undefined: nothing is read ahead. */
  readonly preloadUrl: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Of an `Authorization: Bearer` header. */
  readonly token: string | undefined
}

const maxAnswerBytes = 64 * 2 ** 20
/** Requests for one key each that are under way at once. */
const atOnce = 16

interface HttpReply {
  readonly status: number
  readonly text: string
}

/** A table behind an HTTP API that speaks JSON. */
export class HttpOrigin implements Origin {
  readonly all?: (limit: number, signal: AbortSignal) => Promise<ReadonlyMap<string, Entry>>
  readonly #options: HttpOriginOptions
  readonly #agent: HttpAgent
  readonly #http: AxiosInstance

  constructor(options: HttpOriginOptions) {
    this.#options = options
    const { url, headers, token, preloadUrl } = options
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
      headers: {
        ...headers,
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
    })
    if (preloadUrl === undefined) return
    this.all = async (limit, signal) => {
      const { text } = this.#judged(await this.#ask('GET', preloadUrl, undefined, signal))
      return new Map([...this.#entriesOf(text)].slice(0, limit))
    }
  }

  async lookup(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Entry>> {
    if (this.#options.url.includes('{key}')) return await this.#lookupEach(keys, signal)
    const body = JSON.stringify({ keys })
    const { text } = this.#judged(await this.#ask('POST', this.#options.url, body, signal))
    const wanted = new Set(keys)
    return new Map([...this.#entriesOf(text)].filter(([key]) => wanted.has(key)))
  }

  close(): Promise<void> {
    this.#agent.destroy()
    return Promise.resolve()
  }

  async #lookupEach(
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Entry>> {
    const entries = new Map<string, Entry>()
    const left = [...keys]
    const work = async () => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        const entry = await this.#lookupOne(key, signal)
        if (entry !== undefined) entries.set(key, entry)
      }
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, keys.length) }, work))
    return entries
  }

  async #lookupOne(key: string, signal: AbortSignal): Promise<Entry | undefined> {
    const url = this.#options.url.replaceAll('{key}', encodeURIComponent(key))
    const reply = await this.#ask('GET', url, undefined, signal)
    if (reply.status === 404) return undefined
    return entryOf(this.#json(this.#judged(reply).text))
  }

  async #ask(
    method: 'GET' | 'POST',
    url: string,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<HttpReply> {
    try {
      const answer = await this.#http.request<unknown>({
        method,
        url,
        signal,
        ...(body === undefined
          ? {}
          : { data: Buffer.from(body), headers: { 'Content-Type': 'application/json' } }),
      })
      return { status: answer.status, text: typeof answer.data === 'string' ? answer.data : '' }
    } catch (cause) {
      signal.throwIfAborted()
      const why = cause instanceof Error ? cause.message : String(cause)
      throw this.#away(`no answer: ${why}`)
    }
  }

  /** Whatever is no success is an outage: behind a proxy nobody knows whose mistake it is, and it often passes. */
  #judged(reply: HttpReply): HttpReply {
    const { status, text } = reply
    if (status >= 200 && status < 300) return reply
    const line = text.split('\n', 1)[0]?.slice(0, 200) ?? ''
    throw this.#away(`HTTP ${status} ${line}`.trimEnd())
  }

  #entriesOf(text: string): Map<string, Entry> {
    const value = this.#json(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.#away('the answer is no JSON object with an entry for each key')
    }
    const entries = new Map<string, Entry>()
    for (const [key, one] of Object.entries(value)) {
      const entry = entryOf(one)
      if (entry !== undefined) entries.set(key, entry)
    }
    return entries
  }

  #json(text: string): unknown {
    try {
      return JSON.parse(text)
    } catch {
      throw this.#away(`the answer is not JSON: ${text.slice(0, 60)}`)
    }
  }

  /** Names the address without its query, which may hold a token. */
  #away(what: string): WardenError {
    const [where] = this.#options.url.split('?', 1)
    return new WardenError('enrich_unreachable', `${where}: ${what}`)
  }
}
