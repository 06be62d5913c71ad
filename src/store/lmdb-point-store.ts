import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { WardenError } from '../core/errors.ts'
import { type Annotation, annotationTimeMs } from './annotation.ts'
import { decodeBlock, encodeFullBlocks, encodeHalvedBlocks } from './data-block.ts'
import { type NameKind, nameKinds } from './name-dictionary.ts'
import { mergePoints, PointColumns, type PointWrite } from './point-columns.ts'
import type { LastPoint, PointStore, StorePoint } from './point-store.ts'
import { type Series, SeriesIndex } from './series-index.ts'

/** Series id (4 bytes), time of the first point in ms (6 bytes), big endian: blocks of a series lie together, in order. */
const BLOCK_KEY_BYTES = 10
const MAX_TIME_MS = 2 ** 48 - 1

/** Raised when what is on disk is laid out in another way. */
const FORMAT = 'warden-store-1'

/**
 * Points in one LMDB file: a row is a block of up to 1,024 points of a series (`data-block.ts`). A block that outgrows its row is
 * split; one that is full at the end of its series stays full. Names and series are small rows, read into memory at
 * the start. One process may own the directory.
 */
export class LmdbPointStore implements PointStore {
  readonly index = new SeriesIndex()
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #blocks: Database<Buffer, Buffer>
  readonly #names: Database<string, string>
  readonly #series: Database<string, string>
  readonly #notes: Database<string, string>
  readonly #file: string
  /** Series id → time of its newest block, where known. */
  readonly #tails = new Map<number, number>()

