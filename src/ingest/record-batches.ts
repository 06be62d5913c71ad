import { WardenError } from '../core/errors.ts'
import { corrupt, type RecordVisitor, RecordWalk, type RunVisitor } from './record-run.ts'
import type { SourceBatch } from './source.ts'

export type CompressionCodec = 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** What a batch needs from native code. */
export interface RecordCodecs {
  /** undefined when this Node has no such codec; throws on broken bytes. */
  decompress(codec: CompressionCodec, bytes: Buffer): Buffer | undefined
  /** CRC32C (Castagnoli) as an unsigned integer. */
  crc32c(bytes: Uint8Array): number
}

const HEADER_BYTES = 61
/** From the partition leader epoch on: what `batchLength` counts without the records. */
const LENGTH_AT = 8
const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_OFFSET_DELTA_AT = 23
const BASE_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const PRODUCER_ID_AT = 43
const COUNT_AT = 57
const COMPRESSION = 7
const LOG_APPEND_TIME = 8
const TRANSACTIONAL = 16
const CONTROL = 32

const codecNames: Readonly<Record<number, CompressionCodec>> = {
  1: 'gzip',
  2: 'snappy',
  3: 'lz4',
  4: 'zstd',
}

/**
 * Walks raw Kafka record batches (magic 2) without an object per record. Left out are control batches, aborted transactional
 * batches, records below `fromOffset`, and a last batch that the broker cut off.
 * One walker per decoder; a batch holds the whole answer for its partition, because `aborted` speaks of all of it.
 * Source: https://kafka.apache.org/documentation/#recordbatch
 */
export class RecordBatches {
  readonly #codecs: RecordCodecs | undefined
  readonly #checkCrc: boolean
  readonly #walk = new RecordWalk()

  constructor(codecs: RecordCodecs | undefined, checkCrc: boolean) {
    this.#codecs = codecs
    this.#checkCrc = checkCrc
  }

  /** Throws `source_unsupported` or `source_corrupt`; records before the broken one have been visited. */
  visit(batch: SourceBatch, visitor: RecordVisitor): void {
    this.#walk.visitor = visitor
    this.visitRuns(batch, this.#walk)
  }

  /** The same for who walks the records himself. */
  visitRuns(batch: SourceBatch, visitor: RunVisitor): void {
    const { bytes, fromOffset } = batch
    const aborts = batch.aborted.length === 0 ? undefined : new AbortedProducers(batch)
    let at = 0
    while (at + HEADER_BYTES <= bytes.length) {
      const length = bytes.readInt32BE(at + LENGTH_AT)
      const magic = bytes[at + MAGIC_AT]
      if (magic !== 2) throw oldFormat(magic ?? -1, readOffset(bytes, at))
      if (length < HEADER_BYTES - 12) {
        throw corrupt(readOffset(bytes, at), `its length is ${length} bytes`)
      }
      const end = at + 12 + length
      if (end > bytes.length) return
      const baseOffset = readOffset(bytes, at)
      const attributes = bytes.readInt16BE(at + ATTRIBUTES_AT)
      const lastOffset = baseOffset + bytes.readInt32BE(at + LAST_OFFSET_DELTA_AT)
      if (this.#checkCrc) this.#verify(bytes, at, end, baseOffset)
      const wanted = aborts === undefined || aborts.isWanted(bytes, at, end, attributes, lastOffset)
      if (wanted && (attributes & CONTROL) === 0 && lastOffset >= fromOffset) {
        this.#visitBatch(bytes, at, end, baseOffset, attributes, fromOffset, visitor)
      }
      at = end
    }
  }

  #verify(bytes: Buffer, at: number, end: number, baseOffset: number): void {
    const actual = this.#codecs?.crc32c(bytes.subarray(at + ATTRIBUTES_AT, end))
    if (actual !== undefined && actual >>> 0 !== bytes.readUInt32BE(at + CRC_AT)) {
      throw corrupt(baseOffset, 'its checksum (CRC32C) is wrong')
    }
  }

  #visitBatch(
    batch: Buffer,
    at: number,
    batchEnd: number,
    baseOffset: number,
    attributes: number,
    fromOffset: number,
    visitor: RunVisitor,
  ): void {
    const count = batch.readInt32BE(at + COUNT_AT)
    const appendTime = (attributes & LOG_APPEND_TIME) !== 0
    const timestamp = readSigned(batch, at + (appendTime ? MAX_TIMESTAMP_AT : BASE_TIMESTAMP_AT))
    const skip = fromOffset - baseOffset
    let bytes = batch
    let end = batchEnd
    let start = at + HEADER_BYTES
    if ((attributes & COMPRESSION) !== 0) {
      bytes = this.#decompressed(batch.subarray(start, end), attributes & COMPRESSION, baseOffset)
      end = bytes.length
      start = 0
    }
    visitor.run({ bytes, start, end, count, baseOffset, skip, timestamp, appendTime })
  }

