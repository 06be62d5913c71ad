import assert from 'node:assert/strict'
import type { Clock } from '../../src/core/telemetry.ts'
import { pointKey } from '../../src/sink/data-point.ts'
import type { DataPoint, PointOutcome, Sink, WriteResult } from '../../src/sink/sink.ts'

/** What the store does with one point. `late`: no outcome now, and it is written `lateMs` after that all the same. */
export type Fate =
  | { readonly kind: 'written' | 'refused' | 'throttled' | 'lost' }
  | { readonly kind: 'late'; readonly lateMs: number }

/** What the store does with one batch: answers after `afterMs`, `failed` as a whole or point by point. */
export interface Behaviour {
  readonly afterMs: number
  readonly failed: boolean
  readonly retryAfterMs?: number
  fateOf(point: DataPoint, index: number): Fate
}

const well: Behaviour = { afterMs: 0, failed: false, fateOf: () => ({ kind: 'written' }) }

/**
 * A store in memory that overwrites blindly, as OpenTSDB does, and behaves as told. It fails the test when two writes of
 * one point are in flight at once.
 */
export class MemorySink implements Sink {
  readonly name: string
  /** Last value written per point key. */
  readonly stored: Map<string, DataPoint>
  /** Every batch that was asked for. */
  readonly batches: DataPoint[][] = []
  /** What the next batches meet; all is well when it returns undefined. */
  behave: (points: readonly DataPoint[]) => Behaviour | undefined = () => undefined
  maxInFlight = 0
  #inFlight = 0
  readonly #busy = new Set<string>()
  readonly #clock: Clock

  /** @param stored what another sink of the same store holds: a process that died and this one after it share it */
  constructor(clock: Clock, name = 'memory', stored = new Map<string, DataPoint>()) {
    this.#clock = clock
    this.name = name
    this.stored = stored
  }

  async write(points: readonly DataPoint[], signal: AbortSignal): Promise<WriteResult> {
    this.batches.push([...points])
    const keys = points.map(pointKey)
    for (const key of keys) {
      assert.ok(!this.#busy.has(key), `two writes of ${JSON.stringify(key)} in flight`)
      this.#busy.add(key)
    }
    this.maxInFlight = Math.max(this.maxInFlight, ++this.#inFlight)
    const behaviour = this.behave(points) ?? well
    if (behaviour.afterMs > 0) {
      try {
        await this.#clock.sleep(behaviour.afterMs, signal)
      } catch {
        // Given up by the caller: the store does not know, and goes on.
      }
    }
    this.#inFlight--
    for (const key of keys) this.#busy.delete(key)
    const outcomes = points.map((point, i) => this.#apply(point, behaviour.fateOf(point, i)))
    return { outcomes, retryAfterMs: behaviour.retryAfterMs, failed: behaviour.failed }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #apply(point: DataPoint, fate: Fate): PointOutcome {
    switch (fate.kind) {
      case 'written':
        this.stored.set(pointKey(point), point)
        return { kind: 'written' }
      case 'refused':
        return { kind: 'refused', reason: 'illegal' }
      case 'throttled':
        return { kind: 'retry', reason: 'throttled', unknown: false }
      case 'lost':
        return { kind: 'retry', reason: 'no answer', unknown: true }
      case 'late':
        this.#clock.after(fate.lateMs, () => this.stored.set(pointKey(point), point))
        return { kind: 'retry', reason: 'no answer', unknown: true }
    }
  }
}
