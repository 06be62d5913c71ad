import { existsSync, mkdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { WardenError } from '../core/errors.ts'
import { type Annotation, annotationTimeMs } from './annotation.ts'
import { LmdbBlockTable, pagesBytes } from './lmdb-block-table.ts'
import { LmdbSeriesBlocks } from './lmdb-series-blocks.ts'
import { horizonOf, LmdbSeriesUpkeep } from './lmdb-series-upkeep.ts'
import { type NameKind, nameKinds } from './name-dictionary.ts'
import type { PointWrite } from './point-columns.ts'
import type { Dropped, LastPoint, PointStore, StorePoint } from './point-store.ts'
import { type Series, SeriesIndex } from './series-index.ts'
import type { SeriesPoints } from './series-points.ts'

/** Raised when what is on disk is laid out in another way. */
const FORMAT = 'warden-store-1'

/** The file of a store in its directory. */
export const POINTS_FILE = 'points.mdb'

const HORIZON_KEY = Buffer.from('horizon')

/** Series that one transaction of the upkeep handles: writers wait no longer than for these. */
const SERIES_PER_COMMIT = 256

/**
 * Points in one LMDB file: rows of many points (`LmdbSeriesBlocks`). Names and series are small rows, read into memory at the
 * start. One process may write to the directory; others may read it meanwhile and see the series that were there when they opened it.
 */
export class LmdbPointStore implements PointStore {
  readonly index = new SeriesIndex()
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #table: LmdbBlockTable
  readonly #blocks: LmdbSeriesBlocks
  readonly #upkeep: LmdbSeriesUpkeep
  readonly #names: Database<string, string>
  readonly #series: Database<string, string>
  readonly #notes: Database<string, string>
  readonly #file: string
  /** Points before it are dropped, or will be; epoch ms. */
  #horizonMs = 0

  /**
   * @param readOnly nothing is written, and the store has to be there
   * @throws WardenError `state_corrupt` when the file can't be read, `state_incompatible` when another version wrote it
   */
  constructor(directory: string, readOnly = false, file = POINTS_FILE) {
    this.#file = join(directory, file)
    if (readOnly && !existsSync(this.#file)) {
      throw new WardenError('usage', `there is no store in ${directory}`)
    }
    try {
      if (!readOnly) mkdirSync(directory, { recursive: true })
      this.#root = open<Buffer, Buffer>({
        path: this.#file,
        encoding: 'binary',
        noSubdir: true,
        compression: false,
        maxDbs: 8,
        readOnly,
        // Reserved address space, not disk: the file grows as needed.
        mapSize: 2 ** 38,
      })
      this.#table = new LmdbBlockTable(this.#root)
      this.#blocks = new LmdbSeriesBlocks(this.#table)
      this.#upkeep = new LmdbSeriesUpkeep(this.#table)
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

  /** Opens a copy of a store, to be read only. */
  static openFile(path: string): LmdbPointStore {
    return new LmdbPointStore(dirname(path), true, basename(path))
  }

  async write(points: readonly StorePoint[]): Promise<void> {
    const saved = await this.#commit(() => {
      for (const [series, writes] of this.#bySeries(points)) this.#blocks.write(series.id, writes)
      return this.#saveIndex()
    })
    saved()
  }

  readPoints(seriesId: number, fromMs: number, toMs: number): SeriesPoints {
    return this.#blocks.read(seriesId, Math.max(fromMs, this.#horizonMs), toMs)
  }

  lastPoint(seriesId: number, fromMs: number): LastPoint | undefined {
    return this.#blocks.lastPoint(seriesId, Math.max(fromMs, this.#horizonMs))
  }

  annotations(tsuid: string, fromMs: number, toMs: number): Annotation[] {
    const found: Annotation[] = []
    const end = noteKey(tsuid, Math.floor(toMs) + 1)
    for (const { value } of this.#notes.getRange({ start: noteKey(tsuid, fromMs), end })) {
      found.push(JSON.parse(value) as Annotation)
    }
    return found
  }

  hasSeriesAnnotations(): boolean {
    // The keys of global ones begin with a colon, which lies between the digits.
    const between = [{ end: ':' }, { start: ';' }]
    return between.some((range) => [...this.#notes.getKeys({ ...range, limit: 1 })].length > 0)
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

  async dropBefore(beforeMs: number): Promise<Dropped> {
    let points = 0
    let series = 0
    if (beforeMs <= this.#horizonMs) return { points, series }
    await this.#commit(() => {
      this.#root.putSync(HORIZON_KEY, Buffer.from(String(beforeMs)))
      for (const key of [...this.#notes.getKeys()]) {
        if (Number(key.slice(key.indexOf(':') + 1)) < beforeMs) this.#notes.removeSync(key)
      }
    })
    this.#horizonMs = beforeMs
    await this.#perSeries((batch) => {
      const gone = new Set<Series>()
      for (const one of batch) {
        const dropped = this.#upkeep.dropBefore(one.id, beforeMs)
        points += dropped.points
        if (!dropped.gone) continue
        this.#series.removeSync(seriesKey(one.id))
        gone.add(one)
      }
      series += gone.size
      // Before anybody else can write to it: a series that comes back is a new one.
      this.index.remove(gone)
      return () => {
        for (const one of gone) this.index.restore(one.id, one.uids)
      }
    })
    return { points, series }
  }

  async compact(beforeMs: number): Promise<number> {
    let freed = 0
    await this.#perSeries((batch) => {
      for (const one of batch) freed += this.#upkeep.compact(one.id, beforeMs)
      return () => {}
    })
    return freed
  }

  horizonToFree(bytes: number): number | undefined {
    return horizonOf(
      this.index.all().flatMap(({ id }) => this.#upkeep.spans(id)),
      bytes,
    )
  }

  async backup(path: string): Promise<void> {
    await this.#root.backup(path, true)
  }

  usedBytes(): number {
    // Else the figures are those of the last read.
    this.#root.resetReadTxn()
    return (
      this.#table.usedBytes() +
      pagesBytes(this.#names) +
      pagesBytes(this.#series) +
      pagesBytes(this.#notes)
    )
  }

  sizeBytes(): number {
    return statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0
  }

  async close(): Promise<void> {
    await this.#root.close()
  }

  /** Runs `change` on all series, a transaction for some of them; what it returns is called when that transaction failed. */
  async #perSeries(change: (batch: readonly Series[]) => () => void): Promise<void> {
    const all = [...this.index.all()]
    for (let at = 0; at < all.length; at += SERIES_PER_COMMIT) {
      let undo = (): void => {}
      try {
        await this.#commit(() => {
          undo = change(all.slice(at, at + SERIES_PER_COMMIT))
        })
      } catch (error) {
        undo()
        throw error
      }
    }
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
    for (const one of series) this.#series.putSync(seriesKey(one.id), one.uids.join(' '))
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
    this.#horizonMs = Number(this.#root.get(HORIZON_KEY)?.toString() ?? 0)
    if (found === undefined) this.#root.putSync(key, Buffer.from(FORMAT))
    else if (found !== FORMAT) {
      throw new WardenError(
        'state_incompatible',
        `the store in ${directory} has the format ${found}, this version reads ${FORMAT}; export it with the version that wrote it`,
      )
    }
  }
}

const seriesKey = (id: number): string => String(id).padStart(10, '0')

/** Notes of a series lie together, in order of time. */
function noteKey(tsuid: string, timeMs: number): string {
  return `${tsuid}:${String(Math.max(0, Math.ceil(timeMs))).padStart(16, '0')}`
}
