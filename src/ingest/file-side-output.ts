import { constants } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { WardenError } from '../core/errors.ts'
import type { Logger, Telemetry } from '../core/telemetry.ts'
import type { SideOutput, SideRecord } from './side-output.ts'

/** What the output needs of a file; tests put failing ones in. */
export interface SideFile {
  write(
    source: Buffer,
    start: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>
  datasync(): Promise<void>
  truncate(length: number): Promise<void>
  stat(): Promise<{ readonly size: number }>
  close(): Promise<void>
}

export interface FileSideOutputOptions {
  readonly path: string
  /** Opens the file for writing, made when it is not there. Default: the file system's. */
  readonly openFile?: (path: string) => Promise<SideFile>
}

/** Side records as JSON lines in one file. The mark is the length of the file: what lies after it is cut on restore. */
export class FileSideOutput implements SideOutput {
  readonly #path: string
  readonly #openFile: (path: string) => Promise<SideFile>
  readonly #logger: Logger
  #file: SideFile | undefined
  /** Bytes that are durable. */
  #length = 0
  #pending: Buffer[] = []
  /** Records written since the start: what `#pending` begins with. */
  #written = 0
  #pendingBytes = 0
  #flushing: Promise<unknown> = Promise.resolve()

  constructor(options: FileSideOutputOptions, telemetry: Telemetry) {
    this.#path = options.path
    this.#openFile = options.openFile ?? openForWriting
    this.#logger = telemetry.logger
  }

  async restore(mark: string | undefined): Promise<void> {
    const wanted = mark === undefined ? undefined : Number(mark)
    if (wanted !== undefined && !(Number.isSafeInteger(wanted) && wanted >= 0))
      throw new WardenError('state_incompatible', `${this.#path}: "${mark}" is no length of a file`)
    try {
      const file = await this.#opened()
      const { size } = await file.stat()
      this.#length = wanted === undefined ? size : Math.min(size, wanted)
      if (wanted !== undefined && size < wanted)
        this.#logger.warn(
          { file: this.#path, bytes: size, expected: wanted },
          'side output is shorter than at the checkpoint: records were removed from it; going on at its end',
        )
      if (size > this.#length) {
        await file.truncate(this.#length)
        await file.datasync()
      }
    } catch (error) {
      throw this.#failed(error)
    }
  }

  append(record: SideRecord): void {
    const line = Buffer.from(`${record.json}\n`)
    this.#pending.push(line)
    this.#pendingBytes += line.length
  }

  pendingBytes(): number {
    return this.#pendingBytes
  }

  flush(): Promise<string> {
    // Of this instant, although it writes later: what is appended next belongs to positions of the next checkpoint.
    const until = this.#written + this.#pending.length
    const flushed = this.#flushing.then(() => this.#write(until))
    this.#flushing = flushed.catch(() => undefined)
    return flushed
  }

  /** Does not flush: what is pending belongs to no checkpoint. */
  async close(): Promise<void> {
    await this.#flushing
    await this.#file?.close()
    this.#file = undefined
  }

  /** @param until how many records are to be written since the start */
  async #write(until: number): Promise<string> {
    const count = until - this.#written
    if (count <= 0) return String(this.#length)
    const bytes = Buffer.concat(this.#pending.slice(0, count))
    try {
      const file = await this.#opened()
      let written = 0
      while (written < bytes.length) {
        const left = bytes.length - written
        const { bytesWritten } = await file.write(bytes, written, left, this.#length + written)
        written += bytesWritten
      }
      await file.datasync()
    } catch (error) {
      // The next try writes over what this one left; the handle's state is not known.
      const file = this.#file
      this.#file = undefined
      await file?.truncate(this.#length).catch(() => undefined)
      await file?.close().catch(() => undefined)
      throw this.#failed(error)
    }
    this.#length += bytes.length
    this.#written = until
    this.#pending = this.#pending.slice(count)
    this.#pendingBytes -= bytes.length
    return String(this.#length)
  }

  async #opened(): Promise<SideFile> {
    this.#file ??= await this.#openFile(this.#path)
    return this.#file
  }

  #failed(cause: unknown): WardenError {
    if (cause instanceof WardenError) return cause
    const message = cause instanceof Error ? cause.message : String(cause)
    return new WardenError('state_write_failed', `can't write ${this.#path}: ${message}`, { cause })
  }
}

async function openForWriting(path: string): Promise<SideFile> {
  await mkdir(dirname(path), { recursive: true })
  // Not for appending: the position of each write is ours.
  return open(path, constants.O_RDWR | constants.O_CREAT, 0o644)
}
