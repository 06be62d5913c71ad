import assert from 'node:assert/strict'
import type { Counter, Gauge, Histogram, Labels, Metrics } from '../../src/core/telemetry.ts'

interface Recorded {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly labelNames: readonly string[]
  /** Label set (as `key`) → counter or gauge value, or number of observations. */
  readonly values: Map<string, number>
  readonly observations: Map<string, number[]>
}

/** Keeps the last value per label set, and is as strict about kinds and label names as Prometheus' registry. */
export class RecordingMetrics implements Metrics {
  readonly #metrics = new Map<string, Recorded>()

  counter(name: string, _help: string, labelNames: readonly string[] = []): Counter {
    const metric = this.#register(name, 'counter', labelNames)
    return {
      add: (amount, labels = {}) => {
        assert.ok(amount >= 0, `${name}: a counter never goes down (got ${amount})`)
        const key = keyOf(name, metric, labels)
        metric.values.set(key, (metric.values.get(key) ?? 0) + amount)
      },
    }
  }

  gauge(name: string, _help: string, labelNames: readonly string[] = []): Gauge {
    const metric = this.#register(name, 'gauge', labelNames)
    return {
      set: (value, labels = {}) => {
        metric.values.set(keyOf(name, metric, labels), value)
      },
      remove: (labels) => {
        metric.values.delete(keyOf(name, metric, labels))
      },
    }
  }

  histogram(
    name: string,
    _help: string,
    buckets: readonly number[],
    labelNames: readonly string[] = [],
  ): Histogram {
    const sorted = buckets.every((bound, i) => i === 0 || bound > (buckets[i - 1] ?? 0))
    assert.ok(sorted, `${name}: buckets must ascend`)
    const metric = this.#register(name, 'histogram', labelNames)
    return {
      observe: (value, labels = {}) => {
        const key = keyOf(name, metric, labels)
        const seen = metric.observations.get(key) ?? []
        seen.push(value)
        metric.observations.set(key, seen)
        metric.values.set(key, seen.length)
      },
    }
  }

  /** Value of a counter or gauge, number of observations of a histogram; undefined when that label set was never touched. */
  value(name: string, labels: Labels = {}): number | undefined {
    const metric = this.#metrics.get(name)
    return metric?.values.get(keyOf(name, metric, labels))
  }

  /** Sum over all label sets; 0 when there is none. */
  total(name: string): number {
    let sum = 0
    for (const value of this.#metrics.get(name)?.values.values() ?? []) sum += value
    return sum
  }

  /** What a histogram saw, in order. */
  observations(name: string, labels: Labels = {}): readonly number[] {
    const metric = this.#metrics.get(name)
    return metric?.observations.get(keyOf(name, metric, labels)) ?? []
  }

  names(): string[] {
    return [...this.#metrics.keys()]
  }

  #register(name: string, kind: Recorded['kind'], labelNames: readonly string[]): Recorded {
    assert.match(name, /^warden_[a-z0-9_]+$/, `${name}: not a name of Warden's`)
    const known = this.#metrics.get(name)
    if (known !== undefined) {
      assert.equal(known.kind, kind, `${name} is a ${known.kind} already`)
      assert.deepEqual([...known.labelNames].sort(), [...labelNames].sort(), `${name}: labels`)
      return known
    }
    const metric: Recorded = { kind, labelNames, values: new Map(), observations: new Map() }
    this.#metrics.set(name, metric)
    return metric
  }
}

function keyOf(name: string, metric: Recorded, labels: Labels): string {
  const names = Object.keys(labels).sort()
  assert.deepEqual(names, [...metric.labelNames].sort(), `${name}: labels`)
  return JSON.stringify(names.map((label) => [label, labels[label]]))
}
