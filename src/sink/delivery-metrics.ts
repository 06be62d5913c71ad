import type { Counter, Gauge, Histogram, Metrics } from '../core/telemetry.ts'
import type { CircuitState } from './circuit.ts'
import type { DeliveryHealth } from './delivery-health.ts'
import type { PointOutcome } from './sink.ts'

/** Seconds: a put takes 40 ms when OpenTSDB is well, its flush timer 1 s, its timeouts tens of seconds. */
const writeBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

const circuitValue: Readonly<Record<CircuitState, number>> = {
  closed: 0,
  'half-open': 0.5,
  open: 1,
}

/** What a delivery tells Prometheus; one label set per sink. */
export class DeliveryMetrics {
  readonly #sink: string
  readonly #points: Counter
  readonly #batches: Counter
  readonly #writeSeconds: Histogram
  readonly #circuit: Gauge
  readonly #outboxPoints: Gauge
  readonly #oldestUnwritten: Gauge
  readonly #settling: Gauge
  readonly #changes: Counter
  readonly #gauges: ReadonlyMap<'bytes' | 'rate' | 'eta' | 'concurrency' | 'batch', Gauge>

  constructor(metrics: Metrics, sink: string) {
    this.#sink = sink
    this.#points = metrics.counter(
      'warden_sink_points_total',
      'Points by what became of them: written, retry (sent again), refused (dead letter), coalesced (a newer revision went instead), dropped (lost: the backlog was cut).',
      ['sink', 'outcome'],
    )
    this.#batches = metrics.counter(
      'warden_sink_batches_total',
      'Batches by result: ok, partial (some points to retry or refused), failed.',
      ['sink', 'result'],
    )
    this.#writeSeconds = metrics.histogram(
      'warden_sink_write_seconds',
      'Time to the answer to one batch.',
      writeBuckets,
      ['sink'],
    )
    this.#circuit = metrics.gauge(
      'warden_sink_circuit_open',
      '1 while the sink is given up and only probed, 0.5 while a probe is on its way, 0 when all is well.',
      ['sink'],
    )
    this.#outboxPoints = metrics.gauge(
      'warden_outbox_points',
      'Points that the sink has not acknowledged for good.',
      ['sink'],
    )
    this.#oldestUnwritten = metrics.gauge(
      'warden_oldest_unwritten_pane_seconds',
      'Age of the oldest pane that the sink has not written; 0 when all are.',
      ['sink'],
    )
    this.#settling = metrics.gauge(
      'warden_sink_settling_points',
      'Points written that are sent once more, since an older write of unknown outcome may land late.',
      ['sink'],
    )
    this.#changes = metrics.counter(
      'warden_sink_circuit_changes_total',
      'Changes of the circuit, by its new state: open, half-open, closed.',
      ['sink', 'to'],
    )
    const gauge = (name: string, help: string) => metrics.gauge(name, help, ['sink'])
    this.#gauges = new Map([
      [
        'bytes',
        gauge(
          'warden_sink_backlog_bytes',
          'Bytes of the outbox that the sink has not acknowledged for good.',
        ),
      ],
      [
        'rate',
        gauge(
          'warden_sink_drain_points_per_second',
          'Points per second that the sink acknowledged of late.',
        ),
      ],
      [
        'eta',
        gauge(
          'warden_sink_drain_eta_seconds',
          'Time until the backlog is written at that rate; 0 when none waits, +Inf while nothing moves.',
        ),
      ],
      [
        'concurrency',
        gauge('warden_sink_concurrency', 'Batches that may be in flight at once now.'),
      ],
      ['batch', gauge('warden_sink_batch_points', 'Points that a batch may have now.')],
    ])
    this.#circuit.set(circuitValue.closed, { sink })
  }

  coalesced(count: number): void {
    if (count > 0) this.#points.add(count, { sink: this.#sink, outcome: 'coalesced' })
  }

  batch(failed: boolean, count: Readonly<Record<PointOutcome['kind'], number>>, ms: number): void {
    const sink = this.#sink
    const result = failed ? 'failed' : count.retry + count.refused > 0 ? 'partial' : 'ok'
    this.#batches.add(1, { sink, result })
    this.#writeSeconds.observe(ms / 1000, { sink })
    for (const outcome of ['written', 'retry', 'refused'] as const) {
      if (count[outcome] > 0) this.#points.add(count[outcome], { sink, outcome })
    }
  }

  dropped(points: number): void {
    this.#points.add(points, { sink: this.#sink, outcome: 'dropped' })
  }

  circuitChanged(state: CircuitState): void {
    this.#circuit.set(circuitValue[state], { sink: this.#sink })
    this.#changes.add(1, { sink: this.#sink, to: state })
  }

  observe(health: DeliveryHealth, now: number): void {
    const labels = { sink: this.#sink }
    const { oldestUnwrittenAt, drain } = health
    const { concurrency, batchPoints } = health.allowed
    this.#gauges.get('bytes')?.set(health.bytes, labels)
    this.#gauges.get('rate')?.set(drain.pointsPerSecond, labels)
    this.#gauges.get('eta')?.set(drain.secondsLeft ?? Number.POSITIVE_INFINITY, labels)
    this.#gauges.get('concurrency')?.set(concurrency, labels)
    this.#gauges.get('batch')?.set(batchPoints, labels)
    this.#outboxPoints.set(health.depth, labels)
    this.#settling.set(health.settling, labels)
    this.#oldestUnwritten.set(
      oldestUnwrittenAt === undefined ? 0 : Math.max(0, now - oldestUnwrittenAt) / 1000,
      labels,
    )
  }

  /** The sink is gone: its gauges go with it. */
  forget(): void {
    const labels = { sink: this.#sink }
    for (const gauge of [
      this.#circuit,
      this.#outboxPoints,
      this.#settling,
      this.#oldestUnwritten,
      ...this.#gauges.values(),
    ]) {
      gauge.remove(labels)
    }
  }
}
