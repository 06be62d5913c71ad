import type { DedupStore } from './dedup-store.ts'
import { FingerprintTable } from './fingerprint-table.ts'

/**
 * `first` by arrival, exact, in memory: what a shared backend does, without the server. Spec files and tests stand on it
 * where a config names one.
 */
export class ArrivalStore implements DedupStore {
  readonly withdrawn = new Float64Array(0)
  readonly #table = new FingerprintTable('best', 0)

  get size(): number {
    return this.#table.size
  }

  get changes(): number {
    return this.#table.changes
  }

  get bytes(): number {
    return this.#table.bytes
  }

  offer(high: number, low: number): number {
    // One outcome for all: whoever was first is never worse.
    return this.#table.offer(high, low, 0, 0, 0, [], 0)
  }

  takeChanges(): Uint8Array | undefined {
    return this.#table.takeChanges()
  }

  load(blob: Uint8Array, isWanted?: (group: number) => boolean): void {
    this.#table.load(blob, isWanted)
  }
}
