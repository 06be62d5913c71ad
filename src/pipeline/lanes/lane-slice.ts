import type { Accumulators } from '../../aggregate/accumulators.ts'
import { DeltaCells } from '../../aggregate/delta-cells.ts'
import type { EpochMs } from '../../core/time.ts'
import type { Window } from '../../core/window.ts'
import type { FingerprintTable } from '../../dedup/fingerprint-table.ts'

/** What a lane knows of one slice of a metric: who was seen, and what was counted since the last hand-over. */
export class LaneSlice implements Window {
  readonly start: EpochMs
  readonly end: EpochMs
  /** The last of its windows. */
  readonly last: Window
  readonly delta: DeltaCells
  /** undefined where the metric needs no user. */
  readonly table: FingerprintTable | undefined

  constructor(
    slice: Window,
    last: Window,
    accumulators: Accumulators,
    table: FingerprintTable | undefined,
  ) {
    this.start = slice.start
    this.end = slice.end
    this.last = last
    this.delta = new DeltaCells(accumulators)
    this.table = table
  }
}
