import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { WardenError } from '../core/errors.ts'
import { type Annotation, annotationTimeMs } from './annotation.ts'
import { LmdbSeriesBlocks } from './lmdb-series-blocks.ts'
import { type NameKind, nameKinds } from './name-dictionary.ts'
import type { PointColumns, PointWrite } from './point-columns.ts'
import type { LastPoint, PointStore, StorePoint } from './point-store.ts'
import { type Series, SeriesIndex } from './series-index.ts'

/** Raised when what is on disk is laid out in another way. */
const FORMAT = 'warden-store-1'

/**
 * Points in one LMDB file: rows of many points (`LmdbSeriesBlocks`). Names and series are small rows, read into memory at the
 * start. One process may own the directory.
 */
export class LmdbPointStore implements PointStore {
  readonly index = new SeriesIndex()
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #blocks: LmdbSeriesBlocks
  readonly #names: Database<string, string>
  readonly #series: Database<string, string>
  readonly #notes: Database<string, string>
  readonly #file: string

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
      this.#blocks = new LmdbSeriesBlocks(this.#root)
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
      for (const [series, writes] of this.#bySeries(points)) this.#blocks.write(series.id, writes)
      return this.#saveIndex()
    })
    saved()
  }

  readPoints(seriesId: number, fromMs: number, toMs: number): PointColumns {
    return this.#blocks.read(seriesId, fromMs, toMs)
  }

  lastPoint(seriesId: number, fromMs: number): LastPoint | undefined {
    return this.#blocks.lastPoint(seriesId, fromMs)
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

/** Notes of a series lie together, in order of time. */
function noteKey(tsuid: string, timeMs: number): string {
  return `${tsuid}:${String(Math.max(0, Math.ceil(timeMs))).padStart(16, '0')}`
}
