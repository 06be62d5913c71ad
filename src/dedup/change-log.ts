import { WardenError } from '../core/errors.ts'
import type { EntryLayout } from './shard.ts'

const version = 1
const headerBytes = 8
/** Entries of one blob, at most: taking the changes never copies more, however many there are. */
const maxEntries = 32_768

/** One decoded entry; `values` are columns, read at `row`. Reused by the next entry. */
export interface LoggedEntry {
  high: number
  low: number
  outcome: number
  time: number
  tie: number
  values: readonly Float64Array[]
  row: number
}

/**
 * Entries new or changed since the last checkpoint, in columns; encoded they are blobs of the checkpoint.
 * Blob (little-endian): version u8, timed u8, value columns u16, entries u32, then the columns keys (u32 high, low), outcomes u8,
 * padding to 8, times f64, values f64 column by column, ties u32.
 */
export class ChangeLog {
  readonly #layout: EntryLayout
  /** Encoded already. */
  readonly #full: Uint8Array[] = []
  #length = 0
  #keys: Uint32Array
  #outcomes: Uint8Array
  #times: Float64Array
  #ties: Uint32Array
  #values: Float64Array[]

  constructor(layout: EntryLayout) {
    this.#layout = layout
    this.#keys = new Uint32Array(0)
    this.#outcomes = new Uint8Array(0)
    this.#times = new Float64Array(0)
    this.#ties = new Uint32Array(0)
    this.#values = Array.from({ length: layout.values }, () => new Float64Array(0))
  }

  get length(): number {
    return this.#full.length * maxEntries + this.#length
  }

  get bytes(): number {
    const values = this.#values.reduce((bytes, column) => bytes + column.byteLength, 0)
    const timed = this.#times.byteLength + this.#ties.byteLength
    const full = this.#full.reduce((bytes, blob) => bytes + blob.byteLength, 0)
    return full + this.#keys.byteLength + this.#outcomes.byteLength + timed + values
  }

  append(
    high: number,
    low: number,
    outcome: number,
    time: number,
    tie: number,
    values: readonly Float64Array[],
    row: number,
  ): void {
    if (this.#length === maxEntries) {
      this.#full.push(this.#encode())
      this.#length = 0
    }
    const at = this.#length++
    if (at === this.#outcomes.length) this.#resize(Math.max(64, at * 2))
    this.#keys[at * 2] = high
    this.#keys[at * 2 + 1] = low
    this.#outcomes[at] = outcome
    if (!this.#layout.timed) return
    this.#times[at] = time
    this.#ties[at] = tie
    for (let index = 0; index < this.#values.length; index++) {
      const column = this.#values[index]
      if (column !== undefined) column[at] = values[index]?.[row] ?? Number.NaN
    }
  }

  /** Takes the oldest entries out as a blob; undefined when the log is empty. */
  take(): Uint8Array | undefined {
    const full = this.#full.shift()
    const count = this.#length
    if (full !== undefined || count === 0) return full
    const blob = this.#encode()
    this.#length = 0
    // A log that grew in a burst gives its memory back.
    if (this.#outcomes.length > 4 * count + 1024) this.#resize(Math.max(64, count * 2))
    return blob
  }

  #encode(): Uint8Array {
    const count = this.#length
    const { timed, values } = this.#layout
    const at = columnOffsets(count, this.#layout)
    const blob = new Uint8Array(at.end)
    const header = new DataView(blob.buffer)
    header.setUint8(0, version)
    header.setUint8(1, timed ? 1 : 0)
    header.setUint16(2, values, true)
    header.setUint32(4, count, true)
    new Uint32Array(blob.buffer, at.keys, count * 2).set(this.#keys.subarray(0, count * 2))
    blob.set(this.#outcomes.subarray(0, count), at.outcomes)
    if (timed) {
      new Float64Array(blob.buffer, at.times, count).set(this.#times.subarray(0, count))
      this.#values.forEach((column, index) => {
        new Float64Array(blob.buffer, at.values + index * count * 8, count).set(
          column.subarray(0, count),
        )
      })
      new Uint32Array(blob.buffer, at.ties, count).set(this.#ties.subarray(0, count))
    }
    return blob
  }

  /** @throws WardenError `state_corrupt` when the blob is not of this layout */
  static *decode(blob: Uint8Array, layout: EntryLayout): Iterable<LoggedEntry> {
    // A Buffer's own slice would be a view of a pool that is not aligned.
    const bytes = new Uint8Array(blob)
    const header = new DataView(bytes.buffer)
    const count = bytes.length < headerBytes ? 0 : header.getUint32(4, true)
    const sound =
      bytes.length >= headerBytes &&
      header.getUint8(0) === version &&
      header.getUint8(1) === (layout.timed ? 1 : 0) &&
      header.getUint16(2, true) === layout.values &&
      bytes.length === columnOffsets(count, layout).end
    if (!sound)
      throw new WardenError('state_corrupt', 'a dedup blob in the state has another layout')
    const at = columnOffsets(count, layout)
    const keys = new Uint32Array(bytes.buffer, at.keys, count * 2)
    const times = layout.timed ? new Float64Array(bytes.buffer, at.times, count) : undefined
    const ties = layout.timed ? new Uint32Array(bytes.buffer, at.ties, count) : undefined
    const values = Array.from(
      { length: layout.values },
      (_, index) => new Float64Array(bytes.buffer, at.values + index * count * 8, count),
    )
    const entry: LoggedEntry = { high: 0, low: 0, outcome: 0, time: 0, tie: 0, values, row: 0 }
    for (let row = 0; row < count; row++) {
      entry.high = keys[row * 2] as number
      entry.low = keys[row * 2 + 1] as number
      entry.outcome = bytes[at.outcomes + row] as number
      entry.time = times?.[row] ?? 0
      entry.tie = ties?.[row] ?? 0
      entry.row = row
      yield entry
    }
  }

  #resize(capacity: number): void {
    const keep = this.#length
    const keys = new Uint32Array(capacity * 2)
    keys.set(this.#keys.subarray(0, keep * 2))
    this.#keys = keys
    const outcomes = new Uint8Array(capacity)
    outcomes.set(this.#outcomes.subarray(0, keep))
    this.#outcomes = outcomes
    if (!this.#layout.timed) return
    const times = new Float64Array(capacity)
    times.set(this.#times.subarray(0, keep))
    this.#times = times
    const ties = new Uint32Array(capacity)
    ties.set(this.#ties.subarray(0, keep))
    this.#ties = ties
    this.#values = this.#values.map((column) => {
      const next = new Float64Array(capacity)
      next.set(column.subarray(0, keep))
      return next
    })
  }
}

function columnOffsets(count: number, layout: EntryLayout) {
  const keys = headerBytes
  const outcomes = keys + count * 8
  if (!layout.timed) {
    const end = outcomes + count
    return { keys, outcomes, times: end, values: end, ties: end, end }
  }
  const times = Math.ceil((outcomes + count) / 8) * 8
  const values = times + count * 8
  const ties = values + count * 8 * layout.values
  return { keys, outcomes, times, values, ties, end: ties + count * 4 }
}
