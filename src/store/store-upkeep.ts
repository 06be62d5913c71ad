import type { Counter, Gauge, Telemetry } from '../core/telemetry.ts'
import type { DurationMs } from '../core/time.ts'
import type { PointStore } from './point-store.ts'

export interface UpkeepOptions {
  /** Points older than this are dropped; undefined: none by age. */
  readonly retentionMs: DurationMs | undefined
  /** Bytes of pages in use beyond which the oldest points are dropped; undefined: none by size. */
  readonly maxBytes: number | undefined
}

/** Between two rounds; a store may be so much over its bounds. */
const INTERVAL_MS = 10 * 60_000

/** Rows older than this are put together. */
const COMPACT_AFTER_MS = 2 * 86_400_000
const COMPACT_INTERVAL_MS = 6 * 3_600_000

/** A store that is too large is brought down to this share of its bound, so that it is not trimmed again at once. */
const SIZE_SHARE = 0.9
const SIZE_ROUNDS = 8

/** Keeps the store within its bounds: idle → round → idle, until it is stopped. A failed round is tried again by the next one. */
export class StoreUpkeep {
  readonly #store: PointStore
  readonly #options: UpkeepOptions
  readonly #telemetry: Telemetry
  readonly #dropped: Counter
  readonly #failures: Counter
  readonly #bytes: Gauge
  readonly #series: Gauge
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #compactedAt = Number.NEGATIVE_INFINITY

  constructor(store: PointStore, options: UpkeepOptions, telemetry: Telemetry) {
    this.#store = store
    this.#options = options
    this.#telemetry = telemetry
    const { metrics } = telemetry
    this.#dropped = metrics.counter(
      'warden_store_dropped_points_total',
      'Points of the embedded store dropped by its bounds.',
      ['reason'],
    )
    this.#failures = metrics.counter(
      'warden_store_upkeep_failures_total',
      'Rounds of the upkeep of the embedded store that failed.',
    )
    this.#bytes = metrics.gauge(
      'warden_store_bytes',
      'Bytes that the points of the embedded store take; free pages of its file not counted.',
    )
    this.#series = metrics.gauge('warden_store_series', 'Series of the embedded store.')
  }

  /** Begins with a round at once. */
  start(): void {
    this.#running = this.#loop()
  }

  /** Resolves when the round that runs has ended. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** One round. @throws WardenError `state_write_failed` */
  async round(): Promise<void> {
    const now = this.#telemetry.clock.now()
    const { retentionMs, maxBytes } = this.#options
    if (retentionMs !== undefined) {
      const { points, series } = await this.#store.dropBefore(now - retentionMs)
      this.#dropped.add(points, { reason: 'age' })
      if (series > 0) {
        this.#telemetry.logger.info({ series }, 'series without points are forgotten')
      }
    }
    if (now - this.#compactedAt >= COMPACT_INTERVAL_MS) {
      await this.#store.compact(now - COMPACT_AFTER_MS)
      this.#compactedAt = now
    }
    if (maxBytes !== undefined) await this.#shrink(maxBytes)
    this.#bytes.set(this.#store.usedBytes())
    this.#series.set(this.#store.index.size)
  }

  async #shrink(maxBytes: number): Promise<void> {
    const { logger } = this.#telemetry
    if (this.#store.usedBytes() <= maxBytes) return
    for (let round = 0; round < SIZE_ROUNDS; round++) {
      const excess = this.#store.usedBytes() - maxBytes * SIZE_SHARE
      if (excess <= 0) return
      const horizonMs = this.#store.horizonToFree(excess)
      if (horizonMs === undefined) break
      const { points } = await this.#store.dropBefore(horizonMs)
      this.#dropped.add(points, { reason: 'size' })
      logger.warn(
        { maxBytes, points, horizonMs },
        'the store reached its size: the oldest points are dropped',
      )
    }
    if (this.#store.usedBytes() > maxBytes) {
      logger.error(
        { maxBytes, bytes: this.#store.usedBytes(), series: this.#store.index.size },
        'the store is larger than store.maxSize even without its old points: raise it, or count fewer series',
      )
    }
  }

  async #loop(): Promise<void> {
    const { clock, logger } = this.#telemetry
    while (!this.#stop.signal.aborted) {
      try {
        await this.round()
      } catch (error) {
        this.#failures.add(1)
        logger.warn({ err: error }, 'the upkeep of the store failed and is tried again')
      }
      await clock.sleep(INTERVAL_MS, this.#stop.signal).catch(() => {})
    }
  }
}
