import { asWardenError } from '../../core/errors.ts'
import type { StateStore } from '../../core/state-store.ts'
import type { PartitionPosition, PartitionStatus } from '../../ingest/source.ts'
import type { MetricState } from '../metric-state.ts'
import type { MetricWindows } from '../metric-windows.ts'
import { type LaneLayout, lanesKnowing } from './lane-layout.ts'
import type { LaneLink } from './lane-link.ts'
import type { FromLane, KeyBlob } from './lane-messages.ts'

/** Entries on their way to one lane before it is waited for. */
const maxLoadBytes = 16 * 2 ** 20

/** Brings lanes to where the state left off: opened → loaded. */
export class LaneSetup {
  readonly #links: readonly LaneLink[]
  readonly #layout: LaneLayout
  readonly #waiting: ((message: FromLane) => void)[] = []

  constructor(links: readonly LaneLink[], layout: LaneLayout) {
    this.#links = links
    this.#layout = layout
  }

  receive(lane: number, message: FromLane): void {
    if (message.kind !== 'counted') this.#waiting[lane]?.(message)
  }

  /** Opens the source in every lane; resolves to their partitions. @throws WardenError of the first lane that can't */
  open(
    positions: ReadonlyMap<string, PartitionPosition>,
    series: readonly (readonly (readonly string[])[])[],
  ): Promise<readonly (readonly PartitionStatus[])[]> {
    return Promise.all(
      this.#links.map(async (link, lane) => {
        const answer = this.#next(lane)
        link.send({ kind: 'open', positions, series })
        const message = await answer
        return message.kind === 'opened' ? message.partitions : []
      }),
    )
  }

  /** Gives every lane the dedup entries it must know, in the order they were written. */
  async load(
    states: readonly MetricState[],
    metrics: readonly MetricWindows[],
    store: StateStore,
  ): Promise<void> {
    const batches: KeyBlob[][] = this.#links.map(() => [])
    const bytes = this.#links.map(() => 0)
    const flush = async (lane: number): Promise<void> => {
      const blobs = batches[lane] ?? []
      batches[lane] = []
      bytes[lane] = 0
      if (blobs.length === 0) return
      const answer = this.#next(lane)
      this.#links[lane]?.send({ kind: 'load', blobs })
      await answer
    }
    for (const [metric, state] of states.entries()) {
      for (const saved of state.savedKeys(store)) {
        if (metrics[metric]?.remembers(saved.slice) !== true) continue
        const knowing = lanesKnowing(this.#layout, saved.layout, saved.lane)
        for (const [nth, lane] of knowing.entries()) {
          // What is handed to another thread is gone here.
          const own = nth === knowing.length - 1 ? saved.bytes : saved.bytes.slice()
          batches[lane]?.push({ metric, slice: saved.slice, bytes: own })
          bytes[lane] = (bytes[lane] ?? 0) + own.byteLength
          if ((bytes[lane] ?? 0) >= maxLoadBytes) await flush(lane)
        }
      }
    }
    await Promise.all(this.#links.map((_, lane) => flush(lane)))
  }

  #next(lane: number): Promise<FromLane> {
    return new Promise((resolve, reject) => {
      this.#waiting[lane] = (message) => {
        if (message.kind === 'failed') reject(asWardenError(message.error))
        else resolve(message)
      }
    })
  }
}
