/** 32-bit words of a block: one cache line holds two. */
const wordsPerBlock = 8
const bitsPerBlock = wordsPerBlock * 32

/** Odd constants of the split-block Bloom filter of the Parquet format: one bit in each word of a block. */
const salts = Uint32Array.of(
  0x47b6137b,
  0x44974d91,
  0x8824ad5b,
  0xa2b7289d,
  0x705495c7,
  0x2df1424b,
  0x9efc4947,
  0x5c6bfb31,
)

/**
 * Split-block Bloom filter over 64-bit hashes: a key sets 8 bits within one block of 32 bytes, so that a look-up touches one
 * cache line. No false negatives. The size is fixed (Putze, Sanders, Singler 2007; constants of Apache Parquet).
 */
export class BloomFilter {
  readonly #words: Uint32Array
  readonly #blocks: number
  #size = 0

  /** @param bytes memory; rounded up to whole blocks */
  constructor(bytes: number) {
    this.#blocks = Math.max(1, Math.ceil(bytes / (wordsPerBlock * 4)))
    this.#words = new Uint32Array(this.#blocks * wordsPerBlock)
  }

  get bytes(): number {
    return this.#words.byteLength
  }

  /** Keys that were new when they were added. */
  get size(): number {
    return this.#size
  }

  /** Adds the key; true when it was surely not there before. */
  add(high: number, low: number): boolean {
    const words = this.#words
    const at = this.#blockOf(high)
    let isNew = false
    for (let index = 0; index < wordsPerBlock; index++) {
      const bit = 1 << (Math.imul(low, salts[index] as number) >>> 27)
      const word = words[at + index] as number
      if ((word & bit) !== 0) continue
      words[at + index] = word | bit
      isNew = true
    }
    if (isNew) this.#size++
    return isNew
  }

  /** False: surely never added. */
  has(high: number, low: number): boolean {
    const words = this.#words
    const at = this.#blockOf(high)
    for (let index = 0; index < wordsPerBlock; index++) {
      const bit = 1 << (Math.imul(low, salts[index] as number) >>> 27)
      if (((words[at + index] as number) & bit) === 0) return false
    }
    return true
  }

  /** Chance that a key which was never added is taken for known, from the bits of up to 1024 blocks, evenly spread. */
  get falsePositives(): number {
    const step = Math.max(1, Math.floor(this.#blocks / 1024))
    let sum = 0
    let blocks = 0
    for (let block = 0; block < this.#blocks; block += step) {
      let chance = 1
      for (let word = block * wordsPerBlock; word < (block + 1) * wordsPerBlock; word++) {
        chance *= bitsSet(this.#words[word] as number) / 32
      }
      sum += chance
      blocks++
    }
    return sum / blocks
  }

  #blockOf(high: number): number {
    // The top bits are the key group: a lane that has some of the groups would use some of the blocks.
    let mixed = Math.imul(high ^ (high >>> 15), 0x85ebca6b)
    mixed = (mixed ^ (mixed >>> 13)) >>> 0
    // The product loses its low bits above 2^53; it must not reach the number of blocks for that.
    const block = Math.min(this.#blocks - 1, Math.floor((mixed * this.#blocks) / 2 ** 32))
    return block * wordsPerBlock
  }
}

/** Set bits of a 32-bit word. */
function bitsSet(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/**
 * Expected false-positive rate of a filter that holds `keys` keys: blocks hold a Poisson number of keys, and a key of
 * `k` others in its block is falsely known with (1 − (31/32)^k)^8.
 */
export function expectedFalsePositives(keys: number, bytes: number): number {
  const mean = keys / Math.max(1, Math.ceil((bytes * 8) / bitsPerBlock))
  const spread = 12 * Math.sqrt(mean) + 12
  let rate = 0
  let logFactorial = 0
  for (let k = 0; k <= mean + spread; k++) {
    if (k > 1) logFactorial += Math.log(k)
    if (k < mean - spread) continue
    const chance = Math.exp(k * Math.log(mean || Number.MIN_VALUE) - mean - logFactorial)
    rate += chance * (1 - (31 / 32) ** k) ** wordsPerBlock
  }
  return Math.min(1, rate)
}

/** Least bytes with which `keys` keys have at most the wanted false-positive rate. */
export function bloomBytes(keys: number, falsePositives: number): number {
  let low = 1
  let high = Math.max(1, Math.ceil(keys / 4))
  while (expectedFalsePositives(keys, high * 32) > falsePositives) high *= 2
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (expectedFalsePositives(keys, middle * 32) <= falsePositives) high = middle
    else low = middle + 1
  }
  return low * 32
}
