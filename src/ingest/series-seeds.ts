import type { SeriesDictionary } from '../core/series.ts'
import type { KeyHash } from './key-hash.ts'

/** Hash seeds by series id, computed when a series is first met. */
export class SeriesSeeds {
  readonly #dictionary: SeriesDictionary
  readonly #hash: KeyHash
  #high = new Int32Array(64)
  #low = new Int32Array(64)
  #known = new Uint8Array(64)

  constructor(dictionary: SeriesDictionary, hash: KeyHash) {
    this.#dictionary = dictionary
    this.#hash = hash
  }

  high(series: number): number {
    if (this.#known[series] !== 1) this.#learn(series)
    return this.#high[series] as number
  }

  low(series: number): number {
    if (this.#known[series] !== 1) this.#learn(series)
    return this.#low[series] as number
  }

  #learn(series: number): void {
    if (series >= this.#known.length) this.#grow(series + 1)
    const seed = this.#hash.seedOf(this.#dictionary.hashedValuesOf(series))
    this.#high[series] = seed.high
    this.#low[series] = seed.low
    this.#known[series] = 1
  }

  #grow(atLeast: number): void {
    const size = Math.max(atLeast, this.#known.length * 2)
    const high = new Int32Array(size)
    const low = new Int32Array(size)
    const known = new Uint8Array(size)
    high.set(this.#high)
    low.set(this.#low)
    known.set(this.#known)
    this.#high = high
    this.#low = low
    this.#known = known
  }
}
