import type { Counter, Gauge, Histogram, Metrics } from '../core/telemetry.ts'

/** Who answered: this process's memory, the cache between, or the origin. */
export type Level = 'memory' | 'cache' | 'origin'

const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]

/** What is told of one table. */
export class TableMetrics {
  readonly #enrich: string
  readonly #lookups: Counter
  readonly #seconds: Histogram
  readonly #refreshes: Counter
  readonly #entries: Gauge
  readonly #age: Gauge
  readonly #up: Gauge

  constructor(metrics: Metrics, enrich: string) {
    this.#enrich = enrich
    this.#lookups = metrics.counter(
      'warden_enrich_lookups_total',
      'Keys looked up, by who was asked (memory, cache, origin) and what came of it (found, missing, failed)',
      ['enrich', 'level', 'result'],
    )
    this.#seconds = metrics.histogram(
      'warden_enrich_lookup_seconds',
      'Time of one request for keys to the cache or the origin of a table',
      seconds,
      ['enrich', 'level'],
    )
    this.#refreshes = metrics.counter(
      'warden_enrich_refreshes_total',
      'Times a table was read anew, by result (read, failed)',
      ['enrich', 'result'],
    )
    this.#entries = metrics.gauge(
      'warden_enrich_entries',
      'Entries of a table held in memory, keys without one included',
      ['enrich'],
    )
    this.#age = metrics.gauge(
      'warden_enrich_age_seconds',
      'Time since the content of a table was last known to be what its origin has',
      ['enrich'],
    )
    this.#up = metrics.gauge(
      'warden_enrich_up',
      '1 while the origin of a table answers and can be read, else 0',
      ['enrich'],
    )
  }

  looked(level: Level, result: 'found' | 'missing' | 'failed', keys: number): void {
    if (keys > 0) this.#lookups.add(keys, { enrich: this.#enrich, level, result })
  }

  asked(level: 'cache' | 'origin', ms: number): void {
    this.#seconds.observe(ms / 1_000, { enrich: this.#enrich, level })
  }

  refreshed(result: 'read' | 'failed'): void {
    this.#refreshes.add(1, { enrich: this.#enrich, result })
  }

  update(entries: number, ageMs: number, isUp: boolean): void {
    const labels = { enrich: this.#enrich }
    this.#entries.set(entries, labels)
    this.#up.set(isUp ? 1 : 0, labels)
    if (Number.isFinite(ageMs)) this.#age.set(ageMs / 1_000, labels)
  }
}
