import {
  blockLength,
  decodeBlock,
  encodeBlock,
  encodeFullBlocks,
  encodeHalvedBlocks,
  MAX_BLOCK_BYTES,
  MAX_BLOCK_POINTS,
} from './data-block.ts'
import { type LmdbBlockTable, MAX_TIME_MS, type StoredBlock } from './lmdb-block-table.ts'
import { RangeReader } from './lmdb-range-reader.ts'
import { mergePoints, PointColumns, type PointWrite } from './point-columns.ts'
import type { LastPoint } from './point-store.ts'
import { noPoints, type SeriesPoints } from './series-points.ts'

/**
 * Points that a tail holds at most. Series differ, so that those that grow in step do not all move their tails in one
 * transaction.
 */
const maxTailPoints = (seriesId: number): number => 48 + (seriesId % 33)

/** A block this full is left alone. */
const FULL_SHARE = 0.95

/**
 * The points of all series, in two tables of blocks (`data-block.ts`). Points come mostly at the end of a series: the newest ones
 * are its *tail*, a short block that lies close to the other tails, so that a write for every series changes few pages. A
 * long tail moves behind the last block of its series, which fills up. Points in between go to the block they belong
 * to, which is halved when it outgrows its row. All blocks of a series are before its tail.
 */
export class LmdbSeriesBlocks {
  readonly #table: LmdbBlockTable
  readonly #reader = new RangeReader()

  constructor(table: LmdbBlockTable) {
    this.#table = table
  }

  /** The points of a series with `fromMs ≤ time < toMs`, without their versions. Nobody may change the columns. */
  read(seriesId: number, fromMs: number, toMs: number): SeriesPoints {
    const tail = fromMs < toMs ? this.#table.tail(seriesId) : undefined
    if (tail === undefined) return noPoints
    const blocks = tail.firstMs > fromMs ? this.#table.holding(seriesId, fromMs, toMs) : []
    if (tail.firstMs < toMs) blocks.push(tail)
    return this.#reader.read(blocks, fromMs, toMs)
  }

  /** The newest point at or after `fromMs`; undefined when there is none. */
  lastPoint(seriesId: number, fromMs: number): LastPoint | undefined {
    const tail = this.#table.tail(seriesId)
    if (tail === undefined) return undefined
    const points = decoded(tail)
    const at = points.length - 1
    const timeMs = points.times[at] ?? 0
    if (timeMs < fromMs) return undefined
    return { timeMs, value: points.values[at] ?? 0, integer: points.integers[at] === 1 }
  }

  /** Merges ascending writes into what is stored; only inside of a transaction. */
  write(seriesId: number, writes: readonly PointWrite[]): void {
    const tail = this.#table.tail(seriesId)
    const tailMs = tail?.firstMs ?? Number.NEGATIVE_INFINITY
    const later = writes.findIndex((write) => write.timeMs >= tailMs)
    const split = later < 0 ? writes.length : later
    for (let from = 0; from < split; ) from = this.#writeBetween(seriesId, writes, from, split)
    if (split === writes.length) return
    const stored = tail === undefined ? new PointColumns() : decoded(tail)
    const merged = mergePoints(stored, writes.slice(split))
    const kept = merged.length > maxTailPoints(seriesId) ? merged.length - 1 : 0
    if (kept > 0) this.#moveTail(seriesId, merged, kept)
    const firstMs = merged.times[kept] ?? 0
    this.#table.putTail(seriesId, firstMs, encodeBlock(merged, kept, merged.length))
  }

  /** Moves the first `count` points of a tail behind the last block of the series. */
  #moveTail(seriesId: number, tail: PointColumns, count: number): void {
    const moved = new PointColumns(count)
    const last = this.#table.floor(seriesId, MAX_TIME_MS)
    const joins = last !== undefined && hasRoom(last.bytes)
    if (joins) decodeBlock(last.bytes, last.firstMs, moved)
    moved.append(tail, count)
    this.#table.replace(seriesId, joins ? last.firstMs : undefined, encodeFullBlocks(moved))
  }

  /**
   * Writes points before the tail to the block that holds their time, else to the first block of the series.
   * @returns index of the first write that belongs to another block
   */
  #writeBetween(seriesId: number, writes: readonly PointWrite[], from: number, to: number): number {
    const timeMs = writes[from]?.timeMs ?? 0
    const block = this.#table.floor(seriesId, timeMs) ?? this.#table.after(seriesId, timeMs)
    const nextMs =
      block === undefined ? undefined : this.#table.after(seriesId, block.firstMs)?.firstMs
    const endMs = nextMs ?? Number.POSITIVE_INFINITY
    let end = from + 1
    while (end < to && (writes[end]?.timeMs ?? 0) < endMs) end++
    const stored = block === undefined ? new PointColumns() : decoded(block)
    const merged = mergePoints(stored, writes.slice(from, end))
    this.#table.replace(seriesId, block?.firstMs, encodeHalvedBlocks(merged, 0, merged.length))
    return end
  }
}

/** The points of a block. */
export function decoded(block: StoredBlock): PointColumns {
  const points = new PointColumns(blockLength(block.bytes))
  decodeBlock(block.bytes, block.firstMs, points)
  return points
}

function hasRoom(bytes: Buffer): boolean {
  return (
    bytes.length < MAX_BLOCK_BYTES * FULL_SHARE &&
    blockLength(bytes) < MAX_BLOCK_POINTS * FULL_SHARE
  )
}
