import type { Annotation } from './annotation.ts'
import type { PointColumns } from './point-columns.ts'
import type { SeriesIndex } from './series-index.ts'

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
  /** The points of a series with `fromMs ≤ time < toMs`. */
  readPoints(seriesId: number, fromMs: number, toMs: number): PointColumns
  /** The newest point of a series at or after `fromMs`; undefined when there is none. */
  lastPoint(seriesId: number, fromMs: number): LastPoint | undefined
  /** Notes of a series (`''`: global ones) with `fromMs ≤ start ≤ toMs`, in order of time. */
  annotations(tsuid: string, fromMs: number, toMs: number): Annotation[]
}

export interface LastPoint {
  readonly timeMs: number
  readonly value: number
  readonly integer: boolean
}

/** Points, series and notes on disk. */
export interface PointStore extends SeriesReader {
  /** Stores the points in one transaction; durable when it resolves. @throws WardenError `state_write_failed`, and nothing is stored */
  write(points: readonly StorePoint[]): Promise<void>
  annotation(tsuid: string, startTime: number): Annotation | undefined
  putAnnotation(annotation: Annotation): Promise<void>
  /** False when there was none. */
  removeAnnotation(tsuid: string, startTime: number): Promise<boolean>
  /** Bytes on disk. */
  sizeBytes(): number
  close(): Promise<void>
}
