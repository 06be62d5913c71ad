import { type BackoffPolicy, fullJitter } from '../core/backoff.ts'

export interface CircuitOptions {
  readonly backoff: BackoffPolicy
  /** Failed batches in a row after which only single probes go out. */
  readonly failuresToOpen: number
  /** Batches in flight at once when all is well. */
  readonly connections: number
  /** Points of a batch when all is well. */
  readonly batchPoints: number
  /** An answer that took at least this long, ms, is one of an overloaded store. */
  readonly slowMs: number
}

/** `closed`: all is well, or it is not yet given up. `open`: nothing is sent for now. `half-open`: one probe is on its way. */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** A probe is small: an overloaded store has time for it, and little becomes of unknown outcome. */
const probePoints = 50
const smallestBatch = 50

/**
 * How much may be asked of a store: waits after failures, single probes while it is away, and fewer and smaller batches when it
 * fails, refuses a part for now, or is slow: additive increase, multiplicative decrease, once per round trip. What counts as slow is a
 * time, not a ratio: OpenTSDB takes 40 ms for many points and 1 s for few, and both are fine. Pure: time and chance are arguments.
 * Source: AIMDLimit of Netflix's concurrency-limits, which measures against a bound too.
 */
export class Circuit {
  readonly #options: CircuitOptions
  readonly #random: () => number
  #state: CircuitState = 'closed'
  #failuresInRow = 0
  /** Failures in a row of which none had begun when the one before ended: batches in parallel count once. */
  #rounds = 0
  #lastFailureAt = Number.NEGATIVE_INFINITY
  #slowedDownAt = Number.NEGATIVE_INFINITY
  #notBefore = Number.NEGATIVE_INFINITY
  #healthySince: number | undefined
  #concurrency: number
  #batchPoints: number

  /** @param random uniform in [0, 1) */
  constructor(options: CircuitOptions, random: () => number) {
    this.#options = options
    this.#random = random
    this.#concurrency = options.connections
    this.#batchPoints = options.batchPoints
  }

  get state(): CircuitState {
    return this.#state
  }

  get failuresInRow(): number {
    return this.#failuresInRow
  }

  /** First success after the last failed batch; undefined before there is one. */
  get healthySince(): number | undefined {
    return this.#healthySince
  }

  /** Nothing is sent before it. */
  get notBefore(): number {
    return this.#notBefore
  }

  /** Batches that may be in flight at once now, in [1, `connections`]. */
  get concurrency(): number {
    return this.#state === 'closed' ? Math.floor(this.#concurrency) : 1
  }

  /** Points that a batch may have now. */
  get batchPoints(): number {
    return this.#state === 'closed' ? Math.floor(this.#batchPoints) : this.#probePoints()
  }

  /** Points the next batch may have, at `notBefore` or later; 0 when one of those in flight must end first. */
  allowance(inFlight: number): number {
    return inFlight < (this.#state === 'closed' ? this.concurrency : 1) ? this.batchPoints : 0
  }

  started(): void {
    if (this.#state === 'open') this.#state = 'half-open'
  }

  /**
   * The store took the batch.
   * @param startedAt when it was sent @param refusedSome it refused a part of it for now
   */
  succeeded(now: number, startedAt: number, refusedSome: boolean): void {
    this.#state = 'closed'
    this.#failuresInRow = 0
    this.#rounds = 0
    this.#healthySince ??= now
    if (refusedSome || now - startedAt >= this.#options.slowMs) this.#slowDown(now, startedAt)
    else {
      const { connections, batchPoints } = this.#options
      this.#concurrency = Math.min(connections, this.#concurrency + 1 / this.#concurrency)
      this.#batchPoints = Math.min(batchPoints, this.#batchPoints + batchPoints / 10)
    }
  }

  /** The batch as a whole failed. @param startedAt when it was sent @param waitMs least wait that the store asked for */
  failed(now: number, startedAt: number, waitMs: number): CircuitState {
    this.#failuresInRow++
    this.#healthySince = undefined
    this.#slowDown(now, startedAt)
    if (startedAt >= this.#lastFailureAt) {
      const wait = Math.max(1, fullJitter(this.#options.backoff, this.#rounds, this.#random()))
      this.#notBefore = Math.max(this.#notBefore, now + wait)
      this.#rounds++
      this.#lastFailureAt = now
    }
    this.#notBefore = Math.max(this.#notBefore, now + waitMs)
    if (this.#state === 'half-open' || this.#failuresInRow >= this.#options.failuresToOpen) {
      this.#state = 'open'
    }
    return this.#state
  }

  /** Batches that were under way together tell of one overload, not of several. */
  #slowDown(now: number, startedAt: number): void {
    if (startedAt < this.#slowedDownAt) return
    this.#slowedDownAt = now
    this.#concurrency = Math.max(1, this.#concurrency / 2)
    const floor = Math.min(smallestBatch, this.#options.batchPoints)
    this.#batchPoints = Math.max(floor, Math.floor(this.#batchPoints / 2))
  }

  #probePoints(): number {
    return Math.min(probePoints, Math.floor(this.#batchPoints))
  }
}
