import type { Gauge, Metrics } from '../../core/telemetry.ts'
import type { FalsePositives } from './false-positives.ts'

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

  /** @param worst of the live windows of the metric; undefined: it has no filter now */
  update(metric: string, worst: FalsePositives | undefined): void {
    for (const kind of ['target', 'expected', 'measured'] as const) {
      const rate = worst?.[kind]
      if (rate === undefined) this.#rate.remove({ metric, kind })
      else this.#rate.set(rate, { metric, kind })
    }
  }
}
