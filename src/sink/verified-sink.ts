import type { Counter, Metrics } from '../core/telemetry.ts'
import { pointKey } from './data-point.ts'
import type { DataPoint, PointOutcome, Sink, WriteResult } from './sink.ts'

/** Reads points back from where a sink wrote them. */
export interface PointReader {
  /** Values in the order of `points`, undefined for one that the store does not have. Rejects when it can't be asked. */
  read(points: readonly DataPoint[], signal: AbortSignal): Promise<readonly (number | undefined)[]>
}

/** Times in a row that a point may read back wrong; then another one writes it, or the store changes it. */
const maxMismatches = 5
const maxTracked = 10_000
/** Stores print doubles in their own way. */
const tolerance = 1e-9

/**
 * Reads a share of what was written back at once, and takes for unwritten what is not there: the only proof against a store that
 * acknowledges and forgets. A batch with one such point is read back whole.
 */
export class VerifiedSink implements Sink {
  readonly name: string
  readonly #inner: Sink
  readonly #reader: PointReader
  readonly #share: number
  readonly #random: () => number
  readonly #results: Counter
  /** Point key → mismatches in a row. */
  readonly #mismatches = new Map<string, number>()

  /** @param share of the points that are read back, in (0, 1]; of every batch at least one */
  constructor(
    inner: Sink,
    reader: PointReader,
    share: number,
    parts: { readonly metrics: Metrics; readonly random: () => number },
  ) {
    this.name = inner.name
    this.#inner = inner
    this.#reader = reader
    this.#share = share
    this.#random = parts.random
    this.#results = parts.metrics.counter(
      'warden_sink_readback_points_total',
      'Points read back, by result: same, missing, different (both written again), unread (the store could not be asked).',
      ['sink', 'result'],
    )
  }

  async write(points: readonly DataPoint[], signal: AbortSignal): Promise<WriteResult> {
    const result = await this.#inner.write(points, signal)
    const written = points.flatMap((_, i) => (result.outcomes[i]?.kind === 'written' ? [i] : []))
    if (written.length === 0) return result
    const outcomes = [...result.outcomes]
    const isSampled = this.#sample(written)
    const sample = written.filter((i) => isSampled.has(i))
    const rest = written.filter((i) => !isSampled.has(i))
    if (await this.#verify(points, sample, outcomes, signal)) {
      await this.#verify(points, rest, outcomes, signal)
    }
    const failed = result.failed || outcomes.every(({ kind }) => kind === 'retry')
    return { ...result, outcomes, failed }
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  #sample(written: readonly number[]): ReadonlySet<number> {
    const chosen = written.filter(() => this.#random() < this.#share)
    const any = written[Math.floor(this.#random() * written.length)]
    if (chosen.length === 0 && any !== undefined) chosen.push(any)
    return new Set(chosen)
  }

  /** Changes the outcome of points that are not as written; true when there were some. */
  async #verify(
    points: readonly DataPoint[],
    indexes: readonly number[],
    outcomes: PointOutcome[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const asked = indexes.flatMap((i) => points[i] ?? [])
    if (asked.length === 0) return false
    let values: readonly (number | undefined)[]
    try {
      values = await this.#reader.read(asked, signal)
    } catch {
      this.#count('unread', asked.length)
      return false
    }
    let wrong = false
    asked.forEach((point, n) => {
      const value = values[n]
      const key = pointKey(point)
      if (value !== undefined && isSame(value, point.value)) {
        this.#count('same', 1)
        this.#mismatches.delete(key)
        return
      }
      wrong = true
      this.#count(value === undefined ? 'missing' : 'different', 1)
      outcomes[indexes[n] ?? -1] = this.#mismatch(key, point.value, value)
    })
    return wrong
  }

  #mismatch(key: string, sent: number, found: number | undefined): PointOutcome {
    const reason = `${sent} was acknowledged, read back was ${found ?? 'nothing'}`
    const times = (this.#mismatches.get(key) ?? 0) + 1
    this.#mismatches.delete(key)
    if (times >= maxMismatches) return { kind: 'refused', reason: `${reason}, ${times} times` }
    this.#mismatches.set(key, times)
    const [oldest] = this.#mismatches.keys()
    if (this.#mismatches.size > maxTracked && oldest !== undefined) this.#mismatches.delete(oldest)
    return { kind: 'retry', reason, unknown: false }
  }

  #count(result: 'same' | 'missing' | 'different' | 'unread', points: number): void {
    this.#results.add(points, { sink: this.name, result })
  }
}

function isSame(one: number, other: number): boolean {
  return Math.abs(one - other) <= tolerance * Math.max(Math.abs(one), Math.abs(other))
}
