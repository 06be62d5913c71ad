import type { SinkEvidence } from '../core/evidence.ts'
import type { DeliveryHealth } from './delivery-health.ts'

/** Brings the outbox to one sink, however it does that. Life: `start` once, `stop` once. */
export interface SinkDelivery {
  start(): void
  /** Ends for good: aborts what is in flight and waits for it. What was not acknowledged stays in the outbox. */
  stop(): Promise<void>
  /**
   * Sends at once whatever there is, and waits.
   * @param until `written`: the store has acknowledged everything; `settled`: and nothing older can land on it any more
   * @returns false when that took longer than `timeoutMs`, or the delivery was stopped
   */
  drain(timeoutMs: number, until?: 'written' | 'settled'): Promise<boolean>
  /** Position in the outbox below which everything has been written: a window is written when it is ≥ the outbox's end after its append. */
  writtenThrough(): number
  health(): DeliveryHealth
  /**
   * What alerts are judged by.
   * @param earlierMs how far windows may start before the time of their points: 0 when points carry the start, else the longest window
   */
  evidence(earlierMs?: number): SinkEvidence
}
