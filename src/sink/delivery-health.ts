import type { EpochMs } from '../core/time.ts'

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
}
