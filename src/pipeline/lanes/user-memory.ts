import { keepsByArrival, type MetricPlan, needsUser } from '../../core/plan.ts'
import { ArrivalStore } from '../../dedup/arrival-store.ts'
import { BitmapStore } from '../../dedup/bitmap/bitmap-store.ts'
import { BloomStore } from '../../dedup/bloom/bloom-store.ts'
import type { DedupStore } from '../../dedup/dedup-store.ts'
import { DistinctCounter } from '../../dedup/distinct/distinct-counter.ts'
import { precisionFor } from '../../dedup/distinct/hyperloglog.ts'
import { FingerprintTable } from '../../dedup/fingerprint-table.ts'
import { HorizonTable } from '../../dedup/horizon/horizon-table.ts'
import type { SharedDedup } from '../../dedup/shared/shared-dedup.ts'

/** Who was seen in one slice: one of the three, and none where the metric needs no user. */
export interface SliceUsers {
  /** Exact. A field of its own, so that the calls of the common case know what they call. */
  readonly table: FingerprintTable | undefined
  /** One that keeps the first to arrive. */
  readonly store: DedupStore | undefined
  /** One that only knows how many they are. */
  readonly counter: DistinctCounter | undefined
}

const nobody: SliceUsers = { table: undefined, store: undefined, counter: undefined }

/** Makes what remembers the users of a metric's slices in one lane, as the config says. */
export class UserMemory {
  /** What counts users over slices, where the metric does. */
  readonly horizon: HorizonTable | undefined
  /** Asks outside before rows are counted; undefined also where that is only played. */
  readonly shared: SharedDedup | undefined
  readonly #plan: MetricPlan
  readonly #lanes: number
  readonly #overSlices: SliceUsers | undefined

  /** @param lanes that share the users among them */
  constructor(plan: MetricPlan, lanes: number, shared: SharedDedup | undefined) {
    this.#plan = plan
    this.#lanes = lanes
    this.shared = shared
    if (plan.horizon === undefined) return
    this.horizon = new HorizonTable(plan.horizon)
    this.#overSlices = { ...nobody, store: storeOver(this.horizon) }
  }

  /** Must the winner's place be known to break ties? */
  get isTimed(): boolean {
    const { keep, values } = this.#plan
    if (keep === undefined || keepsByArrival(this.#plan)) return false
    return keep !== 'best' || values.length > 0
  }

  /** For a new slice. */
  create(): SliceUsers {
    const { keep, values, backend } = this.#plan
    if (!needsUser(this.#plan)) return nobody
    if (this.#overSlices !== undefined) return this.#overSlices
    switch (backend?.type) {
      case 'bloom': {
        // Lanes share the users, and the bound of the memory.
        const keys = Math.ceil(backend.keys / this.#lanes)
        return { ...nobody, store: new BloomStore({ ...backend, keys }) }
      }
      case 'bitmap':
        return { ...nobody, store: new BitmapStore() }
      case 'redis':
        return { ...nobody, store: this.shared?.storeOf() ?? new ArrivalStore() }
      case 'hyperloglog':
        return { ...nobody, counter: new DistinctCounter(precisionFor(backend.error)) }
      case undefined: {
        const columns = keep === undefined ? 0 : values.length
        return { ...nobody, table: new FingerprintTable(keep ?? 'best', columns) }
      }
    }
  }
}

/** The horizon as a slice sees it; what it remembers is kept by bucket, not by slice. */
function storeOver(horizon: HorizonTable): DedupStore {
  return {
    size: 0,
    changes: 0,
    bytes: 0,
    withdrawn: new Float64Array(0),
    offer: (high, low, _outcome, time) => horizon.offer(high, low, time),
    takeChanges: () => undefined,
    load: () => {},
  }
}
