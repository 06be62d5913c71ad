import * as prometheus from 'prom-client'
import { WardenError } from './core/errors.ts'
import type { Counter, Gauge, Histogram, Labels, Metrics } from './core/telemetry.ts'

type Kind = 'counter' | 'gauge' | 'histogram'

interface Registered {
  readonly kind: Kind
  readonly labels: string
  readonly metric: Counter | Gauge | Histogram
}

/** Metrics in a Prometheus registry of its own, with those of the process: CPU, memory, garbage collection, event loop lag. */
export class PrometheusMetrics implements Metrics {
  readonly #registry = new prometheus.Registry()
  readonly #registered = new Map<string, Registered>()

  constructor(options: { readonly processMetrics: boolean } = { processMetrics: true }) {
    if (options.processMetrics) prometheus.collectDefaultMetrics({ register: this.#registry })
  }

  counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    return this.#once(name, 'counter', labelNames, () => {
      const counter = new prometheus.Counter(this.#config(name, help, labelNames))
      return { add: (amount, labels: Labels = {}) => counter.inc(labels, amount) }
    })
  }

  gauge(name: string, help: string, labelNames: readonly string[] = []): Gauge {
    return this.#once(name, 'gauge', labelNames, () => {
      const gauge = new prometheus.Gauge(this.#config(name, help, labelNames))
      return {
        set: (value, labels: Labels = {}) => gauge.set(labels, value),
        remove: (labels) => gauge.remove(labels),
      }
    })
  }

  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly string[] = [],
  ): Histogram {
    return this.#once(name, 'histogram', labelNames, () => {
      const histogram = new prometheus.Histogram({
        ...this.#config(name, help, labelNames),
        buckets: [...buckets],
      })
      return { observe: (value, labels: Labels = {}) => histogram.observe(labels, value) }
    })
  }

  /** Forgets what gauges of Warden's own say: they tell of work that is over. */
  forgetGauges(): void {
    for (const [name, { kind }] of this.#registered) {
      if (kind === 'gauge') this.#registry.getSingleMetric(name)?.reset()
    }
  }

  /** The page for a scrape, in the text format that `contentType` names. */
  exposition(): Promise<string> {
    return this.#registry.metrics()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  #config(name: string, help: string, labelNames: readonly string[]) {
    return { name, help, labelNames: [...labelNames], registers: [this.#registry] }
  }

  /** @throws WardenError `internal` when the name stands for another kind or other labels already. */
  #once<T extends Counter | Gauge | Histogram>(
    name: string,
    kind: Kind,
    labelNames: readonly string[],
    create: () => T,
  ): T {
    const labels = [...labelNames].sort().join(',')
    const known = this.#registered.get(name)
    if (known === undefined) {
      const metric = create()
      this.#registered.set(name, { kind, labels, metric })
      return metric
    }
    if (known.kind !== kind || known.labels !== labels) {
      throw new WardenError(
        'internal',
        `metric ${name} is a ${known.kind} with labels (${known.labels}) already, not a ${kind} with (${labels})`,
      )
    }
    return known.metric as T
  }
}
