/** A value at a time, as it goes to a store: pane values flattened, one per aggregate. */
export interface DataPoint {
  /** Full metric name, legal for the store: `<prefix><metric>.<aggregate>`. */
  readonly metric: string
  readonly tags: Readonly<Record<string, string>>
  /** Epoch seconds. */
  readonly timestamp: number
  readonly value: number
  /** Orders writes of the same (metric, tags, timestamp): the larger pair wins, incarnation first. */
  readonly incarnation: number
  readonly revision: number
}

/** What became of one point of a batch. */
export type PointOutcome =
  | { readonly kind: 'written' }
  /** Surely not written, or not known; sending it again is right. `unknown` when it may be written later by itself. */
  | { readonly kind: 'retry'; readonly reason: string; readonly unknown: boolean }
  /** The store will never take it. */
  | { readonly kind: 'refused'; readonly reason: string }

/** Port of everything points go to. One `write` per batch; it never throws for what the store said, only for broken promises. */
export interface Sink {
  readonly name: string
  /** Outcomes in the order of `points`. Bounded in time by the sink itself. */
  write(points: readonly DataPoint[], signal: AbortSignal): Promise<WriteResult>
  close(): Promise<void>
}

export interface WriteResult {
  readonly outcomes: readonly PointOutcome[]
  /** The store asked to wait this long (Retry-After). */
  readonly retryAfterMs: number | undefined
  /** True when the batch as a whole failed (no answer, 5xx): counts against the store, not against a point. */
  readonly failed: boolean
}

/** Of a point that a sink said nothing about. */
export const lost: PointOutcome = { kind: 'retry', reason: 'no outcome', unknown: true }

/** Nothing is known of the whole batch. */
export function unknownResult(points: readonly DataPoint[], reason: string): WriteResult {
  return {
    outcomes: points.map(() => ({ kind: 'retry', reason, unknown: true })),
    retryAfterMs: undefined,
    failed: true,
  }
}
