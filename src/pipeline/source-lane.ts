import type { Pane } from '../core/pane.ts'
import type { EventPlan } from '../core/plan.ts'
import type { DecodedBatch, LateEvent } from '../core/rows.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { WatermarkTracker } from '../ingest/watermark.ts'
import { type MetricLane, positionHash } from './metric-lane.ts'

/**
 * Everything that happens to the rows of one source: its watermark, and its metrics. An event is classified against the
 * watermark as it was before it, and moves the watermark after it, so that what a window holds depends on the order of
 * events and on nothing else (not on how they were batched).
 *
 * Panes and late events pile up in `panes` and `late` until the checkpoint takes them.
 */
export class SourceLane {
  readonly plan: EventPlan
  readonly metrics: readonly MetricLane[]
  readonly tracker: WatermarkTracker
  panes: Pane[] = []
  late: LateEvent[] = []
  readonly #hashes = new Map<string, number>()
  /** Combined watermark that the windows know. */
  #advancedTo: number = Number.NEGATIVE_INFINITY
  /** The next combined watermark that changes a window. */
  #boundary: number = Number.NEGATIVE_INFINITY

  constructor(plan: EventPlan, metrics: readonly MetricLane[]) {
    this.plan = plan
    this.metrics = metrics
    this.tracker = new WatermarkTracker(plan.watermark)
  }

  /** Counts a decoded batch. */
  apply(batch: DecodedBatch, partition: string, now: EpochMs): void {
    const { time, length } = batch
    const starts = batch.metrics.map(() => 0)
    for (let from = 0; from < length; ) {
      const to = this.#segmentEnd(batch, from)
      const before = this.tracker.combined
      let oldest = Number.POSITIVE_INFINITY
      let newest = Number.NEGATIVE_INFINITY
      for (let event = from; event < to; event++) {
        const at = time[event] as number
        if (at < oldest) oldest = at
        if (at > newest) newest = at
      }
      const origin = {
        partition,
        partitionHash: this.#partitionHash(partition),
        now,
        watermarkBefore: this.#watermarkBefore(batch, from),
      }
      this.metrics.forEach((metric, index) => {
        this.#touch(metric, batch, from, to, oldest, newest, before)
        const rows = batch.metrics[index]
        if (rows === undefined) return
        const first = starts[index] ?? 0
        let end = rows.length
        if (to < length) {
          end = first
          while (end < rows.length && (rows.event[end] as number) < to) end++
        }
        metric.add(batch, rows, first, end, origin, this.late)
        starts[index] = end
      })
      this.tracker.observe(batch.partition, newest, now)
      this.#advance()
      from = to
    }
  }

  /** A watermark that the partition says itself. */
  advancePartition(partition: number, watermark: number, now: EpochMs): void {
    this.tracker.advance(partition, watermark, now)
    this.#advance()
  }

  setIdle(partition: number, idle: boolean, now: EpochMs): void {
    this.tracker.setIdle(partition, idle, now)
    this.#advance()
  }

  /** Processing time went by: partitions may have fallen idle, early panes may be due. */
  tick(now: EpochMs, caughtUpAt: (partition: number) => EpochMs | undefined): void {
    this.tracker.probe(now, caughtUpAt)
    this.#advance()
    for (const metric of this.metrics) this.#say(metric.operator.fireEarly(now))
  }

  /** Late panes of everything that changed since the last call. */
  flushLate(): void {
    for (const metric of this.metrics) this.#say(metric.operator.flushLate())
  }

  /** The bounded source ended: every window fires. */
  end(): void {
    this.tracker.end()
    this.#advance()
  }

  /** After the tracker was restored. */
  resume(): void {
    this.#advancedTo = this.tracker.combined
    this.#boundary = this.#nextBoundary()
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

  /** One past the last event of the batch that can be counted before a window changes: it is the one that changes it. */
  #segmentEnd(batch: DecodedBatch, from: number): number {
    const { time, length, partition } = batch
    const reach = Number.isFinite(this.#advancedTo)
      ? this.tracker.timeToReach(this.#boundary, partition)
      : this.#firstReach(partition, time[from] as number)
    if (batch.maxTime < reach) return length
    let event = from
    while (event < length && (time[event] as number) < reach) event++
    return Math.min(event + 1, length)
  }

  /** Before the first watermark every event that gives one is on its own. */
  #firstReach(partition: number, at: number): number {
    const after = this.tracker.combinedAfter(partition, at)
    return Number.isFinite(after) ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }

  /** Combined watermark just before an event of the segment that starts at `from`; asked in ascending order it is linear. */
  #watermarkBefore(batch: DecodedBatch, from: number): (event: number) => number {
    let next = from
    let newest = Number.NEGATIVE_INFINITY
    return (event) => {
      if (event < next) {
        next = from
        newest = Number.NEGATIVE_INFINITY
      }
      for (; next < event; next++) newest = Math.max(newest, batch.time[next] as number)
      if (newest === Number.NEGATIVE_INFINITY) return this.tracker.combined
      return this.tracker.combinedAfter(batch.partition, newest)
    }
  }

  #touch(
    metric: MetricLane,
    batch: DecodedBatch,
    from: number,
    to: number,
    oldest: number,
    newest: number,
    watermark: number,
  ): void {
    if (metric.operator.isTouched(oldest, newest)) return
    for (let event = from; event < to; event++) {
      metric.operator.touch(batch.time[event] as number, watermark)
    }
  }

  #advance(): void {
    const watermark = this.tracker.combined
    if (watermark < this.#boundary || watermark === this.#advancedTo) return
    for (const metric of this.metrics) {
      this.#say(metric.operator.advance(this.#advancedTo, watermark))
    }
    this.#advancedTo = watermark
    this.#boundary = this.#nextBoundary()
  }

  /** Not as arguments of one `push`: a window of many series has more panes than a call takes arguments. */
  #say(panes: readonly Pane[]): void {
    for (const pane of panes) this.panes.push(pane)
  }

  #nextBoundary(): number {
    const watermark = epochMs(this.#advancedTo)
    let boundary = Number.POSITIVE_INFINITY
    for (const { operator } of this.metrics) {
      boundary = Math.min(boundary, operator.lifetime.nextBoundary(watermark))
    }
    return boundary
  }

  #partitionHash(partition: string): number {
    const known = this.#hashes.get(partition)
    if (known !== undefined) return known
    let hash = 0x811c9dc5
    for (const character of `${this.plan.source}/${partition}`) {
      hash = positionHash(hash, character.codePointAt(0) ?? 0)
    }
    this.#hashes.set(partition, hash)
    return hash
  }
}
