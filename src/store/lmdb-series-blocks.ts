import type { Database, RootDatabase } from 'lmdb'
import {
  blockLength,
  decodeBlock,
  type EncodedBlock,
  encodeBlock,
  encodeFullBlocks,
  encodeHalvedBlocks,
  MAX_BLOCK_BYTES,
  MAX_BLOCK_POINTS,
} from './data-block.ts'
import { mergePoints, PointColumns, type PointWrite } from './point-columns.ts'
import type { LastPoint } from './point-store.ts'

/** Series id (4 bytes), time of the first point in ms (6 bytes), big endian: blocks of a series lie together, in order. */
const SERIES_KEY_BYTES = 4
const TIME_BYTES = 6
const MAX_TIME_MS = 2 ** 48 - 1

/**
 * Points that a tail holds at most. Series differ, so that those that grow in step do not all move their tails in one
 * transaction.
 */
const maxTailPoints = (seriesId: number): number => 48 + (seriesId % 33)

/** A block this full is left alone. */
const FULL_SHARE = 0.95

interface StoredBlock {
  readonly firstMs: number
  readonly bytes: Buffer
}

/**
 * The points of all series, in two tables of blocks (`data-block.ts`). Points come mostly at the end of a series: the newest ones
 * are its *tail*, a short block that lies close to the other tails, so that a write for every series changes few pages. A
 * long tail moves behind the last block of its series, which fills up. Points in between go to the block they belong
 * to, which is halved when it outgrows its row. All blocks of a series are before its tail.
 */
export class LmdbSeriesBlocks {
  readonly #blocks: Database<Buffer, Buffer>
  readonly #tails: Database<Buffer, Buffer>

