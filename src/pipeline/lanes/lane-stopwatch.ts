import type { Clock } from '../../core/telemetry.ts'
import type { LaneTimes } from './lane-messages.ts'

/** Where a lane's time goes: begin → worked → waited → begin → … */
export class LaneStopwatch {
  readonly #clock: Clock
  #since: number
  #busy = 0
  #idle = 0
  #backPressured = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#since = clock.now()
  }

  /** What lay between the last call and this one was messages and I/O of the lane's own. */
  begin(): void {
    this.#busy += this.#lap()
  }

  worked(): void {
    this.#busy += this.#lap()
  }

  /** @param isIdle there was nothing to do; false: somebody else was too slow */
  waited(isIdle: boolean): void {
    const ms = this.#lap()
    if (isIdle) this.#idle += ms
    else this.#backPressured += ms
  }

  take(): LaneTimes {
    const times = { busy: this.#busy, idle: this.#idle, backPressured: this.#backPressured }
    this.#busy = 0
    this.#idle = 0
    this.#backPressured = 0
    return times
  }

  #lap(): number {
    const now = this.#clock.now()
    const ms = Math.max(0, now - this.#since)
    this.#since = now
    return ms
  }
}
