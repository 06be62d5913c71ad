import {
  closeSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  write,
} from 'node:fs'
import { basename, dirname } from 'node:path'
import { promisify } from 'node:util'
import { WardenError } from '../core/errors.ts'
import type { DataPoint, PointOutcome, Sink, WriteResult } from './sink.ts'

const writeTo = promisify(write)
const syncTo = promisify(fsync)

const newline = 0x0a
const tailChunkBytes = 64 * 1024

export interface FileSinkOptions {
  readonly name: string
  readonly path: string
  /** A file of at least so many bytes is put aside as `<path>.<number>`, counted upwards; undefined: never. */
  readonly rollBytes?: number | undefined
  /** Files put aside that are kept, the latest; undefined: all. */
  readonly keepFiles?: number | undefined
}

/**
 * Points as JSON lines, appended: `{"metric","timestamp","value","tags","incarnation","revision"}`. Of several lines for the same
 * metric, tags and timestamp the one with the largest (incarnation, revision) counts. What was acknowledged is on the disk.
 */
export class FileSink implements Sink {
  readonly name: string
  readonly #path: string
  readonly #rollBytes: number
  readonly #keepFiles: number
  #file: number
  /** Bytes of whole lines. */
  #length: number
  /** A write that failed may have left something after `#length`. */
  #torn = false
  #queue: Promise<unknown> = Promise.resolve()

  /** Opens or creates the file and cuts off a line that a crash left half written. @throws WardenError `sink_unreachable` */
  constructor(options: FileSinkOptions) {
    this.name = options.name
    this.#path = options.path
    this.#rollBytes = options.rollBytes ?? Number.POSITIVE_INFINITY
    this.#keepFiles = options.keepFiles ?? Number.POSITIVE_INFINITY
    try {
      mkdirSync(dirname(options.path), { recursive: true })
      this.#file = openSync(options.path, 'a+')
      this.#length = endOfLines(this.#file)
      this.#cutTail()
    } catch (cause) {
      throw new WardenError('sink_unreachable', `can't open ${options.path}: ${String(cause)}`, {
        cause,
      })
    }
  }

  write(points: readonly DataPoint[]): Promise<WriteResult> {
    const done = this.#queue.then(() => this.#append(points))
    this.#queue = done
    return done
  }

  async close(): Promise<void> {
    await this.#queue
    closeSync(this.#file)
  }

  #cutTail(): void {
    if (fstatSync(this.#file).size > this.#length) ftruncateSync(this.#file, this.#length)
  }

  /** What is put aside is on the disk already: every write ends with a flush. */
  #roll(): void {
    const last = this.#aside().at(-1) ?? 0
    renameSync(this.#path, `${this.#path}.${String(last + 1).padStart(6, '0')}`)
    const file = openSync(this.#path, 'a+')
    closeSync(this.#file)
    this.#file = file
    this.#length = 0
    syncDirectory(dirname(this.#path))
    const aside = this.#aside()
    for (const number of aside.slice(0, Math.max(0, aside.length - this.#keepFiles))) {
      rmSync(`${this.#path}.${String(number).padStart(6, '0')}`, { force: true })
    }
  }

  /** Numbers of the files put aside, ascending. */
  #aside(): number[] {
    const start = `${basename(this.#path)}.`
    return readdirSync(dirname(this.#path))
      .filter((name) => name.startsWith(start) && /^\d{6,}$/.test(name.slice(start.length)))
      .map((name) => Number(name.slice(start.length)))
      .sort((a, b) => a - b)
  }

  async #append(points: readonly DataPoint[]): Promise<WriteResult> {
    const bytes = Buffer.from(points.map(line).join(''))
    try {
      if (this.#torn) this.#cutTail()
      if (this.#length >= this.#rollBytes) this.#roll()
      this.#torn = true
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await writeTo(this.#file, bytes, at, bytes.length - at)
        at += bytesWritten
      }
      await syncTo(this.#file)
      this.#torn = false
      this.#length += bytes.length
      return result(points, { kind: 'written' })
    } catch (cause) {
      const reason = `can't write ${this.#path}: ${String(cause)}`
      return result(points, { kind: 'retry', reason, unknown: false })
    }
  }
}

function result(points: readonly DataPoint[], outcome: PointOutcome): WriteResult {
  return {
    outcomes: points.map(() => outcome),
    retryAfterMs: undefined,
    failed: outcome.kind !== 'written',
  }
}

function line(point: DataPoint): string {
  const { metric, timestamp, value, tags, incarnation, revision } = point
  return `${JSON.stringify({ metric, timestamp, value, tags, incarnation, revision })}\n`
}

/** Makes a new name in it durable. */
function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/** Position after the last line break. */
function endOfLines(file: number): number {
  const chunk = Buffer.alloc(tailChunkBytes)
  for (let end = fstatSync(file).size; end > 0; ) {
    const from = Math.max(0, end - chunk.length)
    const read = readSync(file, chunk, 0, end - from, from)
    const at = chunk.subarray(0, read).lastIndexOf(newline)
    if (at >= 0) return from + at + 1
    end = from
  }
  return 0
}
