import { WindowOperator } from '../aggregate/window-operator.ts'
import { WardenError } from '../core/errors.ts'
import type { MetricPlan } from '../core/plan.ts'
import type { SeriesDictionary } from '../core/series.ts'
import type { EpochMs } from '../core/time.ts'
import { horizonEnd } from '../dedup/horizon/horizon-table.ts'
import { KeyLog } from '../dedup/key-log.ts'
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

  /** Slices whose users may be forgotten where they are claimed, once a checkpoint without them is durable. */
  readonly goneClaims: number[] = []
  /** Starts of the buckets that the state holds, where users are remembered over windows. */
  readonly buckets = new Set<number>()

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

  /** Takes the dedup entries that a lane has for the next checkpoint. */
  addBlob(lane: number, blob: KeyBlob): void {
    const { horizon, backend } = this.plan
    const ids = this.#ids[lane] ?? new Int32Array(0)
    // The ids of a lane are its own, and entries of the state may be given to any.
    if (backend?.type === 'bitmap') {
      KeyLog.renumber(blob.bytes, 2, (series) => (ids[series - 1] ?? 0) + 1)
    } else if (backend?.type === 'hyperloglog') {
      KeyLog.renumber(blob.bytes, 3, (series) => ids[series] ?? 0)
    }
    if (horizon !== undefined) {
      // Nothing that may still come meets it.
      if (this.#isOver(blob.slice, horizon)) return
      this.buckets.add(blob.slice)
    }
    this.blobs.push({ ...blob, lane })
  }

  /** Is what was remembered of users in this slice, or bucket, of any use yet? */
  remembers(slice: number): boolean {
    return this.plan.horizon === undefined
      ? this.operator.slices.has(slice)
      : this.buckets.has(slice)
  }

  /** Buckets that no event meets any more; they are forgotten. */
  takeGoneBuckets(): number[] {
    const { horizon } = this.plan
    if (horizon === undefined) return []
    const gone = [...this.buckets].filter((start) => this.#isOver(start, horizon))
    for (const start of gone) this.buckets.delete(start)
    return gone
  }

  #isOver(bucket: number, horizon: number): boolean {
    return this.operator.lifetime.isAllGone(horizonEnd(bucket, horizon), Number.NEGATIVE_INFINITY)
  }

  /** Can no row be counted in the slice any more? */
  isGone(slice: number): boolean {
    const { slices, lifetime } = this.operator
    return !slices.has(slice) && lifetime.isAllGone(slice, Number.NEGATIVE_INFINITY)
  }

  addTotals({ rows, kept, duplicates, late }: MetricTotals): void {
    this.totals.rows += rows
    this.totals.kept += kept
    this.totals.duplicates += duplicates
    this.totals.late += late
  }
}
