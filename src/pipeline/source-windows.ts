import type { WindowClosing } from '../core/evidence.ts'
import type { Pane } from '../core/pane.ts'
import type { EventPlan } from '../core/plan.ts'
import type { LateEvent } from '../core/rows.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { WatermarkTracker } from '../ingest/watermark.ts'
import type { BarrierAnswer, HandOver, Mark, View } from './lanes/lane-messages.ts'
import type { MetricWindows } from './metric-windows.ts'

/** What is known of one lane. */
interface LaneProgress {
  /** Index of a partition by the lane's own. */
  readonly partitions: number[]
  /** Marks that wait for rows the lane sent to others. */
  marks: Mark[]
  /** Every later row of the lane is judged by it, or by more. */
  view: number
  /** Packets of each lane that it counted. */
  applied: readonly number[]
  ended: boolean
}

/**
 * The windows of one source: puts together what its lanes counted, fires by the watermark over all partitions, and drops a
 * window when every lane knows that it is gone. Counts are added as they come; a mark moves the watermark only when the rows
 * sent before it were counted, by whichever lane.
 *
 * Panes and late events pile up in `panes` and `late` until the checkpoint takes them.
 */
export class SourceWindows {
  readonly plan: EventPlan
  readonly metrics: readonly MetricWindows[]
  /** All partitions. */
  readonly tracker: WatermarkTracker
  panes: Pane[] = []
  late: LateEvent[] = []
  /** By metric: series that came up since the caller emptied it. */
  readonly freshSeries: (readonly string[])[][]
  readonly #lanes: readonly LaneProgress[]
  /** Combined watermark that the windows know, and the one by which they are gone. */
  #advancedTo: number = Number.NEGATIVE_INFINITY
  #goneAt: number = Number.NEGATIVE_INFINITY
  /** The next combined watermarks at which a window passes, and at which one is gone. */
  #nextPass: number = Number.NEGATIVE_INFINITY
  #nextGone: number = Number.NEGATIVE_INFINITY

