import type { StateOperation, StateStore } from '../../core/state-store.ts'
import { type DurationMs, durationMs, type EpochMs, epochMs } from '../../core/time.ts'
import type { Notification } from '../notification.ts'
import { decode, encode } from './notice-codec.ts'

const key = 'notice-watchdog'

export interface WatchdogOptions {
  readonly job: string
  readonly everyMs: DurationMs
  readonly receivers: readonly string[]
}

/**
 * A heartbeat that takes the way of the alerts, through the checkpoint, the outbox and the receiver, so that silence means that nothing is
 * wrong, and a missing heartbeat that nobody would have been told.
 */
export class Watchdog {
  readonly #options: WatchdogOptions
  /** undefined: never. */
  #lastAt: EpochMs | undefined
  #beats = 0

  constructor(store: StateStore, options: WatchdogOptions) {
    this.#options = options
    const saved = store.get(key)
    const value = saved === undefined ? undefined : decode(saved, key)
    if (typeof value === 'object' && value !== null && 'at' in value && 'beats' in value) {
      this.#lastAt = epochMs(Number(value.at))
      this.#beats = Number(value.beats)
    }
  }

  isDue(now: EpochMs): boolean {
    const { everyMs, receivers } = this.#options
    if (receivers.length === 0) return false
    // A clock that was set back does not silence it for longer than its interval.
    return this.#lastAt === undefined || Math.abs(now - this.#lastAt) >= everyMs
  }

  /** The heartbeat that is due now, and what has to be in the same transaction. */
  beat(now: EpochMs): { readonly notification: Notification; readonly operation: StateOperation } {
    const { job, receivers } = this.#options
    this.#lastAt = now
    this.#beats++
    const value = encode({ at: now, beats: this.#beats })
    return {
      operation: { kind: 'put', key, value },
      notification: {
        id: `watchdog-${job}-${this.#beats}`,
        decidedAt: now,
        kind: 'watchdog',
        receivers,
        severity: 'info',
        group: { key: `watchdog/${job}`, rule: undefined, team: undefined, cause: undefined },
        alerts: [],
        total: 0,
        firing: 0,
        step: this.#beats,
        age: durationMs(0),
      },
    }
  }
}
