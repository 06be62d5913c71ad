import type { Clock } from '../core/telemetry.ts'

/** Whoever waits for a delivery to have nothing left. */
export class DrainWaiters {
  readonly #clock: Clock
  #wakers: (() => void)[] = []
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Does anybody wait? */
  get any(): boolean {
    return this.#count > 0
  }

  /** Something changed: they look again. */
  notify(): void {
    const wakers = this.#wakers
    this.#wakers = []
    for (const wake of wakers) wake()
  }

  /**
   * Waits until `done`, looked at after each `notify`.
   * @param begin called once somebody waits
   * @returns false when that took longer than `timeoutMs`, or `stop` was aborted
   */
  async wait(
    done: () => boolean,
    timeoutMs: number,
    stop: AbortSignal,
    begin: () => void,
  ): Promise<boolean> {
    const end = new AbortController()
    let late = false
    // A sleep, not a timer: it holds the process while somebody waits for the points to go out.
    const timeout = this.#clock.sleep(timeoutMs, end.signal).then(
      () => {
        late = true
        this.notify()
      },
      () => undefined,
    )
    this.#count++
    try {
      begin()
      while (!done() && !late && !stop.aborted) {
        await new Promise<void>((resolve) => this.#wakers.push(resolve))
      }
      return done()
    } finally {
      this.#count--
      end.abort()
      await timeout
    }
  }
}
