import { type DurationMs, durationMs, type EpochMs } from '../core/time.ts'

export type RestartPolicy =
  /** Waits `delayMs`, at most `attempts` times in a row; a run of ten delays, at least a minute, starts anew. */
  | { readonly strategy: 'fixed-delay'; readonly delayMs: DurationMs; readonly attempts: number }
  /** Gives up when it failed more than `max` times within `perMs`. */
  | {
      readonly strategy: 'failure-rate'
      readonly max: number
      readonly perMs: DurationMs
      readonly delayMs: DurationMs
    }
  /** Waits longer each time, for ever; a run of `resetAfterMs` starts anew. */
  | {
      readonly strategy: 'exponential'
      readonly initialMs: DurationMs
      readonly maxMs: DurationMs
      readonly multiplier: number
      readonly resetAfterMs: DurationMs
    }
  | { readonly strategy: 'none' }

/** A run that was shorter than this proves nothing, however short the delay is. */
const minSoundRunMs = 60_000

/** Decides after each failure whether the pipeline is built anew from the last checkpoint, and when. Names are Flink's. */
export class RestartStrategy {
  readonly #policy: RestartPolicy
  #inARow = 0
  readonly #failures: EpochMs[] = []

  constructor(policy: RestartPolicy) {
    this.#policy = policy
  }

  /**
   * The pipeline failed at `now` after running for `ranMs`.
   * @returns wait before the next start; undefined: give up
   */
  failed(now: EpochMs, ranMs: number): DurationMs | undefined {
    const policy = this.#policy
    switch (policy.strategy) {
      case 'none':
        return undefined
      case 'fixed-delay':
        if (ranMs >= Math.max(policy.delayMs * 10, minSoundRunMs)) this.#inARow = 0
        return ++this.#inARow > policy.attempts ? undefined : policy.delayMs
      case 'failure-rate':
        this.#failures.push(now)
        while ((this.#failures[0] ?? now) <= now - policy.perMs) this.#failures.shift()
        return this.#failures.length > policy.max ? undefined : policy.delayMs
      case 'exponential': {
        if (ranMs >= policy.resetAfterMs) this.#inARow = 0
        const factor = Math.min(policy.multiplier ** this.#inARow++, Number.MAX_SAFE_INTEGER)
        return durationMs(Math.min(policy.maxMs, policy.initialMs * factor))
      }
    }
  }
}
