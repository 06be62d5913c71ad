import type { WatermarkPlan } from '../core/plan.ts'
import { type EpochMs, epochMs, MIN_TIME } from '../core/time.ts'

/**
 * Event-time progress of one source. The watermark of a partition is the largest event time it delivered −
 * outOfOrderness − 1 ms (Flink DataStream's BoundedOutOfOrdernessWatermarks); the combined one is the minimum over the
 * active partitions and never goes back. When all are idle it is the maximum of the partition watermarks, never more.
 *
 * Where records say the watermarks (`WatermarkPlan.marks`) events move none: they only show that their partition is active.
 *
 * A partition is active → idle only by proof (`probe`), or when it is told to; an event or a watermark makes it active again.
 */
export class WatermarkTracker {
  /** What the tracker of another lane knows of partitions that are not read here. */
  #others: PartitionSummary = nobody
  readonly #delayMs: number
  readonly #idleTimeoutMs: number
  readonly #partitions = new Map<number, PartitionProgress>()
  #combined: number = MIN_TIME
  #idle = false

  constructor(plan: WatermarkPlan) {
    // Where records say watermarks, no event is late enough to move one.
    this.#delayMs = plan.marks === undefined ? plan.outOfOrderness + 1 : Number.POSITIVE_INFINITY
    this.#idleTimeoutMs = plan.idleTimeout
  }

  /** What partitions of other lanes say counts as if they were here. Returns true when the combined watermark moved. */
  setOthers(others: PartitionSummary, combined: number): boolean {
    this.#others = others
    const before = this.#combined
    this.#combined = Math.max(before, combined)
    return this.#combine() || this.#combined > before
  }

  /** All partitions but those for which `isLeftOut` holds, for the lane that reads the latter. */
  summary(isLeftOut: (partition: number) => boolean): PartitionSummary {
    let { active, minimum, maximum } = nobody
    for (const [partition, { watermark, idle }] of this.#partitions) {
      if (isLeftOut(partition)) continue
      maximum = Math.max(maximum, watermark)
      if (idle) continue
      active++
      minimum = Math.min(minimum, watermark)
    }
    return { active, minimum, maximum }
  }

  /** Takes over what another tracker says of partitions that are read there. Returns true when the combined watermark moved. */
  adopt(
    partitions: Iterable<readonly [partition: number, PartitionWatermark]>,
    combined: number,
  ): boolean {
    for (const [partition, { watermark, idle }] of partitions) {
      const progress = this.#progress(partition)
      progress.watermark = Math.max(progress.watermark, watermark)
      progress.idle = idle
    }
    const before = this.#combined
    this.#combined = Math.max(before, combined)
    return this.#combine() || this.#combined > before
  }

