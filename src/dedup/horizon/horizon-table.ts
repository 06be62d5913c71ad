import { DUPLICATE, FIRST } from '../fingerprint-table.ts'
import { HorizonBucket } from './horizon-bucket.ts'

/** Buckets in a horizon: so much longer than it is what is kept, at most. */
const bucketsPerHorizon = 8

/** Event time that one bucket spans. @param horizonMs at most 365 d */
const bucketSpan = (horizonMs: number): number => Math.ceil(horizonMs / bucketsPerHorizon)

/** Time from which on no event meets the bucket that starts at `start`. */
export const horizonEnd = (start: number, horizonMs: number): number =>
  start + bucketSpan(horizonMs) + horizonMs

/**
 * Dedup over a horizon longer than a window (`per: 7d`), `first` by arrival: an event counts when no event of its key within
 * the horizon before or after it, in event time, was counted. Counted keys lie in buckets by the time of their event; a bucket goes whole when no
 * event that may still come lies within the horizon of it, so that a key that is never seen again goes too.
 */
export class HorizonTable {
  readonly #horizonMs: number
  readonly #bucketMs: number
  readonly #buckets = new Map<number, HorizonBucket>()
  #gone: number[] = []

  /** @param horizonMs at most 365 d */
  constructor(horizonMs: number) {
    this.#horizonMs = horizonMs
    this.#bucketMs = bucketSpan(horizonMs)
  }

  /** Counted events whose horizon is not over. */
  get size(): number {
    return this.#sum((bucket) => bucket.size)
  }

  /** Entries that the next checkpoint must write. */
  get changes(): number {
    return this.#sum((bucket) => bucket.changes)
  }

  get bytes(): number {
    return this.#sum((bucket) => bucket.bytes)
  }

  /** Live buckets by the start of their span, for checkpoints. */
  get buckets(): ReadonlyMap<number, HorizonBucket> {
    return this.#buckets
  }

  /** An event of key (`high`, `low`; never both 0) at event time `time`, epoch ms. @returns `FIRST` or `DUPLICATE` */
  offer(high: number, low: number, time: number): number {
    const own = this.#startOf(time)
    // Bounds are exclusive: after exactly one horizon a user counts again.
    const first = this.#startOf(time - this.#horizonMs)
    const last = this.#startOf(time + this.#horizonMs)
    for (let start = last; start >= first; start -= this.#bucketMs) {
      const counted = this.#buckets.get(start)?.timeOf(high, low)
      if (counted !== undefined && Math.abs(counted - time) < this.#horizonMs) return DUPLICATE
    }
    this.bucketOf(own).add(high, low, time)
    return FIRST
  }

  /** The bucket that starts at `start`, for restoring. */
  bucketOf(start: number): HorizonBucket {
    const known = this.#buckets.get(start)
    if (known !== undefined) return known
    const bucket = new HorizonBucket(start)
    this.#buckets.set(start, bucket)
    return bucket
  }

  /** No event before `oldest` comes any more (it would be late): drops the buckets that no later one can meet. */
  dropBefore(oldest: number): void {
    this.dropWhere((end) => end <= oldest)
  }

  /** Drops the buckets that no event meets any more. @param isOver does no event of this time, or an earlier one, come any more? */
  dropWhere(isOver: (time: number) => boolean): void {
    for (const start of this.#buckets.keys()) {
      // The last moment that meets it is one before its end.
      if (!isOver(horizonEnd(start, this.#horizonMs))) continue
      this.#buckets.delete(start)
      this.#gone.push(start)
    }
  }

  /** Starts of the buckets dropped since the last call: the next checkpoint removes them. */
  takeGone(): readonly number[] {
    const gone = this.#gone
    this.#gone = []
    return gone
  }

  #startOf(time: number): number {
    return Math.floor(time / this.#bucketMs) * this.#bucketMs
  }

  #sum(of: (bucket: HorizonBucket) => number): number {
    let sum = 0
    for (const bucket of this.#buckets.values()) sum += of(bucket)
    return sum
  }
}
