import type { Pane } from '../core/pane.ts'
import type { Counter, Gauge, Metrics } from '../core/telemetry.ts'
import type { EpochMs } from '../core/time.ts'
import { BloomMetrics } from '../dedup/bloom/bloom-metrics.ts'
import { worstOf } from '../dedup/bloom/false-positives.ts'
import type { PipelineInput } from './pipeline-input.ts'

/** What is looked at from time to time. */
export interface MeasuredParts {
  readonly inputs: readonly PipelineInput[]
  readonly checkpointer: { readonly succeededAt: EpochMs }
  readonly store: { sizeBytes(): number }
  readonly outbox: { readonly bytes: number }
}

/** What the pipeline tells about itself. Totals of the state are counters here: they go on where the last run stopped. */
export class PipelineMetrics {
  /** What each counter was brought up to, by labels. */
  readonly #told = new Map<Counter, Map<string, number>>()
  readonly #records: Counter
  readonly #dead: Counter
  readonly #rows: Counter
  readonly #dedupHits: Counter
  readonly #late: Counter
  readonly #partial: Counter
  readonly #fallbacks: Counter
  readonly #panes: Counter
  readonly #blockedSeconds: Counter
  readonly #laneBusy: Counter
  readonly #laneIdle: Counter
  readonly #laneBackPressured: Counter
  readonly #watermarkLag: Gauge
  readonly #eventTimeLag: Gauge
  readonly #emitLag: Gauge
  readonly #recordLag: Gauge
  readonly #troubled: Gauge
  readonly #keys: Gauge
  readonly #bloom: BloomMetrics
  readonly #series: Gauge
  readonly #checkpointAge: Gauge
  readonly #stateBytes: Gauge
  readonly #outboxBytes: Gauge

