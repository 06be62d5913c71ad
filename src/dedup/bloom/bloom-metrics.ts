import type { Gauge, Metrics } from '../../core/telemetry.ts'
import type { BloomStore } from './bloom-store.ts'

/** Says how wrong the Bloom filters of a metric are: what was asked for, what their bits say, what a sample of users saw. */
export class BloomMetrics {
  readonly #rate: Gauge

  constructor(metrics: Metrics) {
    this.#rate = metrics.gauge(
      'warden_dedup_false_positive_rate',
      'Share of new users that a Bloom filter takes for known: target, expected from its bits, measured on a sample',
      ['metric', 'kind'],
    )
  }

  /** @param stores of the live windows of the metric; the worst one is said */
  update(metric: string, stores: Iterable<BloomStore>): void {
    let expected = 0
    let measured: number | undefined
    let target: number | undefined
    for (const store of stores) {
      target = store.target
      expected = Math.max(expected, store.expectedFalsePositives)
      const seen = store.measuredFalsePositives
      if (seen !== undefined) measured = Math.max(measured ?? 0, seen)
    }
    if (target === undefined) return
    this.#rate.set(target, { metric, kind: 'target' })
    this.#rate.set(expected, { metric, kind: 'expected' })
    if (measured === undefined) this.#rate.remove({ metric, kind: 'measured' })
    else this.#rate.set(measured, { metric, kind: 'measured' })
  }
}
