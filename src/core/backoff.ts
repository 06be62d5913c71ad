import { type DurationMs, durationMs } from './time.ts'

export interface BackoffPolicy {
  /** Upper bound of the first wait. */
  readonly initialMs: DurationMs
  /** Upper bound of every wait. */
  readonly maxMs: DurationMs
}

/**
 * Wait before retry `attempt` (0 = first retry): full jitter over an exponential bound,
 * uniform in [0, min(max, initial × 2^attempt)].
 * Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 * @param random uniform in [0, 1)
 */
export function fullJitter(policy: BackoffPolicy, attempt: number, random: number): DurationMs {
  const bound = Math.min(policy.maxMs, policy.initialMs * 2 ** Math.min(attempt, 52))
  return durationMs(Math.round(random * bound))
}
