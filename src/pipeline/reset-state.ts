import { WardenError } from '../core/errors.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { PartitionPosition } from '../ingest/source.ts'
import { restoreTime, saveTime } from './saved-time.ts'

/** Where a partition is to be read from. */
export interface ResetPosition extends PartitionPosition {
  /** Time before which nothing of it will have been read: windows that began before it are partial. */
  readonly readFrom: number
}

/** What the checkpoint says of a source. */
export interface CheckpointedSource {
  readonly positions: ReadonlyMap<string, PartitionPosition>
  /** Combined watermark; infinite where there is none, or the source has ended. */
  readonly watermark: number
}

interface SavedSource {
  readonly combined: number | null | 'ended'
  readonly partitions: Readonly<Record<string, PartitionPosition>>
}

const parts = ['series/', 'seen/', 'said/', 'cells/', 'keys/', 'fixed/'] as const

/** undefined when the state knows nothing of the source. */
export function checkpointedSource(
  store: StateStore,
  source: string,
): CheckpointedSource | undefined {
  const saved = readJson<SavedSource>(store, `source/${source}`)
  if (saved === undefined) return undefined
  const positions = Object.entries(saved.partitions).map(
    ([name, { offset, identity }]) => [name, { offset, identity }] as const,
  )
  return { positions: new Map(positions), watermark: restoreTime(saved.combined) }
}

/**
 * Sets a source to other positions. Its metrics start anew there: what they had counted and whom they knew would be counted twice or
 * not at all; windows that began before the positions are partial, so that no good point is overwritten by half a one.
 * @param metrics that read the source
 * @throws WardenError `state_incompatible` when the state knows nothing of the source
 */
export function resetSource(
  store: StateStore,
  source: string,
  positions: ReadonlyMap<string, ResetPosition>,
  metrics: readonly string[],
): StateOperation[] {
  const key = `source/${source}`
  const saved = readJson<SavedSource>(store, key)
  if (saved === undefined)
    throw new WardenError(
      'state_incompatible',
      `the state knows no source ${source}: where it starts is in the config (from)`,
    )
  const partitions = Object.fromEntries(
    [...positions].map(([name, { offset, identity }]) => [
      name,
      { offset, identity, watermark: null, idle: false },
    ]),
  )
  const operations: StateOperation[] = [put(key, { ...saved, combined: null, partitions })]
  const readFrom = Math.max(...[...positions.values()].map((one) => one.readFrom))
  const missing = Number.isFinite(readFrom) ? [{ from: null, to: saveTime(readFrom) }] : []
  for (const metric of metrics) {
    const prefix = `metric/${metric}/`
    const windows = readJson<Record<string, unknown>>(store, `${prefix}windows`)
    if (windows === undefined) continue
    for (const part of parts) {
      const from = `${prefix}${part}`
      operations.push({ kind: 'remove-range', from, to: `${from}\uffff` })
    }
    const fresh = { windows: [], slices: [], buckets: [], missing, goneThrough: null }
    operations.push(put(`${prefix}windows`, { ...windows, ...fresh }))
  }
  return operations
}

function put(key: string, value: unknown): StateOperation {
  return { kind: 'put', key, value: new TextEncoder().encode(JSON.stringify(value)) }
}

function readJson<T>(store: StateStore, key: string): T | undefined {
  const bytes = store.get(key)
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as T)
}
