import type { LogFields, Logger } from '../../src/core/telemetry.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface LogLine {
  readonly level: LogLevel
  /** Fields of the line, those of its parents included. */
  readonly fields: LogFields
  readonly message: string
}

/** Keeps every line; children write into the same `lines`. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[]
  readonly #bound: LogFields

  constructor(lines: LogLine[] = [], bound: LogFields = {}) {
    this.lines = lines
    this.#bound = bound
  }

  debug(fields: LogFields, message: string): void {
    this.#write('debug', fields, message)
  }

  info(fields: LogFields, message: string): void {
    this.#write('info', fields, message)
  }

  warn(fields: LogFields, message: string): void {
    this.#write('warn', fields, message)
  }

  error(fields: LogFields, message: string): void {
    this.#write('error', fields, message)
  }

  child(fields: LogFields): Logger {
    return new RecordingLogger(this.lines, { ...this.#bound, ...fields })
  }

  /** Messages of one level, or of all, in order. */
  messages(level?: LogLevel): string[] {
    return this.lines
      .filter((line) => level === undefined || line.level === level)
      .map((line) => line.message)
  }

  #write(level: LogLevel, fields: LogFields, message: string): void {
    this.lines.push({ level, fields: { ...this.#bound, ...fields }, message })
  }
}
