/** Most keys of a sample. */
const capacity = 2 ** 16
const slots = capacity * 2

/**
 * An exact record of a random part of all keys, bounded in memory: when it is full, it keeps every second one from then on.
 * What part is decided by the key alone, so that a sampled key is recognised when it comes again.
 */
export class KeySample {
  #keys = new Uint32Array(slots * 2)
  #size = 0
  /** Keys whose mixed hash lies below it are sampled. */
  #below: number

  /** @param share of keys sampled at first, 0…1 */
  constructor(share: number) {
    this.#below = Math.floor(share * 2 ** 32)
  }

  get bytes(): number {
    return this.#keys.byteLength
  }

  /** `other`: not sampled. `new`: sampled, and now recorded. `known`: recorded before. */
  offer(high: number, low: number): 'other' | 'new' | 'known' {
    if (mix(high, low) >= this.#below) return 'other'
    const slot = this.#find(high, low)
    if (this.#keys[slot * 2] !== 0 || this.#keys[slot * 2 + 1] !== 0) return 'known'
    this.#keys[slot * 2] = high
    this.#keys[slot * 2 + 1] = low
    if (++this.#size >= capacity) this.#thin()
    return 'new'
  }

  #find(high: number, low: number): number {
    let slot = (low ^ (high >>> 7)) & (slots - 1)
    for (;;) {
      const foundHigh = this.#keys[slot * 2] as number
      const foundLow = this.#keys[slot * 2 + 1] as number
      if ((foundHigh === high && foundLow === low) || (foundHigh === 0 && foundLow === 0))
        return slot
      slot = (slot + 1) & (slots - 1)
    }
  }

  #thin(): void {
    const old = this.#keys
    this.#keys = new Uint32Array(slots * 2)
    this.#below = Math.floor(this.#below / 2)
    this.#size = 0
    for (let slot = 0; slot < slots; slot++) {
      const high = old[slot * 2] as number
      const low = old[slot * 2 + 1] as number
      if ((high === 0 && low === 0) || mix(high, low) >= this.#below) continue
      const free = this.#find(high, low)
      this.#keys[free * 2] = high
      this.#keys[free * 2 + 1] = low
      this.#size++
    }
  }
}

/** Independent of the bits that choose block and slot. Finalizer of MurmurHash3 (Appleby). */
function mix(high: number, low: number): number {
  let hash = Math.imul(high ^ 0x5bd1e995, 0x9e3779b1) ^ low
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
