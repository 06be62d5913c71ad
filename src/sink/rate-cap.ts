/** A bound on points per second, without bursts: each batch pays for itself before the next may go. Pure. */
export class RateCap {
  readonly #perSecond: number | undefined
  #freeAt = Number.NEGATIVE_INFINITY

  /** @param perSecond undefined: no bound */
  constructor(perSecond: number | undefined) {
    this.#perSecond = perSecond
  }

  /** The next batch may go at this time, ms. */
  get freeAt(): number {
    return this.#freeAt
  }

  spend(points: number, now: number): void {
    if (this.#perSecond === undefined) return
    this.#freeAt = Math.max(now, this.#freeAt) + (points / this.#perSecond) * 1_000
  }
}
