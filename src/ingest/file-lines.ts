import type { ByteReader } from './file-bytes.ts'

export interface LineLimits {
  /** Bytes of a batch; a longer line makes a batch of its own. */
  readonly batchBytes: number
  /** A line longer than this is not kept: only its first `oversizedBytes` are handed on. */
  readonly maxLineBytes: number
  /** More than any decoder takes, so that what is left of an oversized line is a dead letter and never an event. */
  readonly oversizedBytes: number
}

/** Buffers of `batchBytes` that go round instead of being allocated for every batch. */
export class BufferPool {
  readonly #bytes: number
  readonly #free: Buffer[] = []

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  acquire(atLeast = 0): Buffer {
    if (atLeast > this.#bytes) return Buffer.allocUnsafeSlow(atLeast)
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bytes)
  }

  release(buffer: Buffer): void {
    if (buffer.length === this.#bytes && this.#free.length < 8) this.#free.push(buffer)
  }
}

/** Whole lines, line ends included (the last line of a file may have none). */
export interface LineCut {
  readonly bytes: Buffer
  /** Bytes of the file that it stands for: more than `bytes` for an oversized line. */
  readonly span: number
  /** Goes back to the pool when `bytes` are no longer needed. */
  readonly owner: Buffer
}

const lineFeed = 0x0a

/**
 * Cuts a stream of bytes at line ends, in memory bounded by `maxLineBytes`.
 * An oversized line is cut off at `oversizedBytes` and skipped to its end.
 */
export class LineReader {
  readonly #reader: ByteReader
  readonly #limits: LineLimits
  readonly #pool: BufferPool
  #buffer: Buffer
  /** Bytes of an unfinished line in `#buffer`. */
  #length = 0
  /** What is kept of an oversized line while its end is searched, and the bytes of it so far. */
  #oversized: { readonly head: Buffer; span: number } | undefined

  constructor(reader: ByteReader, limits: LineLimits, pool: BufferPool) {
    this.#reader = reader
    this.#limits = limits
    this.#pool = pool
    this.#buffer = pool.acquire()
  }

  /** The next lines, or undefined at the end of what is there now. `final`: a last line without a line end counts. */
  async next(final: boolean): Promise<LineCut | undefined> {
    for (;;) {
      if (this.#length === this.#buffer.length) this.#makeRoom()
      const read = await this.#reader.read(
        this.#buffer,
        this.#length,
        this.#buffer.length - this.#length,
      )
      this.#length += read
      const cut =
        this.#oversized === undefined
          ? this.#wholeLines(read === 0, final)
          : this.#skip(final, read)
      if (cut !== undefined || read === 0) return cut
    }
  }

  async close(): Promise<void> {
    this.#pool.release(this.#buffer)
    await this.#reader.close()
  }

  #wholeLines(atEnd: boolean, final: boolean): LineCut | undefined {
    if (!atEnd && this.#length < this.#buffer.length) return undefined
    if (this.#length === 0) return undefined
    const end = this.#buffer.lastIndexOf(lineFeed, this.#length - 1) + 1
    if (end > 0) return this.#cut(end)
    return atEnd && final ? this.#cut(this.#length) : undefined
  }

  #cut(end: number): LineCut {
    const owner = this.#buffer
    const rest = this.#length - end
    this.#buffer = this.#pool.acquire(rest === 0 ? 0 : rest + 1)
    owner.copy(this.#buffer, 0, end, this.#length)
    this.#length = rest
    return { bytes: owner.subarray(0, end), span: end, owner }
  }

  #makeRoom(): void {
    if (this.#oversized !== undefined) {
      this.#oversized.span += this.#length
      this.#length = 0
    } else if (this.#length >= this.#limits.maxLineBytes) {
      const head = Buffer.from(this.#buffer.subarray(0, this.#limits.oversizedBytes))
      this.#oversized = { head, span: this.#length }
      this.#buffer = this.#pool.acquire()
      this.#length = 0
    } else {
      const larger = Math.min(
        this.#length * 2,
        Math.max(this.#limits.maxLineBytes, this.#length + 1),
      )
      const grown = Buffer.allocUnsafeSlow(larger)
      this.#buffer.copy(grown, 0, 0, this.#length)
      this.#pool.release(this.#buffer)
      this.#buffer = grown
    }
  }

  #skip(final: boolean, read: number): LineCut | undefined {
    const oversized = this.#oversized
    if (oversized === undefined) return undefined
    const at = this.#buffer.subarray(0, this.#length).indexOf(lineFeed)
    if (at < 0 && !(read === 0 && final)) return undefined
    const end = at < 0 ? this.#length : at + 1
    this.#buffer.copyWithin(0, end, this.#length)
    this.#length -= end
    this.#oversized = undefined
    return { bytes: oversized.head, span: oversized.span + end, owner: oversized.head }
  }
}
