import type { Annotation } from './annotation.ts'
import type { SeriesIndex } from './series-index.ts'
import type { SeriesPoints } from './series-points.ts'

/** A valid point for the store. */
export interface StorePoint {
  readonly metric: string
  readonly tags: Readonly<Record<string, string>>
  /** Epoch ms, > 0. */
  readonly timeMs: number
  readonly value: number
  readonly integer: boolean
  /** `UNVERSIONED` for a plain put, which always wins; see `mergePoints`. */
  readonly incarnation: number
  readonly revision: number
}

/** What a query reads from. */
export interface SeriesReader {
  readonly index: SeriesIndex
  /** The points of a series with `fromMs ≤ time < toMs`; nobody may change the columns. */
  readPoints(seriesId: number, fromMs: number, toMs: number): SeriesPoints
  /** The newest point of a series at or after `fromMs`; undefined when there is none. */
  lastPoint(seriesId: number, fromMs: number): LastPoint | undefined
  /** Notes of a series (`''`: global ones) with `fromMs ≤ start ≤ toMs`, in order of time. */
  annotations(tsuid: string, fromMs: number, toMs: number): Annotation[]
  /** Has any series a note? Mostly none has, and asking for each takes a tenth of a query. */
  hasSeriesAnnotations(): boolean
}

export interface LastPoint {
  readonly timeMs: number
  readonly value: number
  readonly integer: boolean
}

/** How much became free. */
export interface Dropped {
  readonly points: number
  readonly series: number
}

/** Points, series and notes on disk. */
export interface PointStore extends SeriesReader {
  /** Stores the points in one transaction; durable when it resolves. @throws WardenError `state_write_failed`, and nothing is stored */
  write(points: readonly StorePoint[]): Promise<void>
  annotation(tsuid: string, startTime: number): Annotation | undefined
  putAnnotation(annotation: Annotation): Promise<void>
  /** False when there was none. */
  removeAnnotation(tsuid: string, startTime: number): Promise<boolean>
  /**
   * Drops the points and notes before `beforeMs`, and the series of which nothing is left, in several transactions; reads leave
   * the points out at once. A smaller `beforeMs` than that of an earlier call does nothing.
   * @throws WardenError `state_write_failed`; what was dropped until then stays dropped
   */
  dropBefore(beforeMs: number): Promise<Dropped>
  /** Puts half-full rows that end before `beforeMs` together; returns rows that became free. */
  compact(beforeMs: number): Promise<number>
  /** A time before which about so many bytes of points lie; undefined when there are fewer without the newest points. */
  horizonToFree(bytes: number): number | undefined
  /** Copies the store as it is now to a new file, without its free pages, while it is written to. */
  backup(path: string): Promise<void>
  /** Bytes of the pages in use; the file keeps its free pages for later writes. */
  usedBytes(): number
  /** Bytes on disk. */
  sizeBytes(): number
  close(): Promise<void>
}
