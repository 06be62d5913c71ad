import type { DedupStore } from '../dedup-store.ts'
import { BloomStore } from './bloom-store.ts'

/** Shares of new users that Bloom filters take for known, 0…1. */
export interface FalsePositives {
  /** What was asked for. */
  readonly target: number
  /** From the bits that are set. */
  readonly expected: number
  /** On a sample; undefined before there was one. */
  readonly measured: number | undefined
}

/** Of the worst of several: filters of live windows, or of lanes. */
export function worstOf(
  several: readonly (FalsePositives | undefined)[],
): FalsePositives | undefined {
  let worst: FalsePositives | undefined
  for (const one of several) {
    if (one === undefined) continue
    const measured = Math.max(worst?.measured ?? -1, one.measured ?? -1)
    worst = {
      target: one.target,
      expected: Math.max(worst?.expected ?? 0, one.expected),
      measured: measured < 0 ? undefined : measured,
    }
  }
  return worst
}

/** Of those that are Bloom filters; undefined where none is. */
export function falsePositivesOf(
  stores: readonly (DedupStore | undefined)[],
): FalsePositives | undefined {
  return worstOf(
    stores.map((store) =>
      store instanceof BloomStore
        ? {
            target: store.target,
            expected: store.expectedFalsePositives,
            measured: store.measuredFalsePositives,
          }
        : undefined,
    ),
  )
}
