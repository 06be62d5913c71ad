import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { EpochMs } from '../core/time.ts'
import type { PartitionPosition } from '../ingest/source.ts'
import { restoreTime, type SavedTime, saveTime } from './saved-time.ts'
import type { SourceLane } from './source-lane.ts'

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
  /** Puts the watermarks back, once the source has said which index each partition has. */
  restoreWatermarks(
    lane: SourceLane,
    indexOf: (name: string) => number | undefined,
    now: EpochMs,
  ): void
}

const keyOf = (source: string): string => `source/${source}`

/** Key `source/<name>`: positions, watermarks and totals of a source, JSON. */
export function saveSource(
  lane: SourceLane,
  partitions: readonly PartitionToSave[],
  totals: SourceTotals,
): StateOperation {
  const saved: SavedSource = {
    combined: saveTime(lane.tracker.combined),
    partitions: Object.fromEntries(
      partitions.map(({ index, name, position }) => {
        const { watermark, idle } = lane.tracker.snapshot(index)
        return [name, { ...position, watermark: saveTime(watermark), idle }]
      }),
    ),
    totals,
  }
  const value = Buffer.from(JSON.stringify(saved))
  return { kind: 'put', key: keyOf(lane.plan.source), value }
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
    restoreWatermarks(lane, indexOf, now) {
      const known = partitions.flatMap(([name, partition]) => {
        const index = indexOf(name)
        const watermark = restoreTime(partition.watermark)
        return index === undefined ? [] : [[index, { watermark, idle: partition.idle }] as const]
      })
      lane.tracker.restore(restoreTime(saved.combined), known, now)
      lane.resume()
    },
  }
}
