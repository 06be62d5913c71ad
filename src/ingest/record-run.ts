import { WardenError } from '../core/errors.ts'

/** Takes the records of a batch one by one, in order of offset. */
export interface RecordVisitor {
  /**
   * A record with a value in `start ≤ i < end` of `bytes`; `start` is -1 for a null value (tombstone).
   * @param timestamp epoch ms; 0 when the record has none
   */
  record(bytes: Buffer, start: number, end: number, offset: number, timestamp: number): void
}

/** The records of one batch, decompressed. */
export interface RecordRun {
  /** They lie in `start ≤ i < end`. */
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  readonly count: number
  readonly baseOffset: number
  /** Records whose offset minus `baseOffset` is below it are not wanted. */
  readonly skip: number
  /** Of the first record, or of all with `appendTime`; epoch ms. */
  readonly timestamp: number
  readonly appendTime: boolean
}

/** Takes the batches one by one, in order of offset. Throws `source_corrupt`. */
export interface RunVisitor {
  run(run: RecordRun): void
}

/** Walks the records of a batch without an object for each. */
export class RecordWalk implements RunVisitor {
  visitor: RecordVisitor | undefined
  /** Position behind the number that was read last. */
  #at = 0

  run({
    bytes,
    start: first,
    end,
    count,
    baseOffset,
    skip,
    timestamp,
    appendTime,
  }: RecordRun): void {
    this.#at = first
    for (let index = 0; index < count; index++) {
      const length = this.#varint(bytes)
      const recordEnd = this.#at + length
      if (length < 0 || recordEnd > end) throw cutOffRecord(baseOffset, index)
      this.#at++
      const timestampDelta = this.#varlong(bytes)
      const offsetDelta = this.#varint(bytes)
      const keyLength = this.#varint(bytes)
      if (keyLength > 0) this.#at += keyLength
      const valueLength = this.#varint(bytes)
      const start = this.#at
      if (start + valueLength > recordEnd || start > recordEnd) {
        throw longValue(baseOffset, index)
      }
      if (offsetDelta >= skip) {
        const time = appendTime ? timestamp : timestamp + timestampDelta
        this.visitor?.record(
          bytes,
          valueLength < 0 ? -1 : start,
          start + Math.max(0, valueLength),
          baseOffset + offsetDelta,
          time > 0 ? time : 0,
        )
      }
      this.#at = recordEnd
    }
  }

  /** A zigzag number of at most 32 bits. */
  #varint(bytes: Buffer): number {
    let at = this.#at
    let byte = bytes[at++] as number
    let value = byte & 127
    for (let shift = 7; byte > 127 && shift < 35; shift += 7) {
      byte = bytes[at++] as number
      value |= (byte & 127) << shift
    }
    this.#at = at
    return (value >>> 1) ^ -(value & 1)
  }

  /** A zigzag number of at most 64 bits, exact up to 2^53. */
  #varlong(bytes: Buffer): number {
    let at = this.#at
    let byte = bytes[at++] as number
    let value = byte & 127
    for (let weight = 128; byte > 127 && weight < 2 ** 70; weight *= 128) {
      byte = bytes[at++] as number
      value += (byte & 127) * weight
    }
    this.#at = at
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}

/** A record that is longer than what is left of its batch. */
export function cutOffRecord(baseOffset: number, index: number): WardenError {
  return corrupt(baseOffset, `record ${index} is cut off`)
}

/** A value that is longer than what is left of its record. */
export function longValue(baseOffset: number, index: number): WardenError {
  return corrupt(baseOffset, `the value of record ${index} is longer than the record`)
}

export function corrupt(offset: number, what: string, cause?: unknown): WardenError {
  return new WardenError(
    'source_corrupt',
    `the record batch at offset ${offset} is broken: ${what}`,
    { cause },
  )
}
