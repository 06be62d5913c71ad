/** Weight of the newest sample: a change shows within some samples. */
const weight = 0.3

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

  /** Points per second that the sink acknowledged of late. */
  get perSecond(): number {
    return this.#perSecond
  }

  /** Seconds until `waiting` points are acknowledged at that rate; 0 when none waits, infinite while nothing moves. */
  secondsLeft(waiting: number): number {
    return waiting === 0 ? 0 : waiting / this.#perSecond
  }
}
