import assert from 'node:assert/strict'
import type { Clock } from '../../src/core/telemetry.ts'
import { pointKey } from '../../src/sink/data-point.ts'
import type { DataPoint, PointOutcome, Sink, WriteResult } from '../../src/sink/sink.ts'

/**
 * What the store does with one point. `late`: no outcome now, and it is written all the same, `lateMs` after that or after the last
 * batch that failed, whichever is later: a store that is away keeps what it has for its return.
 */
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

interface MemoryDisk {
  readonly stored: Map<string, DataPoint>
  lastFailureAt: number
}

/**
 * A store in memory that overwrites blindly, as OpenTSDB does, and behaves as told. It fails the test when two writes of
 * one point are in flight at once.
 */
export class MemorySink implements Sink {
  readonly name: string
  readonly disk: MemoryDisk
  /** Every batch that was asked for. */
  readonly batches: DataPoint[][] = []
  /** What the next batches meet; all is well when it returns undefined. */
  behave: (points: readonly DataPoint[]) => Behaviour | undefined = () => undefined
  maxInFlight = 0
  #inFlight = 0
  readonly #busy = new Set<string>()
  readonly #clock: Clock

  /** @param disk of another sink of the same store: a process that died and the one after it share it */
  constructor(
    clock: Clock,
    name = 'memory',
    disk: MemoryDisk = { stored: new Map(), lastFailureAt: 0 },
  ) {
    this.#clock = clock
    this.name = name
    this.disk = disk
  }

  /** Last value written per point key. */
  get stored(): Map<string, DataPoint> {
    return this.disk.stored
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
    if (behaviour.failed) this.disk.lastFailureAt = this.#clock.now()
    const late = new Map<number, DataPoint[]>()
    const outcomes = points.map((point, i) => this.#apply(point, behaviour.fateOf(point, i), late))
    for (const [ms, some] of late) this.#landLater(some, ms, this.#clock.now() + ms)
    return { outcomes, retryAfterMs: behaviour.retryAfterMs, failed: behaviour.failed }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #landLater(points: readonly DataPoint[], lateMs: number, at: number): void {
    this.#clock.after(at - this.#clock.now(), () => {
      const due = this.disk.lastFailureAt + lateMs
      if (due > this.#clock.now()) this.#landLater(points, lateMs, due)
      else for (const point of points) this.stored.set(pointKey(point), point)
    })
  }

  #apply(point: DataPoint, fate: Fate, late: Map<number, DataPoint[]>): PointOutcome {
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
        late.set(fate.lateMs, [...(late.get(fate.lateMs) ?? []), point])
        return { kind: 'retry', reason: 'no answer', unknown: true }
    }
  }
}
