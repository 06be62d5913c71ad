import type { WardenError } from '../core/errors.ts'
import type { EpochMs } from '../core/time.ts'
import { IncompleteGzip, isGzip, openBytes } from './file-bytes.ts'
import { type BufferPool, type LineLimits, LineReader } from './file-lines.ts'
import { encodeIdentity, type FileSight, type TrackedFile } from './file-tracking.ts'
import type { PartitionPosition, PartitionStatus, SourceBatch } from './source.ts'

/** A tracked file while it is being read. */
export interface ReadFile extends TrackedFile {
  /** Device and inode; unknown until it was seen in this run. */
  key: string | undefined
  /** As it was seen last. */
  seen: FileSight | undefined
  /** Bytes handed to the buffer: `taken` plus what waits there. */
  read: number
  /** Read to the end of what was seen; growth ends that. */
  drained: boolean
  /** It will not grow any more: its last line counts without a line end, and then it is forgotten. */
  retired: boolean
  /** When it was first seen outside of the patterns since it grew last. */
  awaySince: EpochMs | undefined
  /** Why it can't be read on for now. */
  trouble: string | undefined
  lines: LineReader | undefined
}

export function toRead(file: TrackedFile, seen: FileSight | undefined): ReadFile {
  return {
    ...file,
    key: seen?.key,
    seen,
    read: file.taken,
    drained: false,
    retired: false,
    awaySince: undefined,
    trouble: undefined,
    lines: undefined,
  }
}

interface Queued {
  readonly batch: SourceBatch
  readonly file: ReadFile
  readonly span: number
  readonly owner: Buffer
}

/** What the partitions of one source share. */
export interface PartitionReading {
  readonly limits: LineLimits
  readonly pool: BufferPool
  readonly bounded: boolean
  readonly now: () => EpochMs
  /** What becomes of bytes that can't be read: throws, or takes note and lets reading go on. */
  readonly lose: (partition: FilePartition, error: WardenError | Error) => void
}

/**
 * One partition: files read one after the other, in the order in which they were discovered (name order within one look).
 * A file that grows after a later one was begun is read on all the same; offsets count the bytes in the order of reading.
 */
export class FilePartition implements PartitionStatus {
  readonly name: string
  readonly index: number
  readonly readFrom: EpochMs
  readonly files: ReadFile[]
  held = false
  lost: PartitionStatus['lost']
  /** When the directory was looked at last; reading goes up to what was seen then. */
  lookedAt: EpochMs | undefined
  readonly #reading: PartitionReading
  readonly #queue: Queued[] = []
  #takenOffset: number
  #readOffset: number
  #position: PartitionPosition | undefined

  constructor(
    name: string,
    index: number,
    start: { readonly offset: number; readonly files: ReadFile[]; readonly readFrom: EpochMs },
    reading: PartitionReading,
  ) {
    this.name = name
    this.index = index
    this.files = start.files
    this.readFrom = start.readFrom
    this.#takenOffset = start.offset
    this.#readOffset = start.offset
    this.#reading = reading
  }