  constructor(root: RootDatabase<Buffer, Buffer>) {
    this.#blocks = root.openDB<Buffer, Buffer>('blocks', {
      encoding: 'binary',
      keyEncoding: 'binary',
    })
    this.#tails = root.openDB<Buffer, Buffer>('tails', {
      encoding: 'binary',
      keyEncoding: 'binary',
    })
  }

  /** The points of a series with `fromMs ≤ time < toMs`. */
  read(seriesId: number, fromMs: number, toMs: number): PointColumns {
    const points = new PointColumns()
    if (fromMs >= toMs) return points
    const tail = this.#tail(seriesId)
    if (tail === undefined) return points
    if (tail.firstMs > fromMs) {
      const start = blockKey(seriesId, this.#floorBlock(seriesId, fromMs)?.firstMs ?? fromMs)
      const end = blockKey(seriesId, toMs)
      for (const { key, value } of this.#blocks.getRange({ start, end })) {
        decodeBlock(value, timeAt(key, SERIES_KEY_BYTES), points)
      }
    }
    if (tail.firstMs < toMs) decodeBlock(tail.bytes, tail.firstMs, points)
    points.clip(fromMs, toMs)
    return points
  }

  /** The newest point at or after `fromMs`; undefined when there is none. */
  lastPoint(seriesId: number, fromMs: number): LastPoint | undefined {
    const tail = this.#tail(seriesId)
    if (tail === undefined) return undefined
    const points = decoded(tail)
    const at = points.length - 1
    const timeMs = points.times[at] ?? 0
    if (timeMs < fromMs) return undefined
    return { timeMs, value: points.values[at] ?? 0, integer: points.integers[at] === 1 }
  }

  /** Merges ascending writes into what is stored; only inside of a transaction. */
  write(seriesId: number, writes: readonly PointWrite[]): void {
    const tail = this.#tail(seriesId)
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
    this.#tails.putSync(
      tailKey(seriesId),
      tailBytes(firstMs, encodeBlock(merged, kept, merged.length)),
    )
  }

  /** Moves the first `count` points of a tail behind the last block of the series. */
  #moveTail(seriesId: number, tail: PointColumns, count: number): void {
    const moved = new PointColumns(count)
    const last = this.#floorBlock(seriesId, MAX_TIME_MS)
    const joins = last !== undefined && hasRoom(last.bytes)
    if (joins) decodeBlock(last.bytes, last.firstMs, moved)
    moved.append(tail, count)
    this.#replace(seriesId, joins ? last.firstMs : undefined, encodeFullBlocks(moved))
  }

  /**
   * Writes points before the tail to the block that holds their time, else to the first block of the series.
   * @returns index of the first write that belongs to another block
   */
  #writeBetween(seriesId: number, writes: readonly PointWrite[], from: number, to: number): number {
    const timeMs = writes[from]?.timeMs ?? 0
    const block = this.#floorBlock(seriesId, timeMs) ?? this.#blockAfter(seriesId, timeMs)
    const nextMs =
      block === undefined ? undefined : this.#blockAfter(seriesId, block.firstMs)?.firstMs
    const endMs = nextMs ?? Number.POSITIVE_INFINITY
    let end = from + 1
    while (end < to && (writes[end]?.timeMs ?? 0) < endMs) end++
    const stored = block === undefined ? new PointColumns() : decoded(block)
    const merged = mergePoints(stored, writes.slice(from, end))
    this.#replace(seriesId, block?.firstMs, encodeHalvedBlocks(merged, 0, merged.length))
    return end
  }

  /** Puts blocks in the place of the one that starts at `replacedMs`. */
  #replace(
    seriesId: number,
    replacedMs: number | undefined,
    blocks: readonly EncodedBlock[],
  ): void {
    if (replacedMs !== undefined && blocks[0]?.firstMs !== replacedMs) {
      this.#blocks.removeSync(blockKey(seriesId, replacedMs))
    }
    for (const block of blocks) this.#blocks.putSync(blockKey(seriesId, block.firstMs), block.bytes)
  }

  #tail(seriesId: number): StoredBlock | undefined {
    const row = this.#tails.get(tailKey(seriesId))
    return row === undefined
      ? undefined
      : { firstMs: timeAt(row, 0), bytes: row.subarray(TIME_BYTES) }
  }

  #floorBlock(seriesId: number, timeMs: number): StoredBlock | undefined {
    const start = blockKey(seriesId, timeMs)
    const end = blockKey(seriesId, 0)
    for (const { key, value } of this.#blocks.getRange({ start, end, reverse: true, limit: 1 })) {
      return { firstMs: timeAt(key, SERIES_KEY_BYTES), bytes: value }
    }
    return undefined
  }

  #blockAfter(seriesId: number, timeMs: number): StoredBlock | undefined {
    const start = blockKey(seriesId, timeMs + 1)
    const end = blockKey(seriesId + 1, 0)
    for (const { key, value } of this.#blocks.getRange({ start, end, limit: 1 })) {
      return { firstMs: timeAt(key, SERIES_KEY_BYTES), bytes: value }
    }
    return undefined
  }
}

function decoded(block: StoredBlock): PointColumns {
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

function blockKey(seriesId: number, timeMs: number): Buffer {
  const key = Buffer.allocUnsafe(SERIES_KEY_BYTES + TIME_BYTES)
  key.writeUInt32BE(seriesId, 0)
  const bounded = Math.min(Math.max(Math.ceil(timeMs), 0), MAX_TIME_MS)
  key.writeUIntBE(bounded, SERIES_KEY_BYTES, TIME_BYTES)
  return key
}

function tailKey(seriesId: number): Buffer {
  const key = Buffer.allocUnsafe(SERIES_KEY_BYTES)
  key.writeUInt32BE(seriesId, 0)
  return key
}

/** A tail has its time in front of its block. */
function tailBytes(firstMs: number, block: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(TIME_BYTES + block.length)
  bytes.writeUIntBE(firstMs, 0, TIME_BYTES)
  block.copy(bytes, TIME_BYTES)
  return bytes
}

function timeAt(bytes: Buffer, at: number): number {
  return bytes.readUIntBE(at, TIME_BYTES)
}
