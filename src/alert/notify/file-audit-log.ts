import { appendFile } from 'node:fs/promises'
import type { Counter, Logger, Metrics } from '../../core/telemetry.ts'
import type { AuditEntry, AuditLog } from './audit-log.ts'

/** The audit log as a file of JSON lines that is only ever appended to. Lines that can't be written are counted and are in the log. */
export class FileAuditLog implements AuditLog {
  readonly #path: string
  readonly #logger: Logger
  readonly #failures: Counter
  #lines: string[] = []
  #writing: Promise<void> | undefined

  /** @param path absolute; its directory exists */
  constructor(path: string, logger: Logger, metrics: Metrics) {
    this.#path = path
    this.#logger = logger
    this.#failures = metrics.counter(
      'warden_audit_failures_total',
      'Lines of the audit log that could not be written',
    )
  }

  append(entry: AuditEntry): void {
    // The time as people read it, beside epoch ms.
    const time = new Date(entry.at).toISOString()
    this.#lines.push(`${JSON.stringify({ time, ...entry })}\n`)
    this.#writing ??= this.#write()
  }

  /** Everything that was appended is in the file, or was counted. */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  async #write(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines
      this.#lines = []
      try {
        await appendFile(this.#path, lines.join(''), { mode: 0o600 })
      } catch (err) {
        this.#failures.add(lines.length)
        const fields = { err, path: this.#path, lines: lines.map((line) => line.trim()) }
        this.#logger.error(fields, 'the audit log can’t be written; alerts go on without it')
      }
    }
    this.#writing = undefined
  }
}
