import {
  type DestinationStream,
  destination,
  type Logger as Pino,
  pino,
  stdTimeFunctions,
} from 'pino'
import type { LogFields, Logger } from './core/telemetry.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface PinoLoggerOptions {
  readonly level: LogLevel
  /** `json`: one object a line. `text`: for a person. `auto`: text on a terminal, else json. */
  readonly format: 'json' | 'text' | 'auto'
  /** Where lines go; standard error, written before the call returns, unless given. */
  readonly output?: DestinationStream
}

/** Secrets never reach a log: values under keys that look like one are replaced, and so are passwords in URLs. */
export function createPinoLogger(options: PinoLoggerOptions): Logger {
  const output = options.output ?? destination({ fd: 2, sync: true })
  const text = options.format === 'text' || (options.format === 'auto' && process.stderr.isTTY)
  return new PinoLogger(
    pino(
      {
        level: options.level,
        base: null,
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (level) => ({ level }) },
        // Errors are made plain by `cleanError`; pino's own serializer would take that apart again.
        serializers: { err: (error) => error },
      },
      text ? { write: (line: string) => output.write(toText(line)) } : output,
    ),
  )
}

class PinoLogger implements Logger {
  readonly #pino: Pino

  constructor(logger: Pino) {
    this.#pino = logger
  }

  debug(fields: LogFields, message: string): void {
    if (this.#pino.isLevelEnabled('debug')) this.#pino.debug(loggable(fields), cleanText(message))
  }

  info(fields: LogFields, message: string): void {
    if (this.#pino.isLevelEnabled('info')) this.#pino.info(loggable(fields), cleanText(message))
  }

  warn(fields: LogFields, message: string): void {
    if (this.#pino.isLevelEnabled('warn')) this.#pino.warn(loggable(fields), cleanText(message))
  }

  error(fields: LogFields, message: string): void {
    if (this.#pino.isLevelEnabled('error')) this.#pino.error(loggable(fields), cleanText(message))
  }

  child(fields: LogFields): Logger {
    return new PinoLogger(this.#pino.child(loggable(fields)))
  }
}

const redacted = '[redacted]'
const secretKey =
  /pass(word|phrase|wd)?$|secret|token|authorization|cookie|credential|api[-_]?key|private[-_]?key/i
/** Fields that pino writes itself; a field of that name would stand twice in the line. */
const ownFields = new Set(['level', 'time', 'msg'])
const maxDepth = 6

/** Fields as they may leave: without what looks like a secret, and errors made plain. */
export function loggable(fields: LogFields): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) {
    result[ownFields.has(key) ? `${key}_` : key] = clean(key, value, 0)
  }
  return result
}

function clean(key: string, value: unknown, depth: number): unknown {
  if (value !== undefined && value !== null && secretKey.test(key)) return redacted
  if (typeof value === 'string') return cleanText(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth >= maxDepth) return '[deeper]'
  if (value instanceof Error) return cleanError(value, depth)
  if (value instanceof Date) return value
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (value instanceof Map) return clean(key, Object.fromEntries(value), depth)
  if (Array.isArray(value)) return value.map((one) => clean('', one, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, clean(name, one, depth + 1)]),
  )
}

/** Name, code, message, stack and cause, and nothing else: errors of HTTP clients carry the request with its headers. */
function cleanError(error: Error, depth: number): Record<string, unknown> {
  return {
    type: error.name,
    ...('code' in error ? { code: error.code } : {}),
    message: cleanText(error.message),
    ...(error.stack === undefined ? {} : { stack: cleanText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: clean('', error.cause, depth + 1) }),
  }
}

/** `http://user:password@host` without the password. */
export function cleanText(text: string): string {
  return text.includes('://')
    ? text.replace(/(:\/\/[^\s/?#:@]*):[^\s/?#]*@/g, `$1:${redacted}@`)
    : text
}

/** `12:30:01.250 WARN  message  key=value`, stacks on lines of their own. */
function toText(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line)
  const stacks: string[] = []
  const shown = Object.entries(fields).map(([key, value]) => {
    const cause = value as { readonly message?: unknown; readonly stack?: unknown } | null
    if (typeof cause?.stack !== 'string') return `${key}=${inline(value)}`
    stacks.push(cause.stack)
    return `${key}=${inline(cause.message)}`
  })
  const head = `${String(time).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${msg}`
  const rest = shown.length > 0 ? `  ${shown.join(' ')}` : ''
  return `${[head + rest, ...stacks.map((stack) => stack.replace(/^/gm, '    '))].join('\n')}\n`
}

function inline(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}
