import { KeyLog } from '../key-log.ts'
import { HyperLogLog } from './hyperloglog.ts'

/** Users up to which a series is counted exactly. */
const exactUsers = 256

/**
 * Distinct users of each series of one window: exact up to 256, then a HyperLogLog. It can't say of one event whether its user is
 * new, so that it serves no `keep`; what it gives is how much the number of users grew, to be added to the counts.
 */
export class DistinctCounter {
  readonly #precision: number
  readonly #series: (SeriesUsers | undefined)[] = []
  readonly #changes = new KeyLog(3)
  #total = 0

  /** @param precision of the sketches, 4…18; standard error 1.04 / √(2^precision), 2^precision bytes a series */
  constructor(precision: number) {
    this.#precision = precision
  }

  /** Entries that the next `takeChanges` will hold. */
  get changes(): number {
    return this.#changes.length
  }

  get bytes(): number {
    return this.#series.reduce((bytes, one) => bytes + (one?.bytes ?? 0), this.#changes.bytes)
  }

  /** Estimated users of all series, each for itself. */
  get size(): number {
    return this.#total
  }

  /** An event of a user, as the key hash. @returns by how much the estimate of the series grew, ≥ 0; sums of it are the estimate */
  add(series: number, high: number, low: number): number {
    const grown = this.#add(series, high, low)
    if (grown !== undefined) this.#changes.append(series, high, low)
    return grown ?? 0
  }

  /** Distinct users of a series; 0 for one that is not known. */
  estimate(series: number): number {
    return this.#series[series]?.estimate ?? 0
  }

  takeChanges(): Uint8Array | undefined {
    return this.#changes.take()
  }

  /**
   * Puts back what `takeChanges` gave, in any order; always all of it. A user who changed no register is not in it: who had only some
   * of the others would take that one for new. @throws WardenError `state_corrupt`
   */
  load(blob: Uint8Array): void {
    const words = KeyLog.decode(blob, 3)
    for (let at = 0; at < words.length; at += 3) {
      this.#add(words[at] as number, words[at + 1] as number, words[at + 2] as number)
    }
  }

  /** undefined: nothing changed. */
  #add(series: number, high: number, low: number): number | undefined {
    let users = this.#series[series]
    if (users === undefined) {
      users = new SeriesUsers(this.#precision)
      this.#series[series] = users
    }
    const before = users.estimate
    // A sketch chooses its register by the upper bits, and those of `high` are the key group: a lane has only some of the groups.
    if (!users.add(low, high)) return undefined
    const grown = users.estimate - before
    this.#total += grown
    return grown
  }
}

/** Exact while it is small. */
class SeriesUsers {
  readonly #precision: number
  #exact: Set<number> | undefined = new Set()
  #sketch: HyperLogLog | undefined

  constructor(precision: number) {
    this.#precision = precision
  }

  get estimate(): number {
    return this.#sketch?.estimate ?? this.#exact?.size ?? 0
  }

  get bytes(): number {
    // A Set of numbers that are no small integers: about 40 B an entry.
    return this.#sketch?.bytes ?? (this.#exact?.size ?? 0) * 40
  }

  add(high: number, low: number): boolean {
    if (this.#sketch !== undefined) return this.#sketch.add(high, low)
    const exact = this.#exact ?? new Set()
    // The upper 53 bits: among 256 users they never collide.
    const key = high * 2 ** 21 + (low >>> 11)
    if (exact.has(key)) return false
    if (exact.size < exactUsers) {
      exact.add(key)
      return true
    }
    const sketch = new HyperLogLog(this.#precision)
    // The 11 bits that were not kept only matter to ranks beyond 53 − precision: with 256 users none is there.
    for (const known of exact) sketch.add(Math.floor(known / 2 ** 21), (known % 2 ** 21) << 11)
    sketch.add(high, low)
    this.#exact = undefined
    this.#sketch = sketch
    return true
  }
}
