import type { EpochMs } from '../core/time.ts'
import type { DrainProgress } from './drain-rate.ts'

export interface DeliveryHealth {
  /** `retrying`: batches fail and it is not yet given up. */
  readonly state: 'ok' | 'retrying' | 'open' | 'half-open' | 'stopped'
  /** Of the last failed batch, also when all is well since. */
  readonly lastError: string | undefined
  readonly lastErrorAt: EpochMs | undefined
  readonly lastSuccessAt: EpochMs | undefined
  /** When the oldest point that the store has not acknowledged was appended; undefined when there is none. */
  readonly oldestUnwrittenAt: EpochMs | undefined
  /** Points from the cursor on. */
  readonly depth: number
  /** Points that were written and are sent once more, because a write of unknown outcome may land late. */
  readonly settling: number
  /** Encoded bytes of them. */
  readonly bytes: number
  readonly drain: DrainProgress
  /** What is asked of the store now: less than configured while it is in trouble. */
  readonly allowed: { readonly concurrency: number; readonly batchPoints: number }
}
