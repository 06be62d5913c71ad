import type { EpochMs } from './time.ts'

export type Firing = 'early' | 'on-time' | 'late'

/** One emission of a window for one series. */
export interface Pane {
  readonly metric: string
  /** Dimension name → value; with `outcome` where the metric splits by it. */
  readonly tags: Readonly<Record<string, string>>
  readonly windowStart: EpochMs
  readonly windowEnd: EpochMs
  readonly firing: Firing
  /** Counts emissions of this series and window: 0, 1, … */
  readonly revision: number
  /** Aggregate name → value. A rate over nothing is left out. */
  readonly values: Readonly<Record<string, number>>
  /** Values of the emission before, where there was one: what a changelog reader withdraws first. */
  readonly previous: Readonly<Record<string, number>> | undefined
  /** No event of the series in the window. */
  readonly zero: boolean
}