  #decompressed(bytes: Buffer, code: number, baseOffset: number): Buffer {
    const codec = codecNames[code]
    if (codec === undefined) throw corrupt(baseOffset, `it names compression ${code}`)
    let plain: Buffer | undefined
    try {
      plain = this.#codecs?.decompress(codec, bytes)
    } catch (cause) {
      throw corrupt(baseOffset, `its ${codec} data can't be decompressed`, cause)
    }
    if (plain === undefined) throw unsupportedCodec(codec)
    return plain
  }
}

/** Which producers' transactions are aborted at a point of the log; the algorithm of the Java consumer (CompletedFetch). */
class AbortedProducers {
  readonly #upcoming: { readonly producerId: bigint; readonly firstOffset: number }[]
  readonly #active = new Set<bigint>()

  constructor(batch: SourceBatch) {
    this.#upcoming = batch.aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  }

  /** False for a batch of an aborted transaction. Call it for every batch, in order. */
  isWanted(
    bytes: Buffer,
    at: number,
    end: number,
    attributes: number,
    lastOffset: number,
  ): boolean {
    let next = this.#upcoming[0]
    while (next !== undefined && next.firstOffset <= lastOffset) {
      this.#active.add(next.producerId)
      this.#upcoming.shift()
      next = this.#upcoming[0]
    }
    const producerId = bytes.readBigInt64BE(at + PRODUCER_ID_AT)
    if (producerId < 0n) return true
    if (isAbortMarker(bytes, at, end, attributes)) this.#active.delete(producerId)
    return (attributes & TRANSACTIONAL) === 0 || !this.#active.has(producerId)
  }
}

/**
 * A control batch holds one record: its key is version (int16) and type (int16, 0 = abort). The fields before the key take one
 * byte each here, but for a length and a timestamp delta that may take more.
 */
function isAbortMarker(bytes: Buffer, at: number, end: number, attributes: number): boolean {
  if ((attributes & CONTROL) === 0) return false
  let i = at + HEADER_BYTES
  const skipVarint = () => {
    while (i < end && (bytes[i] as number) > 127) i++
    i++
  }
  skipVarint()
  i++
  skipVarint()
  skipVarint()
  skipVarint()
  return i + 4 <= end && bytes.readInt16BE(i + 2) === 0
}

function readOffset(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 4_294_967_296 + bytes.readUInt32BE(at + 4)
}

function readSigned(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 4_294_967_296 + bytes.readUInt32BE(at + 4)
}

function oldFormat(magic: number, offset: number): WardenError {
  return new WardenError(
    'source_unsupported',
    `the record at offset ${offset} is in message format v${magic}; Warden reads v2 (Kafka 0.11 and newer): ` +
      'upgrade the log.message.format.version of the topic and rewrite or skip the old segments',
  )
}

function unsupportedCodec(codec: CompressionCodec): WardenError {
  const cure =
    codec === 'zstd'
      ? 'run on Node 22.15 or newer, or set compression.type=lz4 on the topic or its producers'
      : 'set compression.type=uncompressed on the topic or its producers'
  return new WardenError(
    'source_unsupported',
    `record batches are compressed with ${codec}, which this process can't read: ${cure}`,
  )
}
