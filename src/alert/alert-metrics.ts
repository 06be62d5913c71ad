import type { JobEvidence } from '../core/evidence.ts'
import type { Counter, Gauge, Metrics } from '../core/telemetry.ts'
import type { AlertEngine } from './alert-engine.ts'
import type { AlertCause, Notification } from './notification.ts'

const causes: readonly AlertCause[] = ['UNKNOWN', 'LATE', 'SOURCE_SILENT', 'SINK_FAILING']

/** What of verdicts and alerts is seen on `/metrics`. */
export class AlertMetrics {
  readonly #verdicts: Gauge
  readonly #alerts: Gauge
  readonly #held: Gauge
  readonly #decided: Counter
  readonly #refused: Gauge

  constructor(metrics: Metrics) {
    this.#verdicts = metrics.gauge(
      'warden_verdict_series',
      'Series of a metric by the verdict on its newest due window',
      ['metric', 'verdict'],
    )
    this.#alerts = metrics.gauge('warden_alerts', 'Alerts that are pending or fire', [
      'rule',
      'state',
    ])
    this.#held = metrics.gauge('warden_rules_held', 'Rules that cannot judge a due window', [
      'cause',
    ])
    this.#decided = metrics.counter(
      'warden_notifications_decided_total',
      'Messages that the alerts decided on',
      ['kind'],
    )
    this.#refused = metrics.gauge(
      'warden_alert_panes_refused',
      'Panes of series beyond alerts.history.maxSeries, which nobody judges, since the start',
      ['metric'],
    )
  }

  update(engine: AlertEngine, evidence: JobEvidence, decided: readonly Notification[]): void {
    for (const { metric, value, series } of engine.board.counts(evidence)) {
      this.#verdicts.set(series, { metric, verdict: value })
    }
    const held = new Map<AlertCause, number>(causes.map((cause) => [cause, 0]))
    for (const { name } of engine.plan.rules) {
      const counts = { pending: 0, firing: 0 }
      for (const { state } of engine.states.of(name)) if (state !== 'inactive') counts[state]++
      for (const state of ['pending', 'firing'] as const) {
        this.#alerts.set(counts[state], { rule: name, state })
      }
      const cause = engine.states.rule(name).held?.cause
      if (cause !== undefined) held.set(cause, (held.get(cause) ?? 0) + 1)
    }
    for (const [cause, rules] of held) this.#held.set(rules, { cause })
    for (const { kind } of decided) this.#decided.add(1, { kind })
    for (const [metric, { series }] of engine.histories) {
      this.#refused.set(series.refused, { metric })
    }
  }
}
