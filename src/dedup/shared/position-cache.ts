/** Entries of a set; the one used longest ago makes room. */
const ways = 8

/** Where the event was read that counts for a key: hash of source and partition, and offset. */
export interface Position {
  partition: number
  offset: number
}

/**
 * The keys seen last, each with the position that counts for it, in memory that is fixed when it is made: a set-associative
 * cache on typed arrays, least recently used within a set of 8. A key is 64 bits of hash and its slice.
 */
export class PositionCache {
  readonly #sets: number
  readonly #keys: Uint32Array
  readonly #slices: Float64Array
  readonly #partitions: Uint32Array
  readonly #offsets: Float64Array
  readonly #used: Uint32Array
  #clock = 0

  /** @param keys it holds, rounded up to a power of two; 0: none. 32 B each */
  constructor(keys: number) {
    this.#sets = keys === 0 ? 0 : 2 ** Math.ceil(Math.log2(Math.max(1, keys / ways)))
    const slots = this.#sets * ways
    this.#keys = new Uint32Array(slots * 2)
    this.#slices = new Float64Array(slots)
    this.#partitions = new Uint32Array(slots)
    this.#offsets = new Float64Array(slots)
    this.#used = new Uint32Array(slots)
  }

  get bytes(): number {
    return this.#sets * ways * 32
  }

  /** Fills `into` when the key is known. */
  find(high: number, low: number, slice: number, into: Position): boolean {
    const first = this.#firstOf(high, low, slice)
    for (let slot = first; slot < first + (this.#sets === 0 ? 0 : ways); slot++) {
      if (!this.#holds(slot, high, low, slice)) continue
      into.partition = this.#partitions[slot] as number
      into.offset = this.#offsets[slot] as number
      this.#used[slot] = this.#tick()
      return true
    }
    return false
  }

  set(high: number, low: number, slice: number, position: Position): void {
    if (this.#sets === 0) return
    const first = this.#firstOf(high, low, slice)
    let oldest = first
    for (let slot = first; slot < first + ways; slot++) {
      if (this.#holds(slot, high, low, slice)) {
        oldest = slot
        break
      }
      if ((this.#used[slot] as number) < (this.#used[oldest] as number)) oldest = slot
    }
    this.#keys[oldest * 2] = high
    this.#keys[oldest * 2 + 1] = low
    this.#slices[oldest] = slice
    this.#partitions[oldest] = position.partition
    this.#offsets[oldest] = position.offset
    this.#used[oldest] = this.#tick()
  }

  #firstOf(high: number, low: number, slice: number): number {
    const hash = Math.imul(low ^ Math.floor(slice / 1000), 0x9e3779b1) ^ high
    return ((hash ^ (hash >>> 15)) & (this.#sets - 1)) * ways
  }

  #holds(slot: number, high: number, low: number, slice: number): boolean {
    return (
      this.#keys[slot * 2] === high &&
      this.#keys[slot * 2 + 1] === low &&
      this.#slices[slot] === slice &&
      this.#used[slot] !== 0
    )
  }

  #tick(): number {
    if (++this.#clock === 2 ** 32) {
      // Once in 4 billion uses all are of the same age again.
      this.#clock = 2
      this.#used.forEach((used, slot) => {
        if (used !== 0) this.#used[slot] = 1
      })
    }
    return this.#clock
  }
}
