import type { Accumulators } from '../../aggregate/accumulators.ts'
import { DeltaCells } from '../../aggregate/delta-cells.ts'
import type { EpochMs } from '../../core/time.ts'
import type { Window } from '../../core/window.ts'
import type { DedupStore } from '../../dedup/dedup-store.ts'
import type { DistinctCounter } from '../../dedup/distinct/distinct-counter.ts'
import type { FingerprintTable } from '../../dedup/fingerprint-table.ts'
import type { SliceUsers } from './user-memory.ts'

/** What a lane knows of one slice of a metric: who was seen, and what was counted since the last hand-over. */
export class LaneSlice implements Window {
  readonly start: EpochMs
  readonly end: EpochMs
  /** The last of its windows. */
  readonly last: Window
  readonly delta: DeltaCells
  /** See `SliceUsers`. */
  readonly table: FingerprintTable | undefined
  readonly store: DedupStore | undefined
  readonly counter: DistinctCounter | undefined

  constructor(slice: Window, last: Window, accumulators: Accumulators, users: SliceUsers) {
    this.start = slice.start
    this.end = slice.end
    this.last = last
    this.delta = new DeltaCells(accumulators)
    this.table = users.table
    this.store = users.store
    this.counter = users.counter
  }

  /** What is in the checkpoint, whatever it is. */
  get remembered(): FingerprintTable | DedupStore | DistinctCounter | undefined {
    return this.table ?? this.store ?? this.counter
  }
}
