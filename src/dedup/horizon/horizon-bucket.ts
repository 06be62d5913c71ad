import { groupOf } from '../fingerprint-table.ts'
import { KeyLog } from '../key-log.ts'

const shards = 128
const shardShift = 25
const initialCapacity = 16
const maxLoad = 0.75

/**
 * Keys counted within one span of event time, each with when: 12 B a slot, load ≤ 0.75, in 128 shards, so that growing
 * never stalls. It goes as a whole.
 */
export class HorizonBucket {
  /** Begin of the span, epoch ms; it is shorter than 2^32 ms. */
  readonly start: number
  readonly #shards: (TimedKeys | undefined)[] = new Array(shards).fill(undefined)
  readonly #changes = new KeyLog(3)
  #size = 0

  constructor(start: number) {
    this.start = start
  }

  get size(): number {
    return this.#size
  }

  get changes(): number {
    return this.#changes.length
  }

  get bytes(): number {
    let bytes = this.#changes.bytes
    for (const shard of this.#shards) bytes += shard?.bytes ?? 0
    return bytes
  }

  /** When the key was counted here, epoch ms; NaN when it was not. */
  timeOf(high: number, low: number): number {
    const after = this.#shards[high >>> shardShift]?.get(high, low) ?? -1
    return after < 0 ? Number.NaN : this.start + after
  }

  add(high: number, low: number, time: number): void {
    this.#put(high, low, time - this.start)
    this.#changes.append(high, low, time - this.start)
  }

  takeChanges(): Uint8Array | undefined {
    return this.#changes.take()
  }

  load(blob: Uint8Array, isWanted?: (group: number) => boolean): void {
    const words = KeyLog.decode(blob, 3)
    for (let at = 0; at < words.length; at += 3) {
      const high = words[at] as number
      if (isWanted?.(groupOf(high)) === false) continue
      this.#put(high, words[at + 1] as number, words[at + 2] as number)
    }
  }

  #put(high: number, low: number, after: number): void {
    const index = high >>> shardShift
    let shard = this.#shards[index]
    if (shard === undefined) {
      shard = new TimedKeys()
      this.#shards[index] = shard
    }
    if (shard.put(high, low, after)) this.#size++
  }
}

/** Open addressing with linear probing; a slot whose key is (0, 0) is empty. */
class TimedKeys {
  #slots = new Uint32Array(initialCapacity * 3)
  #mask = initialCapacity - 1
  #size = 0

  get bytes(): number {
    return this.#slots.byteLength
  }

  /** -1: not there. */
  get(high: number, low: number): number {
    const at = this.#find(high, low)
    if (this.#slots[at] === 0 && this.#slots[at + 1] === 0) return -1
    return this.#slots[at + 2] as number
  }

  /** True when the key was not there. */
  put(high: number, low: number, after: number): boolean {
    let at = this.#find(high, low)
    const isNew = this.#slots[at] === 0 && this.#slots[at + 1] === 0
    if (isNew && ++this.#size > (this.#mask + 1) * maxLoad) {
      this.#grow()
      at = this.#find(high, low)
    }
    this.#slots[at] = high
    this.#slots[at + 1] = low
    this.#slots[at + 2] = after
    return isNew
  }

  #find(high: number, low: number): number {
    const slots = this.#slots
    let slot = (low ^ (high >>> 7)) & this.#mask
    for (;;) {
      const foundHigh = slots[slot * 3] as number
      const foundLow = slots[slot * 3 + 1] as number
      if ((foundHigh === high && foundLow === low) || (foundHigh === 0 && foundLow === 0))
        return slot * 3
      slot = (slot + 1) & this.#mask
    }
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    for (let at = 0; at < old.length; at += 3) {
      if (old[at] === 0 && old[at + 1] === 0) continue
      this.#slots.set(
        old.subarray(at, at + 3),
        this.#find(old[at] as number, old[at + 1] as number),
      )
    }
  }
}