  constructor(metrics: Metrics) {
    const { counter, gauge } = bound(metrics)
    this.#records = counter('warden_records_total', 'Records read, dead letters included', [
      'source',
    ])
    this.#dead = counter('warden_dead_letters_total', 'Records that could not be read', [
      'source',
      'reason',
    ])
    this.#rows = counter('warden_rows_total', 'Events that passed the filter of a metric', [
      'metric',
    ])
    this.#dedupHits = counter('warden_dedup_hits_total', 'Events of users that already counted', [
      'metric',
    ])
    this.#late = counter('warden_late_events_total', 'Events whose windows were all gone', [
      'metric',
    ])
    this.#partial = counter(
      'warden_partial_windows_total',
      'Windows that closed with records missing',
      ['metric'],
    )
    this.#fallbacks = counter(
      'warden_decode_fallbacks_total',
      'Documents that the fast decoder left to JSON.parse',
      ['source'],
    )
    this.#panes = counter('warden_panes_total', 'Panes emitted', ['metric', 'firing'])
    this.#blockedSeconds = counter(
      'warden_backpressure_seconds_total',
      'Time in which nothing was read because a buffer was full',
    )
    const lane = ['source', 'lane']
    this.#laneBusy = counter(
      'warden_lane_busy_seconds_total',
      'Time in which a lane read, decoded, counted',
      lane,
    )
    this.#laneIdle = counter(
      'warden_lane_idle_seconds_total',
      'Time in which a lane had nothing to do',
      lane,
    )
    this.#laneBackPressured = counter(
      'warden_lane_back_pressured_seconds_total',
      'Time in which a lane waited for a sink, a side output, another lane or the main thread',
      lane,
    )
    this.#watermarkLag = gauge(
      'warden_watermark_lag_seconds',
      'Wall clock minus watermark of a partition',
      ['source', 'partition'],
    )
    this.#eventTimeLag = gauge(
      'warden_event_time_lag_seconds',
      'Wall clock minus combined watermark of a source',
      ['source'],
    )
    this.#emitLag = gauge(
      'warden_emit_event_time_lag_seconds',
      'Wall clock minus end of the newest window emitted',
      ['metric'],
    )
    this.#recordLag = gauge(
      'warden_lag_records',
      'Records between position and end of a partition (bytes for files and HTTP)',
      ['source', 'partition'],
    )
    this.#troubled = gauge('warden_partition_troubled', '1 when a partition is not being read', [
      'source',
      'partition',
    ])
    this.#bloom = new BloomMetrics(metrics)
    this.#keys = gauge('warden_dedup_keys', 'Users remembered in live windows', ['metric'])
    this.#series = gauge('warden_series', 'Series known', ['metric'])
    this.#checkpointAge = gauge(
      'warden_checkpoint_age_seconds',
      'Since the last durable checkpoint',
    )
    this.#stateBytes = gauge('warden_state_bytes', 'Size of the state on disk')
    this.#outboxBytes = gauge('warden_outbox_bytes', 'Bytes that some sink has not acknowledged')
  }

  update(parts: MeasuredParts, now: EpochMs): void {
    for (const input of parts.inputs) this.#updateInput(input, now)
    this.#checkpointAge.set((now - parts.checkpointer.succeededAt) / 1000)
    this.#stateBytes.set(parts.store.sizeBytes())
    this.#outboxBytes.set(parts.outbox.bytes)
  }

  emitted(panes: readonly Pane[], now: EpochMs): void {
    for (const { metric, firing, windowEnd } of panes) {
      this.#panes.add(1, { metric, firing })
      if (firing === 'on-time') this.#emitLag.set((now - windowEnd) / 1000, { metric })
    }
  }

  /** @returns since when nothing is read; undefined when reading goes on */
  blocked(is: boolean, since: EpochMs | undefined, now: EpochMs): EpochMs | undefined {
    if (since !== undefined) this.#blockedSeconds.add((now - since) / 1000)
    return is ? now : undefined
  }

  #updateInput(input: PipelineInput, now: EpochMs): void {
    const source = input.name
    const { windows, totals, reports } = input
    this.#raise(this.#records, totals.records, { source })
    for (const [reason, count] of Object.entries(totals.dead)) {
      this.#raise(this.#dead, count, { source, reason })
    }
    const fallbacks = reports.reduce((sum, report) => sum + report.fallbacks, 0)
    this.#raise(this.#fallbacks, fallbacks, { source })
    const { combined } = windows.tracker
    if (Number.isFinite(combined)) this.#eventTimeLag.set((now - combined) / 1000, { source })
    input.partitions().forEach(({ name, lag, trouble }, index) => {
      const labels = { source, partition: name }
      const watermark = windows.tracker.watermarkOf(index)
      if (Number.isFinite(watermark)) this.#watermarkLag.set((now - watermark) / 1000, labels)
      // No figure is better than a stale one.
      if (lag === undefined) this.#recordLag.remove(labels)
      else this.#recordLag.set(lag, labels)
      this.#troubled.set(trouble === undefined ? 0 : 1, labels)
    })
    windows.metrics.forEach(({ plan, totals: metric, operator, dictionary }, index) => {
      const labels = { metric: plan.name }
      this.#raise(this.#rows, metric.rows, labels)
      this.#raise(this.#dedupHits, metric.duplicates, labels)
      this.#raise(this.#late, metric.late, labels)
      this.#raise(this.#partial, operator.partialWindows, labels)
      const keys = reports.reduce((sum, report) => sum + (report.keys[index] ?? 0), 0)
      this.#keys.set(keys, labels)
      if (plan.backend?.type === 'bloom') {
        const rates = reports.map((report) => report.falsePositives[index])
        this.#bloom.update(plan.name, worstOf(rates))
      }
      this.#series.set(dictionary.size, labels)
    })
    input.takeLaneTimes().forEach(({ busy, idle, backPressured }, lane) => {
      const labels = { source, lane: String(lane) }
      this.#laneBusy.add(busy / 1000, labels)
      this.#laneIdle.add(idle / 1000, labels)
      this.#laneBackPressured.add(backPressured / 1000, labels)
    })
  }

  /** Brings a counter up to a total; a total that fell back to its checkpoint adds nothing until it has caught up. */
  #raise(counter: Counter, total: number, labels: Readonly<Record<string, string>>): void {
    const key = JSON.stringify(labels)
    const told = this.#told.get(counter)
    if (told === undefined) this.#told.set(counter, new Map())
    const before = told?.get(key) ?? 0
    if (total <= before) return
    counter.add(total - before, labels)
    this.#told.get(counter)?.set(key, total)
  }
}

const bound = (metrics: Metrics) => ({
  counter: metrics.counter.bind(metrics),
  gauge: metrics.gauge.bind(metrics),
})
