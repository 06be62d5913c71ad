import { asWardenError } from '../core/errors.ts'
import type { DataPoint, PointOutcome, Sink, WriteResult } from './sink.ts'

/** What the sink needs of the embedded store, in this process. */
export interface EmbeddedStore {
  /** Stores the points in one transaction; durable when it resolves. Rejects with a WardenError, and then nothing is stored. */
  write(points: readonly EmbeddedPoint[]): Promise<void>
}

export interface EmbeddedPoint {
  readonly metric: string
  readonly tags: Readonly<Record<string, string>>
  /** Epoch ms. */
  readonly timeMs: number
  readonly value: number
  /** False: the store calculates with such points in floating point, as with those that OpenTSDB gets. */
  readonly integer: false
  /** The larger (incarnation, revision) of a timestamp wins, whatever comes last. */
  readonly incarnation: number
  readonly revision: number
}

/** Why the store does not take names; undefined when it does. */
export type NameCheck = (metric: string, tags: ReadonlyMap<string, string>) => string | undefined

/** Writes to the store inside this process: no network, no unknown outcomes. */
export class EmbeddedSink implements Sink {
  readonly name: string
  readonly #store: EmbeddedStore
  readonly #nameTrouble: NameCheck

  constructor(name: string, store: EmbeddedStore, nameTrouble: NameCheck) {
    this.name = name
    this.#store = store
    this.#nameTrouble = nameTrouble
  }

  async write(points: readonly DataPoint[], signal: AbortSignal): Promise<WriteResult> {
    if (signal.aborted) return failedAs(points, 'the write was called off')
    const outcomes: PointOutcome[] = []
    const good: EmbeddedPoint[] = []
    for (const point of points) {
      const reason = this.#trouble(point)
      outcomes.push(reason === undefined ? { kind: 'written' } : { kind: 'refused', reason })
      if (reason === undefined) good.push(embeddedPoint(point))
    }
    try {
      if (good.length > 0) await this.#store.write(good)
    } catch (cause) {
      const reason = asWardenError(cause).message
      return {
        outcomes: outcomes.map((one) =>
          one.kind === 'refused' ? one : { kind: 'retry', reason, unknown: false },
        ),
        retryAfterMs: undefined,
        failed: true,
      }
    }
    return { outcomes, retryAfterMs: undefined, failed: false }
  }

  /** The store belongs to whoever opened it. */
  async close(): Promise<void> {}

  #trouble(point: DataPoint): string | undefined {
    if (!Number.isFinite(point.value)) return `the value ${point.value} is not finite`
    if (!(point.timestamp > 0)) return `the timestamp ${point.timestamp} is not above 0`
    const tags = new Map(Object.entries(point.tags))
    return tags.size === 0 ? 'a point needs a tag' : this.#nameTrouble(point.metric, tags)
  }
}

function embeddedPoint(point: DataPoint): EmbeddedPoint {
  const { metric, tags, timestamp, value, incarnation, revision } = point
  return {
    metric,
    tags,
    timeMs: timestamp * 1_000,
    value,
    integer: false,
    incarnation,
    revision,
  }
}

function failedAs(points: readonly DataPoint[], reason: string): WriteResult {
  return {
    outcomes: points.map(() => ({ kind: 'retry', reason, unknown: false })),
    retryAfterMs: undefined,
    failed: true,
  }
}
