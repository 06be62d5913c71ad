import type { Clock } from '../../src/core/telemetry.ts'
import { type EpochMs, epochMs } from '../../src/core/time.ts'

interface Timer {
  readonly dueAt: number
  readonly run: () => void
}

/**
 * A clock that stands still until told to move. Timers run in order of their due time, equal ones in order of
 * arming, and see `now()` as the time they were due. It starts at 2025-01-01T00:00:00Z unless told otherwise.
 */
export class VirtualClock implements Clock {
  #now: number
  #timers: Timer[] = []

  constructor(startAt: number = Date.UTC(2025, 0, 1)) {
    this.#now = startAt
  }

  now(): EpochMs {
    return epochMs(this.#now)
  }

  after(ms: number, run: () => void): () => void {
    const timer: Timer = { dueAt: this.#now + Math.max(0, ms), run }
    const later = this.#timers.findIndex((other) => other.dueAt > timer.dueAt)
    this.#timers.splice(later < 0 ? this.#timers.length : later, 0, timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const onAbort = () => {
        cancel()
        reject(signal?.reason)
      }
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Moves time forward by `ms` and runs what falls due on the way, what that arms in turn included. */
  async advance(ms: number): Promise<void> {
    await this.advanceTo(this.#now + ms)
  }

  /** Moves time forward to `at`; see `advance`. Time never moves back. */
  async advanceTo(at: number): Promise<void> {
    await settle()
    for (;;) {
      const [timer] = this.#timers
      if (timer === undefined || timer.dueAt > at) break
      this.#timers.shift()
      this.#now = Math.max(this.#now, timer.dueAt)
      timer.run()
      await settle()
    }
    this.#now = Math.max(this.#now, at)
  }

  /** Timers armed and not yet run: sleepers included. A test that ends with some left has leaked them. */
  pendingTimers(): number {
    return this.#timers.length
  }

  /** When the next timer is due; undefined when none is armed. */
  nextDueAt(): EpochMs | undefined {
    const [timer] = this.#timers
    return timer === undefined ? undefined : epochMs(timer.dueAt)
  }
}

/** Lets every promise that is already resolved, and what follows from it, run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
