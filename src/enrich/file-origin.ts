import { readFile, stat } from 'node:fs/promises'
import { parse } from 'yaml'
import { WardenError } from '../core/errors.ts'
import type { Entry, WholeOrigin } from './origin.ts'
import { csvEntries, type TableFormat, valueEntries } from './table-entries.ts'

export interface FileOriginOptions {
  readonly path: string
  readonly format: TableFormat
  /** Column, or field of the elements of a list, that is the key; undefined: the first column, or an object by key. */
  readonly key: string | undefined
  /** A larger file is refused, so that a mistake does not fill the memory. */
  readonly maxBytes: number
}

/** A table in a file: CSV with a header, JSON, or YAML. Another size, time or inode is another content. */
export class FileOrigin implements WholeOrigin {
  readonly #options: FileOriginOptions

  constructor(options: FileOriginOptions) {
    this.#options = options
  }

  async version(): Promise<string> {
    // Through links: a ConfigMap is changed by turning one.
    const { size, mtimeMs, ino } = await this.#reading(() => stat(this.#options.path))
    return `${ino} ${size} ${mtimeMs}`
  }

  async all(limit: number, signal?: AbortSignal): Promise<ReadonlyMap<string, Entry>> {
    const { path, maxBytes } = this.#options
    const { size } = await this.#reading(() => stat(path))
    if (size > maxBytes) throw this.#refused(`it has ${size} bytes; the bound is ${maxBytes}`)
    const text = await this.#reading(() => readFile(path, { encoding: 'utf8', signal }))
    const entries = this.#parse(text)
    if (entries.size > limit) {
      throw this.#refused(`it has ${entries.size} entries; the bound is ${limit} (maxEntries)`)
    }
    return entries
  }

  async lookup(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Entry>> {
    const entries = await this.all(Number.POSITIVE_INFINITY, signal)
    return new Map(
      keys.flatMap((key) => {
        const entry = entries.get(key)
        return entry === undefined ? [] : [[key, entry] as const]
      }),
    )
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #parse(text: string): Map<string, Entry> {
    const { format, key } = this.#options
    try {
      if (format === 'csv') return csvEntries(text, key)
      return valueEntries(format === 'json' ? JSON.parse(text) : parse(text), key)
    } catch (cause) {
      throw this.#refused(cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : '')
    }
  }

  async #reading<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new WardenError('enrich_unreachable', `${this.#options.path}: ${why}`, { cause })
    }
  }

  #refused(why: string): WardenError {
    const { path, format } = this.#options
    return new WardenError('enrich_refused', `${path} is no ${format} table: ${why}`)
  }
}
