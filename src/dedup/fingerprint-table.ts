import type { Keep } from '../core/plan.ts'
import { ChangeLog } from './change-log.ts'
import { type EntryLayout, Shard } from './shard.ts'

/** `offer`: the key was never seen. */
export const FIRST = 256
/** `offer`: the key is known and its winner stays. */
export const DUPLICATE = -1

/** Keyed state is split in this many groups by the top bits of the key hash; a change of parallelism moves whole groups. */
export const KEY_GROUPS = 128
const groupShift = 32 - Math.log2(KEY_GROUPS)

/** Key group of a key, 0…127. @param high the upper half of its hash */
export const groupOf = (high: number): number => high >>> groupShift

/**
 * Exact dedup of one metric × window: who was seen, and the outcome of the event that counts for them.
 * Open addressing on typed arrays, one shard per key group, so that growing one never stalls; keys are 64-bit hashes
 * (expected colliding pairs at 50 M keys: 7e-5). Figures: `test/bench/dedup.ts`.
 */
export class FingerprintTable {
  readonly #layout: EntryLayout
  readonly #keep: Keep
  readonly #shards: (Shard | undefined)[] = new Array(KEY_GROUPS).fill(undefined)
  readonly #changes: ChangeLog
  #size = 0

  /** Values of the winner that the last `offer` withdrew; meaningful after a result in 0…255. */
  readonly withdrawn: Float64Array

  constructor(keep: Keep, valueColumns: number) {
    this.#keep = keep
    // With values, `best` too must choose among equal outcomes by time, never by arrival.
    this.#layout = { timed: keep !== 'best' || valueColumns > 0, values: valueColumns }
    this.#changes = new ChangeLog(this.#layout)
    this.withdrawn = new Float64Array(valueColumns)
  }

  /** Distinct keys. */
  get size(): number {
    return this.#size
  }

  /** Entries that the next `takeChanges` will hold. */
  get changes(): number {
    return this.#changes.length
  }

  /** Bytes of the typed arrays. */
  get bytes(): number {
    let bytes = this.#changes.bytes
    for (const shard of this.#shards) bytes += shard?.bytes ?? 0
    return bytes
  }

  /**
   * An event of key (`high`, `low`; never both 0) with the rank of its outcome (0…254, larger is better).
   * @param tie orders events of equal time and outcome; a hash of partition and offset, so that arrival does not matter
   * @param values columns of the batch, read at `row`
   * @returns `FIRST`, `DUPLICATE`, or the outcome of the winner that this event takes the place of
   */
  offer(
    high: number,
    low: number,
    outcome: number,
    time: number,
    tie: number,
    values: readonly Float64Array[],
    row: number,
  ): number {
    const group = groupOf(high)
    let shard = this.#shards[group]
    if (shard === undefined) {
      shard = new Shard(this.#layout)
      this.#shards[group] = shard
    }
    const slot = shard.find(high, low)
    if (shard.isEmpty(slot)) {
      shard.insert(slot, high, low, outcome, time, tie, values, row)
      this.#changes.append(high, low, outcome, time, tie, values, row)
      this.#size++
      return FIRST
    }
    if (!this.#wins(shard, slot, outcome, time, tie)) return DUPLICATE
    const before = shard.outcomeAt(slot)
    shard.readValues(slot, this.withdrawn)
    shard.write(slot, outcome, time, tie, values, row)
    this.#changes.append(high, low, outcome, time, tie, values, row)
    return before
  }

  #wins(shard: Shard, slot: number, outcome: number, time: number, tie: number): boolean {
    const winner = shard.outcomeAt(slot)
    if (this.#keep === 'best' && outcome !== winner) return outcome > winner
    if (!this.#layout.timed) return false
    const winnerTime = shard.timeAt(slot)
    if (time !== winnerTime) return this.#keep === 'last' ? time > winnerTime : time < winnerTime
    if (outcome !== winner) return outcome > winner
    return tie < shard.tieAt(slot)
  }

  /** Takes out new and changed entries, at most 32,768 of them, encoded; undefined when there are none. */
  takeChanges(): Uint8Array | undefined {
    return this.#changes.take()
  }

  /** Puts back what `takeChanges` gave; blobs in the order they were taken, a later entry of a key replaces an earlier one. @param isWanted left out: all key groups */
  load(blob: Uint8Array, isWanted?: (group: number) => boolean): void {
    for (const entry of ChangeLog.decode(blob, this.#layout)) {
      const group = groupOf(entry.high)
      if (isWanted?.(group) === false) continue
      let shard = this.#shards[group]
      if (shard === undefined) {
        shard = new Shard(this.#layout)
        this.#shards[group] = shard
      }
      const slot = shard.find(entry.high, entry.low)
      if (shard.isEmpty(slot)) {
        this.#size++
        shard.insert(
          slot,
          entry.high,
          entry.low,
          entry.outcome,
          entry.time,
          entry.tie,
          entry.values,
          entry.row,
        )
      } else shard.write(slot, entry.outcome, entry.time, entry.tie, entry.values, entry.row)
    }
  }
}
