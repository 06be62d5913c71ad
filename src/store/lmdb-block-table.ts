import type { Database, RootDatabase } from 'lmdb'
import type { EncodedBlock } from './data-block.ts'

/** Series id (4 bytes), time of the first point in ms (6 bytes), big endian: blocks of a series lie together, in order. */
const SERIES_KEY_BYTES = 4
const TIME_BYTES = 6
export const MAX_TIME_MS = 2 ** 48 - 1

export interface StoredBlock {
  readonly firstMs: number
  readonly bytes: Buffer
}

/** The rows of all series as bytes: full blocks, and one short *tail* a series. All blocks of a series are before its tail. */
export class LmdbBlockTable {
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

  tail(seriesId: number): StoredBlock | undefined {
    const row = this.#tails.get(tailKey(seriesId))
    return row === undefined
      ? undefined
      : { firstMs: timeAt(row, 0), bytes: row.subarray(TIME_BYTES) }
  }

  /** Only inside of a transaction, as are the other changes. */
  putTail(seriesId: number, firstMs: number, bytes: Buffer): void {
    this.#tails.putSync(tailKey(seriesId), tailBytes(firstMs, bytes))
  }

  removeTail(seriesId: number): void {
    this.#tails.removeSync(tailKey(seriesId))
  }

  /** The last block that starts at or before `timeMs`. */
  floor(seriesId: number, timeMs: number): StoredBlock | undefined {
    const start = blockKey(seriesId, timeMs)
    const end = blockKey(seriesId, 0)
    for (const { key, value } of this.#blocks.getRange({ start, end, reverse: true, limit: 1 })) {
      return { firstMs: timeAt(key, SERIES_KEY_BYTES), bytes: value }
    }
    return undefined
  }

  /** The first block that starts after `timeMs`. */
  after(seriesId: number, timeMs: number): StoredBlock | undefined {
    const start = blockKey(seriesId, timeMs + 1)
    const end = blockKey(seriesId + 1, 0)
    for (const { key, value } of this.#blocks.getRange({ start, end, limit: 1 })) {
      return { firstMs: timeAt(key, SERIES_KEY_BYTES), bytes: value }
    }
    return undefined
  }

  /** The blocks of a series that start in `fromMs ≤ time < toMs`, in order; valid until the next turn of the event loop. */
  *range(seriesId: number, fromMs: number, toMs: number): Generator<StoredBlock> {
    const start = blockKey(seriesId, fromMs)
    const end = toMs > MAX_TIME_MS ? blockKey(seriesId + 1, 0) : blockKey(seriesId, toMs)
    for (const { key, value } of this.#blocks.getRange({ start, end })) {
      yield { firstMs: timeAt(key, SERIES_KEY_BYTES), bytes: value }
    }
  }

  /** The blocks of a series that may hold points with `fromMs ≤ time < toMs`, in order; valid as those of `range`. */
  holding(seriesId: number, fromMs: number, toMs: number): StoredBlock[] {
    // Backwards, so that one walk finds the block that begins before the range too.
    const start = blockKey(seriesId, Math.ceil(toMs) - 1)
    const end = blockKey(seriesId, 0)
    const blocks: StoredBlock[] = []
    for (const { key, value } of this.#blocks.getRange({ start, end, reverse: true })) {
      const firstMs = timeAt(key, SERIES_KEY_BYTES)
      blocks.push({ firstMs, bytes: value })
      if (firstMs <= fromMs) break
    }
    return blocks.reverse()
  }

  /** Bytes of the pages that blocks and tails take. */
  usedBytes(): number {
    return pagesBytes(this.#blocks) + pagesBytes(this.#tails)
  }

  remove(seriesId: number, firstMs: number): void {
    this.#blocks.removeSync(blockKey(seriesId, firstMs))
  }

  /** Puts blocks in the place of the one that starts at `replacedMs`; undefined: of none. */
  replace(seriesId: number, replacedMs: number | undefined, blocks: readonly EncodedBlock[]): void {
    if (replacedMs !== undefined && blocks[0]?.firstMs !== replacedMs) {
      this.remove(seriesId, replacedMs)
    }
    for (const block of blocks) this.#blocks.putSync(blockKey(seriesId, block.firstMs), block.bytes)
  }
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

/** What `getStats` gives for a table; the declaration of the library leaves it open. */
interface TableStats {
  readonly pageSize: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

/** Bytes of the pages of a table. */
export function pagesBytes(table: { getStats(): object }): number {
  const stats = table.getStats() as TableStats
  return (
    (stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages) * stats.pageSize
  )
}
