import type { BackoffPolicy } from '../core/backoff.ts'
import { durationMs } from '../core/time.ts'

export interface DeliveryOptions {
  /** Points of a full batch. */
  readonly batchPoints: number
  /** Longest wait of a point for a batch to fill, ms. */
  readonly batchAgeMs: number
  /** Batches in flight at once. */
  readonly connections: number
  readonly backoff: BackoffPolicy
  /** An answer that took at least this long, ms, makes the delivery ask for less. */
  readonly slowMs: number
  /** Points per second, at most; undefined: as many as the store takes. */
  readonly maxRate: number | undefined
  /** Bytes of the outbox that may wait for this sink before the oldest are dropped; undefined: none is ever dropped. */
  readonly maxBacklogBytes: number | undefined
  /** Health of the store after which a write of unknown outcome is surely over, ms; 0 for stores where none is written late. */
  readonly settleMs: number
  /** Failed batches in a row that open the circuit. */
  readonly failuresToOpen: number
  /** Points in memory that wait for their first acknowledgement. */
  readonly maxUnwritten: number
  /** Points in memory, those that settle included; about 500 bytes each. */
  readonly maxInMemory: number
}

export const defaultDeliveryOptions: DeliveryOptions = {
  batchPoints: 500,
  batchAgeMs: 1_000,
  connections: 4,
  backoff: { initialMs: durationMs(200), maxMs: durationMs(30_000) },
  slowMs: 5_000,
  maxRate: undefined,
  maxBacklogBytes: undefined,
  settleMs: 120_000,
  failuresToOpen: 5,
  maxUnwritten: 20_000,
  maxInMemory: 200_000,
}
