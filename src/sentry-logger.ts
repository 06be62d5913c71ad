import type { Event, Scope } from '@sentry/core'
import type { ServerRuntimeClient } from '@sentry/core/server'
import axios from 'axios'
import type { LogFields, Logger } from './core/telemetry.ts'
import { cleanText, loggable } from './pino-logger.ts'

export interface SentryOptions {
  /** Where errors go: `SENTRY_DSN`. */
  readonly dsn: string
  readonly release: string
  readonly job: string
}

/** A logger whose errors go to Sentry as well. */
export interface SentryLogger {
  readonly logger: Logger
  /** Waits until what was captured is sent, at most for so long. */
  flush(timeoutMs: number): Promise<void>
}

/** One message is captured so often in a minute at most: what repeats is in the log. */
const perMinute = 5
const requestTimeoutMs = 10_000

/**
 * Sends every ERROR line to Sentry, by the core of Sentry's own SDKs, which is loaded here and not before. Fields are cleaned of secrets as
 * they are for the log. A Sentry that is away costs nothing but its events.
 * @throws Error when the DSN can't be read
 */
export async function withSentry(inner: Logger, options: SentryOptions): Promise<SentryLogger> {
  const { createStackParser, createTransport, Scope: SentryScope } = await import('@sentry/core')
  const { ServerRuntimeClient: Client, nodeStackLineParser } = await import('@sentry/core/server')
  const client: ServerRuntimeClient = new Client({
    dsn: options.dsn,
    release: `warden@${options.release}`,
    serverName: options.job,
    platform: 'node',
    runtime: { name: 'node', version: process.version },
    integrations: [],
    stackParser: createStackParser(nodeStackLineParser()),
    transport: (transport) =>
      createTransport(transport, async ({ body }) => {
        const { status, headers } = await axios.post<unknown>(transport.url, body, {
          headers: { ...transport.headers, 'Content-Type': 'application/x-sentry-envelope' },
          timeout: requestTimeoutMs,
          responseType: 'text',
          transformRequest: [(data: unknown) => data],
          validateStatus: () => true,
        })
        const header = (name: string): string | null => {
          const value: unknown = headers[name]
          return typeof value === 'string' ? value : null
        }
        return {
          statusCode: status,
          headers: {
            'x-sentry-rate-limits': header('x-sentry-rate-limits'),
            'retry-after': header('retry-after'),
          },
        }
      }),
  })
  if (client.getDsn() === undefined) throw new Error('SENTRY_DSN is not a DSN')
  client.init()
  const capture = new Capture(client, () => new SentryScope(), options.job)
  return {
    logger: new CapturingLogger(inner, capture, {}),
    flush: async (timeoutMs) => {
      await client.close(timeoutMs)
    },
  }
}

class Capture {
  readonly #client: ServerRuntimeClient
  readonly #newScope: () => Scope
  readonly #job: string
  readonly #seen = new Map<string, number>()
  #minute = 0

  constructor(client: ServerRuntimeClient, newScope: () => Scope, job: string) {
    this.#client = client
    this.#newScope = newScope
    this.#job = job
  }

  error(fields: LogFields, message: string): void {
    if (!this.#mayGo(message)) return
    const scope = this.#newScope()
    const { err } = fields
    const text = cleanText(message)
    scope.setTags({ job: this.#job, ...codeOf(err, fields) })
    // Causes are in the plain form of the error.
    scope.setExtras({ message: text, ...loggable(fields) })
    scope.addEventProcessor(cleaned)
    if (err instanceof Error) this.#client.captureException(err, {}, scope)
    else this.#client.captureMessage(text, 'error', {}, scope)
  }

  #mayGo(message: string): boolean {
    const minute = Math.floor(Date.now() / 60_000)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#seen.clear()
    }
    const count = (this.#seen.get(message) ?? 0) + 1
    this.#seen.set(message, count)
    return count <= perMinute
  }
}

/** Messages of exceptions, their causes included, as the log would have them. */
function cleaned(event: Event): Event {
  const values = event.exception?.values?.map((one) =>
    one.value === undefined ? one : { ...one, value: cleanText(one.value) },
  )
  return values === undefined ? event : { ...event, exception: { values } }
}

function codeOf(err: unknown, fields: LogFields): Record<string, string> {
  const own: unknown =
    typeof err === 'object' && err !== null ? Reflect.get(err, 'code') : undefined
  const code = own ?? fields.code
  return typeof code === 'string' ? { code } : {}
}

class CapturingLogger implements Logger {
  readonly #inner: Logger
  readonly #capture: Capture
  readonly #bound: LogFields

  constructor(inner: Logger, capture: Capture, bound: LogFields) {
    this.#inner = inner
    this.#capture = capture
    this.#bound = bound
  }

  debug(fields: LogFields, message: string): void {
    this.#inner.debug(fields, message)
  }

  info(fields: LogFields, message: string): void {
    this.#inner.info(fields, message)
  }

  warn(fields: LogFields, message: string): void {
    this.#inner.warn(fields, message)
  }

  error(fields: LogFields, message: string): void {
    this.#inner.error(fields, message)
    this.#capture.error({ ...this.#bound, ...fields }, message)
  }

  child(fields: LogFields): Logger {
    return new CapturingLogger(this.#inner.child(fields), this.#capture, {
      ...this.#bound,
      ...fields,
    })
  }
}
