/** Weight of the newest sample: a change shows within some samples. */
const weight = 0.3

export interface DrainProgress {
  /** Points acknowledged per second of late. */
  readonly pointsPerSecond: number
  /** Time until nothing waits at that rate; undefined while nothing moves. */
  readonly secondsLeft: number | undefined
}

/** How fast a backlog shrinks, smoothed over samples of its size. Pure. */
export class DrainRate {
  #at: number | undefined
  #acknowledged = 0
  #perSecond = 0

  /** @param acknowledged points acknowledged so far, never falling */
  sample(acknowledged: number, now: number): void {
    if (this.#at !== undefined && now > this.#at) {
      const latest = ((acknowledged - this.#acknowledged) / (now - this.#at)) * 1_000
      this.#perSecond += weight * (latest - this.#perSecond)
      if (this.#perSecond < 0.001) this.#perSecond = 0
    }
    this.#at = now
    this.#acknowledged = acknowledged
  }

  /** That rate, and how long `waiting` points take at it. */
  progress(waiting: number): DrainProgress {
    const pointsPerSecond = this.#perSecond
    const secondsLeft = waiting === 0 ? 0 : waiting / pointsPerSecond
    return {
      pointsPerSecond,
      secondsLeft: Number.isFinite(secondsLeft) ? secondsLeft : undefined,
    }
  }
}
