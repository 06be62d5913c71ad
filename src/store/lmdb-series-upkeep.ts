import { blockLength, encodeFullBlocks, MAX_BLOCK_BYTES, MAX_BLOCK_POINTS } from './data-block.ts'
import { type LmdbBlockTable, MAX_TIME_MS, type StoredBlock } from './lmdb-block-table.ts'
import { decoded } from './lmdb-series-blocks.ts'
import { PointColumns } from './point-columns.ts'

/** What dropping the old points of a series did. */
export interface SeriesDrop {
  readonly points: number
  /** Nothing of the series is left. */
  readonly gone: boolean
}

/** A block takes `bytes` for the points in `fromMs ≤ time < toMs`. */
export interface BlockSpan {
  readonly fromMs: number
  readonly toMs: number
  readonly bytes: number
}

/** A block is written anew when at least this share of it is dropped; reads leave out the rest. */
const TRIM_SHARE = 1 / 8

/** Takes old points away and puts small blocks together; only inside of a transaction. */
export class LmdbSeriesUpkeep {
  readonly #table: LmdbBlockTable

  constructor(table: LmdbBlockTable) {
    this.#table = table
  }

  /** Drops the points before `beforeMs`; up to an eighth of one block may stay. */
  dropBefore(seriesId: number, beforeMs: number): SeriesDrop {
    const tail = this.#table.tail(seriesId)
    if (tail === undefined) return { points: 0, gone: true }
    const blocks = copied(this.#table.range(seriesId, 0, beforeMs))
    let points = 0
    for (const [at, block] of blocks.entries()) {
      const next = blocks[at + 1] ?? this.#table.after(seriesId, block.firstMs) ?? tail
      points +=
        next.firstMs <= beforeMs
          ? this.#drop(seriesId, block)
          : this.#trim(seriesId, block, beforeMs)
    }
    if (tail.firstMs >= beforeMs) return { points, gone: false }
    const kept = decoded(tail)
    const before = kept.length
    kept.clip(beforeMs, MAX_TIME_MS)
    if (kept.length === 0) {
      this.#table.removeTail(seriesId)
      return { points: points + before, gone: true }
    }
    const [encoded] = encodeFullBlocks(kept)
    if (encoded !== undefined) this.#table.putTail(seriesId, encoded.firstMs, encoded.bytes)
    return { points: points + before - kept.length, gone: false }
  }

  /**
   * Puts neighbouring blocks that end before `beforeMs` together where that frees a row: late points and imports leave half-full
   * ones behind.
   * @returns rows that became free
   */
  compact(seriesId: number, beforeMs: number): number {
    const tail = this.#table.tail(seriesId)
    if (tail === undefined) return 0
    const blocks = copied(this.#table.range(seriesId, 0, beforeMs))
    const last = blocks.at(-1)
    // The newest block before the tail is still being filled.
    if (last !== undefined && this.#table.after(seriesId, last.firstMs) === undefined) blocks.pop()
    let freed = 0
    for (const run of wastefulRuns(blocks)) freed += this.#merge(seriesId, run)
    return freed
  }

  /** What time the blocks of a series cover, and what they weigh; without its tail. */
  spans(seriesId: number): BlockSpan[] {
    const tail = this.#table.tail(seriesId)
    const spans = Array.from(
      this.#table.range(seriesId, 0, Number.POSITIVE_INFINITY),
      ({ firstMs, bytes }) => ({ fromMs: firstMs, toMs: firstMs, bytes: bytes.length }),
    )
    for (const [at, span] of spans.entries()) {
      span.toMs = spans[at + 1]?.fromMs ?? tail?.firstMs ?? span.fromMs
    }
    return spans
  }

  #drop(seriesId: number, block: StoredBlock): number {
    this.#table.remove(seriesId, block.firstMs)
    return blockLength(block.bytes)
  }

  #trim(seriesId: number, block: StoredBlock, beforeMs: number): number {
    const kept = decoded(block)
    const before = kept.length
    kept.clip(beforeMs, MAX_TIME_MS)
    const dropped = before - kept.length
    if (dropped < before * TRIM_SHARE) return 0
    this.#table.replace(seriesId, block.firstMs, encodeFullBlocks(kept))
    return dropped
  }

  #merge(seriesId: number, run: readonly StoredBlock[]): number {
    const merged = new PointColumns()
    for (const block of run) merged.append(decoded(block), blockLength(block.bytes))
    const blocks = encodeFullBlocks(merged)
    if (blocks.length >= run.length) return 0
    for (const block of run) this.#table.remove(seriesId, block.firstMs)
    this.#table.replace(seriesId, undefined, blocks)
    return run.length - blocks.length
  }
}

/** The time before which `bytes` of the blocks lie, if their points are spread evenly; undefined when they weigh less. */
export function horizonOf(spans: readonly BlockSpan[], bytes: number): number | undefined {
  const before = (timeMs: number): number =>
    spans.reduce((sum, { fromMs, toMs, bytes: weight }) => {
      if (toMs <= timeMs) return sum + weight
      return timeMs <= fromMs ? sum : sum + (weight * (timeMs - fromMs)) / (toMs - fromMs)
    }, 0)
  let low = spans.reduce((least, { fromMs }) => Math.min(least, fromMs), Number.POSITIVE_INFINITY)
  let high = spans.reduce((most, { toMs }) => Math.max(most, toMs), 0)
  if (spans.length === 0 || before(high) < bytes) return undefined
  while (high - low > 1_000) {
    const middle = (low + high) / 2
    if (before(middle) < bytes) low = middle
    else high = middle
  }
  return Math.ceil(high)
}

/** Blocks in memory of their own: what a range gives is overwritten by the next write. */
function copied(blocks: Iterable<StoredBlock>): StoredBlock[] {
  return Array.from(blocks, ({ firstMs, bytes }) => ({ firstMs, bytes: Buffer.from(bytes) }))
}

/** Neighbours that are written anew together at most: some 10 ms of work. */
const RUN_BLOCKS = 16

/** Runs of neighbours that may take fewer rows, as far as their sizes tell. */
function wastefulRuns(blocks: readonly StoredBlock[]): StoredBlock[][] {
  const runs: StoredBlock[][] = []
  for (let at = 0; at < blocks.length; at += RUN_BLOCKS) {
    const run = blocks.slice(at, at + RUN_BLOCKS)
    const bytes = run.reduce((sum, block) => sum + block.bytes.length, 0)
    const points = run.reduce((sum, block) => sum + blockLength(block.bytes), 0)
    const rows = Math.ceil(Math.max(bytes / MAX_BLOCK_BYTES, points / MAX_BLOCK_POINTS))
    if (rows < run.length) runs.push(run)
  }
  return runs
}