  /** Combined watermark: no event at or before it is expected any more. */
  get combined(): EpochMs {
    return epochMs(this.#combined)
  }

  /**
   * What partitions that are ahead are measured by: the combined watermark, and while one of them has said nothing yet, the least of
   * those that did. -Infinity: none did.
   */
  get slowest(): number {
    if (this.#combined !== MIN_TIME) return this.#combined
    let slowest = Number.POSITIVE_INFINITY
    for (const { watermark, idle } of this.#partitions.values()) {
      if (!idle && watermark !== MIN_TIME) slowest = Math.min(slowest, watermark)
    }
    return slowest === Number.POSITIVE_INFINITY ? MIN_TIME : slowest
  }

  /** All partitions are idle, or there is none. */
  get idle(): boolean {
    return this.#idle
  }

  /** A partition that has delivered nothing yet: it holds the combined watermark back, which does not go back for it. */
  add(partition: number, now: EpochMs): void {
    if (this.#partitions.has(partition)) return
    this.#partitions.set(partition, { watermark: MIN_TIME, idle: false, activeAt: now })
  }

  /** The partition no longer holds the watermark back; removing it does not itself advance anything. */
  remove(partition: number): void {
    this.#partitions.delete(partition)
  }

  watermarkOf(partition: number): EpochMs {
    return epochMs(this.#partitions.get(partition)?.watermark ?? MIN_TIME)
  }

  isIdle(partition: number): boolean {
    return this.#partitions.get(partition)?.idle ?? false
  }

  /** The partition delivered events up to time `maxTime`. Returns true when the combined watermark moved. */
  observe(partition: number, maxTime: number, now: EpochMs): boolean {
    return this.advance(partition, maxTime - this.#delayMs, now)
  }

  /** The partition says its watermark. Returns true when the combined watermark moved. */
  advance(partition: number, watermark: number, now: EpochMs): boolean {
    const progress = this.#progress(partition)
    progress.activeAt = now
    progress.idle = false
    if (watermark > progress.watermark) progress.watermark = watermark
    return this.#combine()
  }

  setIdle(partition: number, idle: boolean, now: EpochMs): boolean {
    const progress = this.#progress(partition)
    progress.idle = idle
    progress.activeAt = now
    return this.#combine()
  }

  /**
   * Looks for partitions that fell silent. Idle needs two things: `idleTimeout` without an event, and a successful fetch
   * within that time that showed Warden at the partition's end.
   * @param caughtUpAt time of the last such fetch; undefined when the partition is paused, held, leaderless or failing
   * @returns true when the combined watermark moved
   */
  probe(now: EpochMs, caughtUpAt: (partition: number) => EpochMs | undefined): boolean {
    for (const [partition, progress] of this.#partitions) {
      if (progress.idle || now - progress.activeAt < this.#idleTimeoutMs) continue
      const provedAt = caughtUpAt(partition)
      if (provedAt !== undefined && now - provedAt <= this.#idleTimeoutMs) progress.idle = true
    }
    return this.#combine()
  }

  /**
   * Smallest event time of `partition` that would bring the combined watermark to `target`; infinite when other
   * partitions hold it back.
   */
  timeToReach(target: number, partition: number): number {
    if (this.#others.minimum < target) return Number.POSITIVE_INFINITY
    for (const [other, progress] of this.#partitions) {
      if (other !== partition && !progress.idle && progress.watermark < target) {
        return Number.POSITIVE_INFINITY
      }
    }
    return target + this.#delayMs
  }

  /** The combined watermark as it would be after `partition` delivered events up to `maxTime`. */
  combinedAfter(partition: number, maxTime: number): EpochMs {
    let minimum = Math.max(
      maxTime - this.#delayMs,
      this.#partitions.get(partition)?.watermark ?? MIN_TIME,
    )
    minimum = Math.min(minimum, this.#others.minimum)
    for (const [other, progress] of this.#partitions) {
      if (other !== partition && !progress.idle) minimum = Math.min(minimum, progress.watermark)
    }
    return epochMs(Math.max(this.#combined, minimum))
  }

  /** The bounded source ended: everything has come. */
  end(): void {
    this.#combined = Number.POSITIVE_INFINITY
  }

  snapshot(partition: number): PartitionWatermark {
    const progress = this.#progress(partition)
    return { watermark: progress.watermark, idle: progress.idle }
  }

  /**
   * Puts back what `snapshot` and `combined` gave. Silence is counted from `now` on; a partition that was idle needs no more
   * of it, but a new proof: while nothing was fetched a backlog may have grown.
   */
  restore(
    combined: number,
    partitions: Iterable<readonly [partition: number, saved: PartitionWatermark]>,
    now: EpochMs,
  ): void {
    this.#combined = combined
    for (const [partition, saved] of partitions) {
      const { watermark, idle } = saved
      this.#partitions.set(partition, { watermark, idle: false, activeAt: idle ? MIN_TIME : now })
    }
    this.#idle = this.#partitions.size === 0
  }

  #progress(partition: number): PartitionProgress {
    const known = this.#partitions.get(partition)
    if (known !== undefined) return known
    const fresh = { watermark: MIN_TIME as number, idle: false, activeAt: epochMs(0) }
    this.#partitions.set(partition, fresh)
    return fresh
  }

  #combine(): boolean {
    let { active, minimum, maximum } = this.#others
    for (const progress of this.#partitions.values()) {
      maximum = Math.max(maximum, progress.watermark)
      if (progress.idle) continue
      active++
      minimum = Math.min(minimum, progress.watermark)
    }
    this.#idle = active === 0
    const next = active === 0 ? maximum : minimum
    if (next <= this.#combined) return false
    this.#combined = next
    return true
  }
}

/** Several partitions: how many are not idle, the least watermark of those, and the largest of all; infinite where there is none. */
export interface PartitionSummary {
  readonly active: number
  readonly minimum: number
  readonly maximum: number
}

const nobody: PartitionSummary = {
  active: 0,
  minimum: Number.POSITIVE_INFINITY,
  maximum: Number.NEGATIVE_INFINITY,
}

export interface PartitionWatermark {
  readonly watermark: number
  readonly idle: boolean
}

/** `watermark` in epoch ms, never falling; `activeAt` in processing time: the last event, watermark or wake-up. */
interface PartitionProgress {
  watermark: number
  idle: boolean
  activeAt: EpochMs
}
