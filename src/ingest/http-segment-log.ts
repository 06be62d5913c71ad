import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { WardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { IdempotencyKeys } from './http-idempotency.ts'
import { encodeBlock, keyLength } from './http-log-block.ts'
import { type LogFile, type OpenLogFile, scanSegment } from './http-log-scan.ts'

export interface SegmentLogOptions {
  readonly directory: string
  /** A segment that is larger is closed; the unit of deletion. */
  readonly segmentBytes: number
  /** How long idempotency keys are known. */
  readonly keepKeysMs: number
  readonly maxKeys: number
  /** Default: the file system's. */
  readonly openFile?: OpenLogFile
}

/** A file of the log; its name is the offset of its first line byte. */
export interface Segment {
  readonly path: string
  readonly base: number
  /** Bytes of the file that hold sound blocks. */
  size: number
  /** Offset after its last line byte. */
  end: number
}

interface Append {
  readonly lines: Buffer
  readonly key: Buffer | undefined
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

const maxGroupBytes = 4 * 1024 * 1024

/**
 * A durable queue of lines in files of a directory. Appends that come while a write is under way go together into the
 * next one: many requests, one fsync. What an append resolved for survives kill -9 and power loss; what it did not
 * resolve for may be there or not. Offsets count line bytes from the first one ever.
 */
export class SegmentLog {
  readonly keys: IdempotencyKeys
  /** Told in every position: another log is another history. */
  id = ''
  createdAt: EpochMs = epochMs(0)
  readonly segments: Segment[] = []
  readonly openFile: OpenLogFile
  readonly #options: SegmentLogOptions
  readonly #telemetry: Telemetry
  readonly #queue: Append[] = []
  readonly #keyFiles: { readonly path: string; readonly last: EpochMs }[] = []
  #queuedBytes = 0
  #writing: Promise<void> | undefined
  #file: LogFile | undefined
  /** Called after every durable write. */
  onAppended: () => void = () => {}

  constructor(options: SegmentLogOptions, telemetry: Telemetry) {
    this.#options = options
    this.#telemetry = telemetry
    this.openFile = options.openFile ?? open
    this.keys = new IdempotencyKeys(options.keepKeysMs, options.maxKeys)
  }

  /** Offset of the first byte that is kept. */
  get start(): number {
    return this.segments[0]?.base ?? 0
  }

  /** Offset after the last durable byte. */
  get end(): number {
    return this.segments.at(-1)?.end ?? 0
  }

  get diskBytes(): number {
    return this.segments.reduce((sum, each) => sum + each.size, 0)
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Finds what was acknowledged, and cuts what was not. */
  async open(): Promise<void> {
    const { directory } = this.#options
    await mkdir(directory, { recursive: true })
    await this.#identify()
    const names = (await readdir(directory)).sort()
    for (const name of names.filter((each) => /^\d{20}\.keys$/.test(each)))
      await this.#loadKeys(join(directory, name))
    const logs = names.filter((each) => /^\d{20}\.log$/.test(each))
    for (const [i, name] of logs.entries())
      await this.#recover(join(directory, name), Number(name.slice(0, 20)), i === logs.length - 1)
  }

  /** Resolves when the lines are durable; rejects when they can't be (disk full): then none of them is kept. */
  append(lines: Buffer, key: Buffer | undefined): Promise<void> {
    return new Promise((done, failed) => {
      this.#queue.push({ lines, key, done, failed })
      this.#queuedBytes += lines.length
      this.#writing ??= this.#drain()
    })
  }

  /** Deletes closed segments whose lines all lie before `offset`; their keys are kept aside for their time. */
  async deleteBefore(offset: number): Promise<void> {
    while (this.segments.length > 1) {
      const [segment] = this.segments
      if (segment === undefined || segment.end > offset) break
      await this.#keepKeysOf(segment)
      this.segments.shift()
      await rm(segment.path, { force: true })
    }
    const now = this.#telemetry.clock.now()
    while (this.#keyFiles[0] !== undefined && !this.keys.isKept(this.#keyFiles[0].last, now))
      await rm(this.#keyFiles.shift()?.path ?? '', { force: true })
  }

  /** What was appended is written first. */
  async close(): Promise<void> {
    await this.#writing
    await this.#file?.close()
    this.#file = undefined
  }

  async #identify(): Promise<void> {
    const path = join(this.#options.directory, 'log.json')
    const known = await readFile(path, 'utf8').catch(() => undefined)
    if (known !== undefined) {
      const { id, createdAt } = JSON.parse(known)
      this.id = String(id)
      this.createdAt = epochMs(Number(createdAt))
      return
    }
    this.id = randomUUID()
    this.createdAt = this.#telemetry.clock.now()
    await durably(path, Buffer.from(JSON.stringify({ id: this.id, createdAt: this.createdAt })))
    await this.#syncDirectory()
  }

  async #recover(path: string, base: number, last: boolean): Promise<void> {
    const before = this.segments.at(-1)
    if (before !== undefined && before.end !== base)
      throw new WardenError(
        'data_loss',
        `${path} begins at ${base}, but the segment before it ends at ${before.end}: a part of the log is missing`,
      )
    const file = await this.openFile(path, 'r+')
    try {
      const { size } = await file.stat()
      const found = await scanSegment(path, file, base, last, ({ header, keys }) => {
        for (let i = 0; i < keys.length; i += keyLength)
          this.keys.add(keys.subarray(i, i + keyLength), header.arrival)
      })
      if (found.size < size) {
        this.#telemetry.logger.warn(
          { file: path, bytes: size - found.size },
          'cut the torn end of a write that was never acknowledged',
        )
        await file.truncate(found.size)
      }
      // What a killed process wrote may be in memory only; nobody may read what could still go away.
      if (last) await file.datasync()
      this.segments.push({ path, base, ...found })
    } finally {
      await file.close()
    }
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const group: Append[] = []
      let bytes = 0
      while (bytes < maxGroupBytes) {
        const next = this.#queue.shift()
        if (next === undefined) break
        group.push(next)
        bytes += next.lines.length
      }
      try {
        await this.#write(group)
        for (const each of group) each.done()
        this.onAppended()
      } catch (error) {
        for (const each of group) each.failed(error)
      }
      this.#queuedBytes -= bytes
    }
    this.#writing = undefined
  }

  async #write(group: readonly Append[]): Promise<void> {
    const arrival = this.#telemetry.clock.now()
    const { segment, file } = await this.#current()
    const keys = group.map((each) => each.key).filter((key) => key !== undefined)
    const lines = group.map((each) => each.lines)
    const block = encodeBlock(segment.end, arrival, keys, lines)
    try {
      let written = 0
      while (written < block.length) {
        const left = block.length - written
        const { bytesWritten } = await file.write(block, written, left, segment.size + written)
        written += bytesWritten
      }
      await file.datasync()
    } catch (error) {
      await this.#undo(segment, file)
      throw error
    }
    segment.size += block.length
    segment.end += lines.reduce((sum, each) => sum + each.length, 0)
    for (const key of keys) this.keys.add(key, arrival)
  }

  /** Takes back what a failed write left; the next write opens the file anew, as this handle's state is not known. */
  async #undo(segment: Segment, file: LogFile): Promise<void> {
    this.#file = undefined
    await file.truncate(segment.size).catch((error: unknown) => {
      this.#telemetry.logger.warn({ file: segment.path, error }, 'could not cut a failed write')
    })
    await file.close().catch(() => undefined)
  }

  async #current(): Promise<{ readonly segment: Segment; readonly file: LogFile }> {
    const last = this.segments.at(-1)
    if (last !== undefined && last.size < this.#options.segmentBytes) {
      if (this.#file === undefined) {
        const file = await this.openFile(last.path, 'r+')
        // Whatever a failed write left behind must not stand after the next block.
        await file.truncate(last.size)
        this.#file = file
      }
      return { segment: last, file: this.#file }
    }
    await this.#file?.close()
    this.#file = undefined
    const base = this.end
    const path = join(this.#options.directory, `${String(base).padStart(20, '0')}.log`)
    const file = await this.openFile(path, 'w+')
    const segment: Segment = { path, base, size: 0, end: base }
    await this.#syncDirectory()
    this.#file = file
    this.segments.push(segment)
    return { segment, file }
  }

  async #keepKeysOf(segment: Segment): Promise<void> {
    const now = this.#telemetry.clock.now()
    const kept: Buffer[] = []
    let last = epochMs(0)
    const file = await this.openFile(segment.path, 'r')
    try {
      await scanSegment(segment.path, file, segment.base, false, ({ header, keys }) => {
        if (!this.keys.isKept(header.arrival, now)) return
        last = header.arrival
        for (let i = 0; i < keys.length; i += keyLength) {
          const entry = Buffer.alloc(8 + keyLength)
          entry.writeDoubleLE(header.arrival)
          keys.copy(entry, 8, i, i + keyLength)
          kept.push(entry)
        }
      })
    } finally {
      await file.close()
    }
    if (kept.length === 0) return
    const path = segment.path.replace(/\.log$/, '.keys')
    await durably(path, Buffer.concat(kept))
    await this.#syncDirectory()
    this.#keyFiles.push({ path, last })
  }

  async #loadKeys(path: string): Promise<void> {
    const bytes = await readFile(path)
    const entryBytes = 8 + keyLength
    let last = epochMs(0)
    for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes) {
      last = epochMs(bytes.readDoubleLE(at))
      this.keys.add(bytes.subarray(at + 8, at + entryBytes), last)
    }
    this.#keyFiles.push({ path, last })
  }

  /** So that a new name outlives a power loss. */
  async #syncDirectory(): Promise<void> {
    const directory = await open(this.#options.directory, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  }
}

/** Writes a whole file so that it is there as a whole or not at all. */
async function durably(path: string, bytes: Buffer): Promise<void> {
  await writeFile(`${path}.new`, bytes, { flush: true })
  await rename(`${path}.new`, path)
}