  /** @throws WardenError `state_corrupt` when the file can't be read, `state_incompatible` when another version wrote it. */
  constructor(directory: string) {
    this.#file = join(directory, 'points.mdb')
    try {
      mkdirSync(directory, { recursive: true })
      this.#root = open<Buffer, Buffer>({
        path: this.#file,
        encoding: 'binary',
        noSubdir: true,
        compression: false,
        maxDbs: 8,
        // Reserved address space, not disk: the file grows as needed.
        mapSize: 2 ** 38,
      })
      this.#blocks = this.#root.openDB<Buffer, Buffer>('blocks', {
        encoding: 'binary',
        keyEncoding: 'binary',
      })
      this.#names = this.#root.openDB<string, string>('names', { encoding: 'string' })
      this.#series = this.#root.openDB<string, string>('series', { encoding: 'string' })
      this.#notes = this.#root.openDB<string, string>('annotations', { encoding: 'string' })
      this.#checkFormat(directory)
      this.#loadIndex()
    } catch (cause) {
      if (cause instanceof WardenError) throw cause
      throw new WardenError(
        'state_corrupt',
        `can't open the store in ${directory}: ${String(cause)}`,
        { cause },
      )
    }
  }

  async write(points: readonly StorePoint[]): Promise<void> {
    const saved = await this.#commit(() => {
      for (const [series, writes] of this.#bySeries(points)) this.#writeSeries(series.id, writes)
      return this.#saveIndex()
    })
    saved()
  }

  readPoints(seriesId: number, fromMs: number, toMs: number): PointColumns {
    const points = new PointColumns()
    if (fromMs >= toMs) return points
    const start = blockKey(seriesId, this.#floorBlock(seriesId, fromMs)?.firstMs ?? fromMs)
    for (const { key, value } of this.#blocks.getRange({ start, end: blockKey(seriesId, toMs) })) {
      decodeBlock(value, firstMsOf(key), points)
    }
    points.clip(fromMs, toMs)
    return points
  }

  lastPoint(seriesId: number, fromMs: number): LastPoint | undefined {
    const block = this.#floorBlock(seriesId, MAX_TIME_MS)
    if (block === undefined) return undefined
    const points = new PointColumns()
    decodeBlock(block.bytes, block.firstMs, points)
    const at = points.length - 1
    const timeMs = points.times[at] ?? 0
    if (timeMs < fromMs) return undefined
    return { timeMs, value: points.values[at] ?? 0, integer: points.integers[at] === 1 }
  }

  annotations(tsuid: string, fromMs: number, toMs: number): Annotation[] {
    const found: Annotation[] = []
    const end = noteKey(tsuid, Math.floor(toMs) + 1)
    for (const { value } of this.#notes.getRange({ start: noteKey(tsuid, fromMs), end })) {
      found.push(JSON.parse(value) as Annotation)
    }
    return found
  }

  annotation(tsuid: string, startTime: number): Annotation | undefined {
    const text = this.#notes.get(noteKey(tsuid, annotationTimeMs(startTime)))
    return text === undefined ? undefined : (JSON.parse(text) as Annotation)
  }

  async putAnnotation(annotation: Annotation): Promise<void> {
    const key = noteKey(annotation.tsuid, annotationTimeMs(annotation.startTime))
    await this.#commit(() => {
      this.#notes.putSync(key, JSON.stringify(annotation))
    })
  }

  async removeAnnotation(tsuid: string, startTime: number): Promise<boolean> {
    const key = noteKey(tsuid, annotationTimeMs(startTime))
    return this.#commit(() => this.#notes.removeSync(key))
  }

  sizeBytes(): number {
    return statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0
  }

  async close(): Promise<void> {
    await this.#root.close()
  }

  /** All of `run` or nothing; durable when it resolves. */
  async #commit<T>(run: () => T): Promise<T> {
    try {
      const result = await this.#root.childTransaction(run)
      await this.#root.flushed
      return result
    } catch (cause) {
      // What the cache says may never have reached the disk.
      this.#tails.clear()
      throw new WardenError('state_write_failed', `can't write the store: ${String(cause)}`, {
        cause,
      })
    }
  }

  #bySeries(points: readonly StorePoint[]): Map<Series, PointWrite[]> {
    const bySeries = new Map<Series, PointWrite[]>()
    for (const point of points) {
      const series = this.index.assign(point.metric, point.tags)
      const writes = bySeries.get(series)
      if (writes === undefined) bySeries.set(series, [point])
      else writes.push(point)
    }
    // The sort is stable: writes of one timestamp stay in order of arrival.
    for (const writes of bySeries.values()) writes.sort((left, right) => left.timeMs - right.timeMs)
    return bySeries
  }

  /** Merges ascending writes into the blocks they belong to. */
  #writeSeries(seriesId: number, writes: readonly PointWrite[]): void {
    for (let from = 0; from < writes.length; ) {
      const target = this.#targetBlock(seriesId, writes[from]?.timeMs ?? 0)
      let to = from + 1
      while (to < writes.length && (writes[to]?.timeMs ?? 0) < target.endMs) to++
      this.#writeBlock(seriesId, target, writes.slice(from, to))
      from = to
    }
  }

  #writeBlock(seriesId: number, target: TargetBlock, writes: readonly PointWrite[]): void {
    const stored = new PointColumns()
    if (target.bytes !== undefined) decodeBlock(target.bytes, target.firstMs, stored)
    const merged = mergePoints(stored, writes)
    const appended = (writes[0]?.timeMs ?? 0) > (stored.times[stored.length - 1] ?? 0)
    const blocks =
      appended || stored.length === 0
        ? encodeFullBlocks(merged)
        : encodeHalvedBlocks(merged, 0, merged.length)
    if (target.bytes !== undefined && blocks[0]?.firstMs !== target.firstMs) {
      this.#blocks.removeSync(blockKey(seriesId, target.firstMs))
    }
    for (const block of blocks) this.#blocks.putSync(blockKey(seriesId, block.firstMs), block.bytes)
    const tail = blocks.at(-1)
    if (target.endMs === Number.POSITIVE_INFINITY && tail !== undefined) {
      this.#tails.set(seriesId, tail.firstMs)
    }
  }

  /** The block that holds or should take a point: the last one that starts at or before it, else the first of the series. */
  #targetBlock(seriesId: number, timeMs: number): TargetBlock {
    const tailMs = this.#tails.get(seriesId)
    if (tailMs !== undefined && timeMs >= tailMs) {
      const bytes = this.#blocks.get(blockKey(seriesId, tailMs))
      if (bytes !== undefined) return { firstMs: tailMs, bytes, endMs: Number.POSITIVE_INFINITY }
    }
    const block = this.#floorBlock(seriesId, timeMs) ?? this.#blockAfter(seriesId, timeMs)
    if (block === undefined)
      return { firstMs: timeMs, bytes: undefined, endMs: Number.POSITIVE_INFINITY }
    const after = this.#blockAfter(seriesId, block.firstMs)
    return { ...block, endMs: after?.firstMs ?? Number.POSITIVE_INFINITY }
  }

  #floorBlock(seriesId: number, timeMs: number): StoredBlock | undefined {
    const start = blockKey(seriesId, timeMs)
    const end = blockKey(seriesId, 0)
    for (const { key, value } of this.#blocks.getRange({ start, end, reverse: true, limit: 1 })) {
      return { firstMs: firstMsOf(key), bytes: value }
    }
    return undefined
  }

  #blockAfter(seriesId: number, timeMs: number): StoredBlock | undefined {
    const start = blockKey(seriesId, timeMs + 1)
    const end = blockKey(seriesId + 1, 0)
    for (const { key, value } of this.#blocks.getRange({ start, end, limit: 1 })) {
      return { firstMs: firstMsOf(key), bytes: value }
    }
    return undefined
  }

  /** Writes what is new in the index; the result is to be called when it is durable. */
  #saveIndex(): () => void {
    const series = [...this.index.unsaved]
    for (const one of series)
      this.#series.putSync(String(one.id).padStart(10, '0'), one.uids.join(' '))
    const names = nameKinds.map((kind) => [kind, [...this.index.names[kind].unsaved]] as const)
    for (const [kind, ids] of names) {
      for (const id of ids) this.#names.putSync(`${kind}:${id}`, this.index.names[kind].nameOf(id))
    }
    return () => {
      for (const one of series) this.index.unsaved.delete(one)
      for (const [kind, ids] of names) {
        for (const id of ids) this.index.names[kind].unsaved.delete(id)
      }
    }
  }

  #loadIndex(): void {
    for (const { key, value } of this.#names.getRange()) {
      const [kind, id] = key.split(':')
      this.index.names[kind as NameKind].restore(Number(id), value)
    }
    for (const { key, value } of this.#series.getRange()) {
      this.index.restore(Number(key), value.split(' ').map(Number))
    }
  }

  #checkFormat(directory: string): void {
    const key = Buffer.from('format')
    const found = this.#root.get(key)?.toString()
    if (found === undefined) this.#root.putSync(key, Buffer.from(FORMAT))
    else if (found !== FORMAT) {
      throw new WardenError(
        'state_incompatible',
        `the store in ${directory} has the format ${found}, this version reads ${FORMAT}; export it with the version that wrote it`,
      )
    }
  }
}

interface StoredBlock {
  readonly firstMs: number
  readonly bytes: Buffer
}

interface TargetBlock {
  readonly firstMs: number
  /** Undefined for a block that is yet to be written. */
  readonly bytes: Buffer | undefined
  /** Start of the block after it; points from there on belong to that. */
  readonly endMs: number
}

function blockKey(seriesId: number, timeMs: number): Buffer {
  const key = Buffer.allocUnsafe(BLOCK_KEY_BYTES)
  key.writeUInt32BE(seriesId, 0)
  key.writeUIntBE(Math.min(Math.max(Math.ceil(timeMs), 0), MAX_TIME_MS), 4, 6)
  return key
}

function firstMsOf(key: Buffer): number {
  return key.readUIntBE(4, 6)
}

/** Notes of a series lie together, in order of time. */
function noteKey(tsuid: string, timeMs: number): string {
  return `${tsuid}:${String(Math.max(0, Math.ceil(timeMs))).padStart(16, '0')}`
}
