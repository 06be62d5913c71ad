import type { DedupStore } from '../dedup-store.ts'
import { DUPLICATE, FIRST, groupOf } from '../fingerprint-table.ts'
import { KeyLog } from '../key-log.ts'
import { BloomFilter, bloomBytes } from './bloom-filter.ts'
import { KeySample } from './key-sample.ts'

export interface BloomOptions {
  /** Keys a window is expected to have; with more the rate of false positives rises, the memory does not. */
  readonly keys: number
  /** Share of new keys that may be taken for known ones when `keys` keys are there, 0…1. */
  readonly falsePositives: number
}

/** Share of keys watched exactly at first, to measure the false positives. */
const sampleShare = 1 / 64

/**
 * `first` by arrival in memory that is fixed when it is made: a split-block Bloom filter. A user that is new is taken for
 * known at the rate of the filter, and not counted; a known one is never counted again.
 */
export class BloomStore implements DedupStore {
  readonly withdrawn = new Float64Array(0)
  readonly target: number
  readonly #filter: BloomFilter
  readonly #sample = new KeySample(sampleShare)
  /** Keys that were counted, and sampled ones that were new but taken for known. */
  readonly #changes = new KeyLog(2)
  #sampledNew = 0
  #sampledFalse = 0

  constructor(options: BloomOptions) {
    this.target = options.falsePositives
    this.#filter = new BloomFilter(bloomBytes(options.keys, options.falsePositives))
  }

  get size(): number {
    return this.#filter.size
  }

  get changes(): number {
    return this.#changes.length
  }

  get bytes(): number {
    return this.#filter.bytes + this.#sample.bytes + this.#changes.bytes
  }

  /** False positives among the new keys of a random sample; undefined before there was one. */
  get measuredFalsePositives(): number | undefined {
    return this.#sampledNew === 0 ? undefined : this.#sampledFalse / this.#sampledNew
  }

  /** Chance that the next new key is not counted, from the bits that are set. */
  get expectedFalsePositives(): number {
    return this.#filter.falsePositives
  }

  offer(high: number, low: number): number {
    const isNew = this.#filter.add(high, low)
    const sampled = this.#sample.offer(high, low)
    if (sampled === 'new') {
      this.#sampledNew++
      if (!isNew) this.#sampledFalse++
    }
    // A sampled key is saved though it was not counted: else it would look like a false positive again after a restart.
    if (isNew || sampled === 'new') this.#changes.append(high, low)
    return isNew ? FIRST : DUPLICATE
  }

  takeChanges(): Uint8Array | undefined {
    return this.#changes.take()
  }

  load(blob: Uint8Array, isWanted?: (group: number) => boolean): void {
    const words = KeyLog.decode(blob, 2)
    for (let at = 0; at < words.length; at += 2) {
      const high = words[at] as number
      const low = words[at + 1] as number
      if (isWanted?.(groupOf(high)) === false) continue
      // In the order of arrival: what was a false positive is one again, and is measured again.
      const isNew = this.#filter.add(high, low)
      if (this.#sample.offer(high, low) !== 'new') continue
      this.#sampledNew++
      if (!isNew) this.#sampledFalse++
    }
  }
}
