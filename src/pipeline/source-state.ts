import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { EpochMs } from '../core/time.ts'
import type { PartitionPosition } from '../ingest/source.ts'
import type { PartitionWatermark } from '../ingest/watermark.ts'
import { restoreTime, type SavedTime, saveTime } from './saved-time.ts'
import type { SourceWindows } from './source-windows.ts'

/** Totals of a source since the job began; part of the checkpoint. */
export interface SourceTotals {
  /** Records read, dead ones included. */
  records: number
  /** Records that no metric could read, by reason. */
  dead: Record<string, number>
}

interface SavedPartition extends PartitionPosition {
  readonly watermark: SavedTime
  readonly idle: boolean
}

interface SavedSource {
  readonly combined: SavedTime
  readonly partitions: Readonly<Record<string, SavedPartition>>
  readonly totals: SourceTotals
  /** See `RestoredSource.mixedUntil`. */
  readonly mixedUntil?: number
}

/** A partition as the checkpoint sees it. */
export interface PartitionToSave {
  readonly index: number
  readonly name: string
  readonly position: PartitionPosition
}

/** What a source needs to go on where the checkpoint was taken. */
export interface RestoredSource {
  readonly positions: ReadonlyMap<string, PartitionPosition>
  readonly totals: SourceTotals
  /** Combined watermark. */
  readonly combined: number
  /** Largest watermark of a partition. */
  readonly newest: number
  /** Users of events up to this time may be in other partitions than those of later ones; undefined: they are not. */
  readonly mixedUntil: number | undefined
  /** What a partition of that name had come to. */
  watermarkOf(name: string): PartitionWatermark | undefined
  /** Puts the watermarks back, once the source has said which index each partition has. */
  restoreWatermarks(
    windows: SourceWindows,
    indexOf: (name: string) => number | undefined,
    now: EpochMs,
  ): void
}

const keyOf = (source: string): string => `source/${source}`

/** Key `source/<name>`: positions, watermarks and totals of a source, JSON. */
export function saveSource(
  windows: SourceWindows,
  partitions: readonly PartitionToSave[],
  totals: SourceTotals,
  mixedUntil?: number,
): StateOperation {
  const saved: SavedSource = {
    combined: saveTime(windows.tracker.combined),
    partitions: Object.fromEntries(
      partitions.map(({ index, name, position }) => {
        const { watermark, idle } = windows.tracker.snapshot(index)
        return [name, { ...position, watermark: saveTime(watermark), idle }]
      }),
    ),
    totals,
    ...(mixedUntil === undefined ? {} : { mixedUntil }),
  }
  const value = Buffer.from(JSON.stringify(saved))
  return { kind: 'put', key: keyOf(windows.plan.source), value }
}

/** undefined when the state knows nothing of the source. */
export function restoreSource(store: StateStore, source: string): RestoredSource | undefined {
  const bytes = store.get(keyOf(source))
  if (bytes === undefined) return undefined
  const saved = JSON.parse(Buffer.from(bytes).toString('utf8')) as SavedSource
  const partitions = Object.entries(saved.partitions)
  return {
    positions: new Map(
      partitions.map(([name, { offset, identity }]) => [name, { offset, identity }]),
    ),
    totals: saved.totals,
    combined: restoreTime(saved.combined),
    newest: Math.max(
      Number.NEGATIVE_INFINITY,
      ...partitions.map(([, { watermark }]) => restoreTime(watermark)),
    ),
    mixedUntil: saved.mixedUntil,
    watermarkOf(name) {
      const partition = saved.partitions[name]
      return partition && { watermark: restoreTime(partition.watermark), idle: partition.idle }
    },
    restoreWatermarks(windows, indexOf, now) {
      const known = partitions.flatMap(([name, partition]) => {
        const index = indexOf(name)
        const watermark = restoreTime(partition.watermark)
        return index === undefined ? [] : [[index, { watermark, idle: partition.idle }] as const]
      })
      windows.tracker.restore(restoreTime(saved.combined), known, now)
      windows.resume()
    },
  }
}
