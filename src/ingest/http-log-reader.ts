import { WardenError } from '../core/errors.ts'
import type { EpochMs } from '../core/time.ts'
import { blockBytes, decodeHeader, headerBytes, isSound } from './http-log-block.ts'
import { bytesAt, type LogFile } from './http-log-scan.ts'
import type { Segment, SegmentLog } from './http-segment-log.ts'

const windowBytes = 256 * 1024

/** Lines of one block, from the reader's offset on. */
export interface ReadBlock {
  readonly bytes: Buffer
  readonly offset: number
  readonly arrival: EpochMs
}

/** Reads the durable part of a log in order, from any offset on. */
export class LogReader {
  readonly #log: SegmentLog
  #offset: number
  #open: { readonly segment: Segment; readonly file: LogFile; at: number } | undefined
  /** Bytes of the open segment that begin at `#open.at`. */
  #window: Buffer = Buffer.alloc(0)

  constructor(log: SegmentLog, offset: number) {
    this.#log = log
    this.#offset = offset
  }

  /** The next block, or undefined at the durable end. */
  async next(): Promise<ReadBlock | undefined> {
    while (this.#offset < this.#log.end) {
      const open = await this.#segment()
      const header = decodeHeader(await this.#peek(open, headerBytes))
      if (header === undefined) throw damaged(open.segment, open.at)
      const block = await this.#peek(open, blockBytes(header))
      if (!isSound(header, block)) throw damaged(open.segment, open.at)
      this.#window = this.#window.subarray(blockBytes(header))
      open.at += blockBytes(header)
      const end = header.base + header.lineBytes
      if (end <= this.#offset) continue
      const offset = this.#offset
      const first = headerBytes + header.keyBytes + Math.max(0, offset - header.base)
      this.#offset = end
      return { bytes: block.subarray(first, blockBytes(header)), offset, arrival: header.arrival }
    }
    return undefined
  }

  async close(): Promise<void> {
    const open = this.#open
    this.#open = undefined
    await open?.file.close()
  }

  async #segment(): Promise<{ readonly segment: Segment; readonly file: LogFile; at: number }> {
    const segment = this.#log.segments.find((each) => this.#offset < each.end)
    if (segment === undefined)
      throw new WardenError('internal', `no segment of the log holds offset ${this.#offset}`)
    if (this.#open?.segment === segment) return this.#open
    await this.close()
    this.#window = Buffer.alloc(0)
    this.#open = { segment, file: await this.#log.openFile(segment.path, 'r'), at: 0 }
    return this.#open
  }

  /** The next `length` bytes of the open segment. */
  async #peek(
    open: { file: LogFile; at: number; segment: Segment },
    length: number,
  ): Promise<Buffer> {
    if (this.#window.length < length) {
      const left = open.segment.size - open.at
      this.#window = await bytesAt(
        open.file,
        open.at,
        Math.min(left, Math.max(length, windowBytes)),
      )
    }
    return this.#window.subarray(0, length)
  }
}

function damaged(segment: Segment, at: number): WardenError {
  return new WardenError(
    'state_corrupt',
    `${segment.path} is damaged at byte ${at}; restore it from a copy, or move the log away to lose what is in it`,
  )
}