  get position(): PartitionPosition {
    this.#position ??= {
      offset: this.#takenOffset,
      identity: encodeIdentity(this.files, this.readFrom),
    }
    return this.#position
  }

  get caughtUpAt(): EpochMs | undefined {
    const done = !this.held && this.drained && this.#queue.length === 0
    if (!done || this.trouble !== undefined) return undefined
    // Files that don't grow are looked at once; their end stays their end.
    return this.#reading.bounded ? this.#reading.now() : this.lookedAt
  }

  get trouble(): string | undefined {
    if (this.files.length === 0 && this.#takenOffset === 0 && !this.#reading.bounded)
      return 'no file was found yet'
    return this.files.find((file) => file.trouble !== undefined)?.trouble
  }

  get lag(): number | undefined {
    let bytes = 0
    for (const file of this.files) {
      const done = file.drained && file.taken === file.read
      if (isGzip(file.name) && !done) return undefined
      if (!done) bytes += Math.max(0, file.size - file.taken)
    }
    return bytes
  }

  get drained(): boolean {
    return this.files.every((file) => file.drained)
  }

  get waiting(): boolean {
    return this.#queue.length > 0
  }

  /** Bytes in the buffer. */
  get buffered(): number {
    return this.#queue.reduce((bytes, { batch }) => bytes + batch.bytes.length, 0)
  }

  /** The files or what is known of them changed. */
  touched(): void {
    this.#position = undefined
  }

  /** Reads one batch into the buffer; its bytes, or 0 when nothing more is there now. */
  async readNext(): Promise<number> {
    const file = this.files.find((each) => !each.drained)
    if (file === undefined) return 0
    const lines = await this.#open(file)
    if (lines === undefined) return 0
    try {
      const cut = await lines.next(file.retired || this.#reading.bounded)
      if (cut === undefined) {
        await this.#drained(file)
        return 0
      }
      const batch: SourceBatch = {
        partition: this.index,
        framing: 'lines',
        bytes: cut.bytes,
        fromOffset: this.#readOffset,
        nextOffset: this.#readOffset + cut.span,
        recordTimestamp: this.#reading.now(),
        aborted: [],
      }
      this.#readOffset += cut.span
      file.read += cut.span
      this.#queue.push({ batch, file, span: cut.span, owner: cut.owner })
      return cut.bytes.length
    } catch (error) {
      if (!(error instanceof IncompleteGzip)) throw error
      await this.#closeLines(file)
      file.drained = true
      this.touched()
      if (this.#reading.bounded || file.retired) this.#reading.lose(this, error)
      else file.trouble = `${error.message}: waiting for the rest`
      return 0
    }
  }

  take(): { readonly batch: SourceBatch; readonly owner: Buffer } | undefined {
    const next = this.#queue.shift()
    if (next === undefined) return undefined
    next.file.taken += next.span
    this.#takenOffset += next.span
    this.#settle(next.file)
    return next
  }

  async close(): Promise<void> {
    for (const file of this.files) await this.#closeLines(file)
  }

  /** Reading of this file goes on from `file.read`, by another name or handle. */
  async reopen(file: ReadFile): Promise<void> {
    await this.#closeLines(file)
    file.drained = false
    file.trouble = undefined
    this.touched()
  }

  /** Nothing more is read of this file; it leaves the list when what is buffered of it was taken. */
  async forget(file: ReadFile): Promise<void> {
    await this.#closeLines(file)
    file.retired = true
    file.drained = true
    this.#settle(file)
  }

  async #open(file: ReadFile): Promise<LineReader | undefined> {
    if (file.lines !== undefined) return file.lines
    // One open file for each partition: the one that may be deleted under us is the one read last.
    for (const other of this.files) await this.#closeLines(other)
    const bytes = await openBytes(file.name, file.inode, file.read)
    if (bytes === undefined) {
      file.drained = true
      // Not to be found under its name: the next look finds where it went, or what was lost.
      file.seen = undefined
      if (this.#reading.bounded)
        this.#reading.lose(this, new Error(`${file.name} went away before it was read to its end`))
      return undefined
    }
    file.lines = new LineReader(bytes, this.#reading.limits, this.#reading.pool)
    return file.lines
  }

  async #drained(file: ReadFile): Promise<void> {
    file.drained = true
    if (file.retired || this.#reading.bounded || isGzip(file.name)) await this.#closeLines(file)
    this.#settle(file)
  }

  /** Notes whether all of the file was taken; a retired one is forgotten then. */
  #settle(file: ReadFile): void {
    file.ended = file.drained && file.taken === file.read
    const at = this.files.indexOf(file)
    if (file.ended && file.retired && at >= 0) this.files.splice(at, 1)
    this.touched()
  }

  async #closeLines(file: ReadFile): Promise<void> {
    const lines = file.lines
    file.lines = undefined
    await lines?.close()
  }
}
