import type { WindowClosing } from '../../core/evidence.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'

/** What is known of a window of one metric: due and still `open`, or as it was closed. */
export type BlockKind = 'open' | WindowClosing['kind']

/** Why the number of a series is what it is. */
export const rowFlags = { absent: 0, events: 1, zero: 2 } as const

/** A number that late data changed after the window was closed. */
export interface Change {
  readonly at: EpochMs
  readonly series: number
  /** Values before, in the order of the aggregates; null: there was none. */
  readonly before: readonly (number | null)[]
  readonly flag: number
}

/** Changes that one window remembers; further ones only overwrite. */
const maxChanges = 1_000

/** The numbers of all series of a metric in one window, in columns. */
export class WindowBlock {
  readonly start: EpochMs
  readonly end: EpochMs
  kind: BlockKind = 'open'
  /** Processing time at which it was closed. */
  closedAt: EpochMs | undefined
  /** Since when every sink has it, as far as that was seen. */
  writtenAt: EpochMs | undefined
  readonly changes: Change[] = []
  readonly #columns: number
  #flags = new Uint8Array(0)
  #values: Float64Array[] = []

  constructor(start: EpochMs, end: EpochMs, columns: number) {
    this.start = start
    this.end = end
    this.#columns = columns
  }

  get size(): number {
    return this.#flags.length
  }

  flag(series: number): number {
    return this.#flags[series] ?? rowFlags.absent
  }

  /** NaN: there is none. */
  value(series: number, column: number): number {
    return this.#values[column]?.[series] ?? Number.NaN
  }

  /** Puts the values of a series in, in the order of the aggregates; NaN: none. @param room series to make room for */
  set(series: number, values: readonly number[], flag: number, room: number, now: EpochMs): void {
    this.#grow(Math.max(room, series + 1))
    if (this.kind !== 'open' && this.closedAt !== undefined && this.closedAt < now) {
      this.#remember(series, now)
    }
    this.#flags[series] = flag
    values.forEach((value, column) => {
      const column_ = this.#values[column]
      if (column_ !== undefined) column_[series] = value
    })
  }

  /** Forgets a series, whose id goes to another. */
  clear(series: number): void {
    if (series >= this.size) return
    this.#flags[series] = rowFlags.absent
    for (const column of this.#values) column[series] = Number.NaN
  }

  #remember(series: number, at: EpochMs): void {
    if (this.changes.length >= maxChanges) return
    const before = this.#values.map((column) => {
      const value = column[series] ?? Number.NaN
      return Number.isNaN(value) ? null : value
    })
    this.changes.push({ at, series, before, flag: this.flag(series) })
  }

  #grow(size: number): void {
    if (size <= this.size) return
    const flags = new Uint8Array(size)
    flags.set(this.#flags)
    this.#flags = flags
    this.#values = Array.from({ length: this.#columns }, (_, index) => {
      const column = new Float64Array(size).fill(Number.NaN)
      column.set(this.#values[index] ?? new Float64Array(0))
      return column
    })
  }

  /** Length of the head (u32), head as JSON, flags, columns of f64; little endian. */
  encode(): Uint8Array {
    const { start, end, kind, closedAt, writtenAt, changes } = this
    const head = Buffer.from(
      JSON.stringify({
        start,
        end,
        kind,
        closedAt,
        writtenAt,
        changes,
        size: this.size,
        columns: this.#columns,
      }),
    )
    const bytes = Buffer.alloc(4 + head.length + this.size * (1 + 8 * this.#columns))
    bytes.writeUInt32LE(head.length, 0)
    bytes.set(head, 4)
    bytes.set(this.#flags, 4 + head.length)
    let at = 4 + head.length + this.size
    for (const column of this.#values) {
      for (const value of column) {
        bytes.writeDoubleLE(value, at)
        at += 8
      }
    }
    return bytes
  }

  /** @param columns wanted now; columns that were stored beyond them are dropped, missing ones are empty */
  static decode(encoded: Uint8Array, columns: number): WindowBlock {
    const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength)
    const length = bytes.readUInt32LE(0)
    const head = JSON.parse(bytes.toString('utf8', 4, 4 + length)) as {
      readonly start: number
      readonly end: number
      readonly kind: BlockKind
      readonly closedAt?: EpochMs
      readonly writtenAt?: EpochMs
      readonly changes: readonly Change[]
      readonly size: number
      readonly columns: number
    }
    const block = new WindowBlock(epochMs(head.start), epochMs(head.end), columns)
    block.kind = head.kind
    block.closedAt = head.closedAt
    block.writtenAt = head.writtenAt
    block.changes.push(...head.changes)
    block.#grow(head.size)
    block.#flags.set(bytes.subarray(4 + length, 4 + length + head.size))
    let at = 4 + length + head.size
    for (let column = 0; column < head.columns; column++) {
      const into = block.#values[column]
      for (let series = 0; series < head.size; series++) {
        if (into !== undefined) into[series] = bytes.readDoubleLE(at)
        at += 8
      }
    }
    return block
  }
}
