import { WindowOperator } from '../aggregate/window-operator.ts'
import { WardenError } from '../core/errors.ts'
import type { MetricPlan } from '../core/plan.ts'
import type { SeriesDictionary } from '../core/series.ts'
import type { EpochMs } from '../core/time.ts'
import { looksUp } from '../enrich/batch-enricher.ts'
import { FixedKeys } from '../enrich/fixed-keys.ts'
import type { KeyBlob, MetricSegment, MetricTotals } from './lanes/lane-messages.ts'
import { noTotals } from './lanes/metric-counter.ts'

/** A blob of dedup entries, and the lane that sent it. */
export interface LaneBlob extends KeyBlob {
  readonly lane: number
}

/** The windows of one metric: what lanes counted, put together. */
export class MetricWindows {
  readonly plan: MetricPlan
  readonly dictionary: SeriesDictionary
  readonly operator: WindowOperator
  /** Since the job began; part of the checkpoint. */
  readonly totals: MetricTotals = noTotals()
  /** Slices and windows whose state is to be dropped by the next checkpoint, by start. */
  readonly goneSlices: number[] = []
  readonly goneWindows: number[] = []
  /** What keys stand for in the windows that live; undefined where nothing is looked up. */
  readonly fixed: FixedKeys | undefined
  /** Dedup entries for the next checkpoint. */
  blobs: LaneBlob[] = []
  /** Ids by lane and the lane's id. */
  readonly #ids: Int32Array[] = []
  readonly #known: number[] = []

  constructor(plan: MetricPlan, dictionary: SeriesDictionary, job: string) {
    this.plan = plan
    this.dictionary = dictionary
    this.operator = new WindowOperator(plan, dictionary, job)
    this.fixed = looksUp(plan) ? new FixedKeys() : undefined
    this.operator.onSliceGone = (slice) => {
      this.goneSlices.push(slice.start)
      this.fixed?.drop(slice.start)
    }
    this.operator.onWindowGone = (window) => this.goneWindows.push(window.start)
  }

  /** Series that a lane met, in the order of its ids; returns those that are new. */
  learn(lane: number, series: readonly (readonly string[])[]): (readonly string[])[] {
    const fresh: (readonly string[])[] = []
    for (const values of series) {
      const before = this.dictionary.size
      const id = this.dictionary.learn(values)
      if (id === before) fresh.push(values)
      const at = this.#known[lane] ?? 0
      this.#known[lane] = at + 1
      let ids = this.#ids[lane] ?? new Int32Array(64)
      if (at >= ids.length) {
        const grown = new Int32Array(ids.length * 2)
        grown.set(ids)
        ids = grown
      }
      ids[at] = id
      this.#ids[lane] = ids
    }
    return fresh
  }

  /**
   * Adds what a lane counted.
   * @param watermark combined one that the windows know
   * @param goneAt the one that every lane judges by, or less
   */
  add(lane: number, segment: MetricSegment, watermark: number, goneAt: number, now: EpochMs): void {
    for (const start of segment.touched) this.operator.touch(start, watermark, goneAt)
    const ids = this.#ids[lane] ?? new Int32Array(0)
    for (const delta of segment.slices) {
      const slice = this.operator.sliceFor(delta.start, watermark, goneAt)
      if (slice === undefined) {
        throw new WardenError(
          'internal',
          `lane ${lane} counted in a window of ${this.plan.name} that was dropped`,
        )
      }
      this.operator.add(slice, delta, ids, now)
    }
  }

  addTotals({ rows, kept, duplicates, late }: MetricTotals): void {
    this.totals.rows += rows
    this.totals.kept += kept
    this.totals.duplicates += duplicates
    this.totals.late += late
  }
}