  constructor(plan: EventPlan, metrics: readonly MetricWindows[], lanes = 1) {
    this.plan = plan
    this.metrics = metrics
    this.tracker = new WatermarkTracker(plan.watermark)
    this.freshSeries = metrics.map(() => [])
    this.#lanes = Array.from({ length: lanes }, () => ({
      partitions: [],
      marks: [],
      view: Number.NEGATIVE_INFINITY,
      applied: new Array<number>(lanes).fill(0),
      ended: false,
    }))
  }

  /** A bounded source gave everything, and all of it was counted. */
  get hasEnded(): boolean {
    return this.#lanes.every(({ ended, marks }) => ended && marks.length === 0)
  }

  /** The watermark by which windows are dropped. */
  get goneAt(): number {
    return this.#goneAt
  }

  /** Partition `index` is the next one of `lane`. */
  addPartition(lane: number, index: number, now: EpochMs): void {
    this.#lanes[lane]?.partitions.push(index)
    this.tracker.add(index, now)
  }

  /** Index of a partition by the lane's own. */
  indexOf(lane: number, partition: number): number | undefined {
    return this.#lanes[lane]?.partitions[partition]
  }

  /** After the tracker was restored: every lane starts with what it knows. */
  resume(): void {
    this.#advancedTo = this.tracker.combined
    for (const lane of this.#lanes) lane.view = this.#advancedTo
    this.#goneAt = this.#advancedTo
    this.#findBoundaries()
  }

  /** Adds what a lane handed over. */
  receive(lane: number, handOver: HandOver): void {
    const progress = this.#lanes[lane]
    if (progress === undefined) return
    handOver.series.forEach((series, metric) => {
      const fresh = this.metrics[metric]?.learn(lane, series) ?? []
      for (const values of fresh) this.freshSeries[metric]?.push(values)
    })
    for (const [metric, totals] of handOver.totals.entries()) {
      this.metrics[metric]?.addTotals(totals)
    }
    for (const event of handOver.late) this.late.push(event)
    for (const { metrics, mark } of handOver.segments) {
      metrics.forEach((segment, metric) => {
        const windows = this.metrics[metric]
        windows?.add(lane, segment, this.#advancedTo, this.#goneAt, epochMs(handOver.now))
      })
      progress.marks.push(mark)
      this.#applyMarks()
    }
    progress.applied = handOver.applied
    this.#applyMarks()
  }

  /** The bounded source of a lane ended; every window fires when that holds for all. */
  endLane(lane: number): void {
    const progress = this.#lanes[lane]
    if (progress !== undefined) progress.ended = true
    this.#endIfOver()
  }

  /** A lane's share of a checkpoint. */
  addBlobs(lane: number, { blobs }: BarrierAnswer): void {
    for (const blob of blobs) this.metrics[blob.metric]?.addBlob(lane, blob)
  }

  /** What a lane must know of the others. */
  viewFor(lane: number, series: View['series']): View {
    const own = new Set(this.#lanes[lane]?.partitions ?? [])
    return {
      combined: this.tracker.combined,
      others: this.tracker.summary((partition) => own.has(partition)),
      gone: this.#goneAt,
      series,
    }
  }

  /** Processing time went by: early panes may be due, and partitions that were removed hold nothing back any more. */
  tick(now: EpochMs): void {
    this.tracker.adopt([], Number.NEGATIVE_INFINITY)
    this.#advance()
    for (const metric of this.metrics) this.#say(metric.operator.fireEarly(now))
  }

  /** Late panes of everything that changed since the last call. */
  flushLate(): void {
    for (const metric of this.metrics) this.#say(metric.operator.flushLate())
  }

  takePanes(): Pane[] {
    const { panes } = this
    this.panes = []
    return panes
  }

  takeLate(): LateEvent[] {
    const { late } = this
    this.late = []
    return late
  }

  takeClosings(): WindowClosing[] {
    return this.metrics.flatMap(({ operator }) => operator.closings.take())
  }

  /** Marks whose rows were all counted, in order; one may set another free, as a lane counts for others. */
  #applyMarks(): void {
    for (const [lane, progress] of this.#lanes.entries()) {
      let done = 0
      for (const mark of progress.marks) {
        if (!this.#isCounted(lane, mark)) break
        this.#apply(progress, mark)
        done++
      }
      if (done > 0) progress.marks.splice(0, done)
    }
    this.#endIfOver()
  }

  #isCounted(lane: number, { sent }: Mark): boolean {
    return sent.every((packets, to) => packets <= (this.#lanes[to]?.applied[lane] ?? 0))
  }

  #apply(progress: LaneProgress, { view, partitions }: Mark): void {
    const known = partitions.flatMap(([own, watermark]) => {
      const index = progress.partitions[own]
      return index === undefined ? [] : [[index, watermark] as const]
    })
    this.tracker.adopt(known, view)
    progress.view = Math.max(progress.view, view)
    this.#advance()
  }

  #endIfOver(): void {
    if (!this.hasEnded) return
    this.tracker.end()
    for (const lane of this.#lanes) lane.view = Number.POSITIVE_INFINITY
    this.#advance()
  }

  #advance(): void {
    const watermark = this.tracker.combined
    const goneAt = Math.min(watermark, ...this.#lanes.map(({ view }) => view))
    const passes = watermark >= this.#nextPass && watermark !== this.#advancedTo
    const goes = goneAt >= this.#nextGone && goneAt !== this.#goneAt
    if (!passes && !goes) return
    for (const metric of this.metrics) {
      this.#say(metric.operator.advance(this.#advancedTo, watermark, goneAt))
    }
    this.#advancedTo = watermark
    this.#goneAt = goneAt
    this.#findBoundaries()
  }

  #findBoundaries(): void {
    this.#nextPass = Number.POSITIVE_INFINITY
    this.#nextGone = Number.POSITIVE_INFINITY
    for (const { operator } of this.metrics) {
      const { lifetime } = operator
      this.#nextPass = Math.min(this.#nextPass, lifetime.nextPass(this.#advancedTo))
      this.#nextGone = Math.min(this.#nextGone, lifetime.nextGone(this.#goneAt))
    }
  }

  /** Not as arguments of one `push`: a window of many series has more panes than a call takes arguments. */
  #say(panes: readonly Pane[]): void {
    for (const pane of panes) this.panes.push(pane)
  }
}
