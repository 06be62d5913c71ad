import type { Clock } from '../../../core/telemetry.ts'
import type { AlertFact, Notification, Severity } from '../../notification.ts'
import { titleOf } from '../message/compose.ts'
import { evidenceLines } from '../message/fact-text.ts'
import type { MessageStyle } from '../message/message-style.ts'
import { amount } from '../message/time-text.ts'
import { type Message, maxBatch, type Notifier, type SendResult } from '../notifier.ts'
import { HttpPost, judgeByStatus, timeoutFor } from './http-post.ts'

export interface AlertmanagerOptions {
  readonly receiver: string
  /** Base address, without a slash at its end. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Between heartbeats; two of them missing end the heartbeat's alert. undefined: there are none. */
  readonly watchdogMs: number | undefined
  readonly timeoutMs: number
  readonly style: MessageStyle
}

const severities: readonly Severity[] = ['info', 'warn', 'crit']
/** Alertmanager ends by itself what is not sent again; that would be a recovery nobody observed. */
const untilEndedMs = 365 * 86_400_000

/** An alert as `POST /api/v2/alerts` takes it. */
export interface PostableAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly startsAt: string
  readonly endsAt: string
}

/**
 * Prometheus' Alertmanager, API v2. An incident is one alert there, by its label `incident`; the severity is a label too, so that it can be
 * routed by, and the alerts of the incident's other severities are ended with each message. Values that change are annotations.
 */
export class AlertmanagerNotifier implements Notifier {
  readonly receiver: string
  readonly #options: AlertmanagerOptions
  readonly #clock: Clock
  readonly #http: HttpPost

  constructor(options: AlertmanagerOptions, clock: Clock) {
    this.receiver = options.receiver
    this.#options = options
    this.#clock = clock
    this.#http = new HttpPost(`${options.url}/api/v2/alerts`)
  }

  batch(waiting: readonly Notification[]): number {
    return Math.min(waiting.length, maxBatch)
  }

  async send(message: Message, attempt: number, signal: AbortSignal): Promise<SendResult> {
    const { headers, timeoutMs } = this.#options
    const body = JSON.stringify(this.#alerts(message))
    return judgeByStatus(
      await this.#http.post(body, headers, timeoutFor(timeoutMs, attempt), signal),
    )
  }

  close(): Promise<void> {
    return this.#http.close()
  }

  /** The latest word on each alert: one that fired and ended while Alertmanager was away is ended there too. */
  #alerts({ notifications, plain }: Message): PostableAlert[] {
    const alerts = new Map<string, PostableAlert>()
    for (const notification of notifications) {
      for (const one of this.#alertsOf(notification, plain)) {
        const key = JSON.stringify(one.labels)
        alerts.delete(key)
        alerts.set(key, one)
      }
    }
    return [...alerts.values()]
  }

  #alertsOf(notification: Notification, plain: boolean): PostableAlert[] {
    if (notification.kind === 'watchdog') return [this.#heartbeat(notification)]
    return notification.alerts.flatMap((fact) => this.#incident(fact, notification, plain))
  }

  #incident(fact: AlertFact, notification: Notification, plain: boolean): PostableAlert[] {
    const now = this.#clock.now()
    const goesOn = fact.state === 'firing' || fact.state === 'held'
    const identity = {
      ...labelsOf(plain ? {} : { ...fact.labels, ...fact.tags }),
      alertname: fact.rule,
      job: this.#options.style.job,
      incident: fact.incident,
      ...labelsOf({ metric: fact.metric, aggregate: fact.aggregate }),
    }
    const annotations = plain ? {} : this.#annotations(fact, notification)
    const startsAt = iso(Math.min(fact.startedAt, now))
    return severities.map((severity) => ({
      labels: { ...identity, severity },
      annotations,
      startsAt,
      endsAt: iso(
        goesOn && severity === fact.severity
          ? (fact.endedAt ?? now + untilEndedMs)
          : Math.max(fact.startedAt, Math.min(fact.endedAt ?? now, now)),
      ),
    }))
  }

  #annotations(fact: AlertFact, notification: Notification): Readonly<Record<string, string>> {
    const { style } = this.#options
    const { numbers, correction } = fact
    const shown = (value: number | undefined) =>
      value === undefined ? style.words.unknownNumber : amount(value)
    return {
      ...labelsOf(fact.annotations),
      title: titleOf(notification, style),
      cause: fact.cause,
      reason: fact.reason,
      window: style.times.window(fact.windowStart, fact.windowEnd),
      numbers: `${shown(numbers.now)} / ${shown(numbers.yesterday)} / ${shown(numbers.lastWeek)}`,
      evidence: evidenceLines(fact, style).join('\n'),
      ...(correction === undefined
        ? {}
        : { correction: style.words.correction(amount(correction.from), amount(correction.to)) }),
    }
  }

  #heartbeat(notification: Notification): PostableAlert {
    const { style, watchdogMs } = this.#options
    const now = this.#clock.now()
    return {
      labels: { alertname: 'WardenHeartbeat', job: style.job, severity: 'info' },
      annotations: { title: titleOf(notification, style) },
      startsAt: iso(now),
      endsAt: iso(now + 2 * (watchdogMs ?? untilEndedMs)),
    }
  }
}

/** Names as Prometheus has them; a label without a value is none. */
function labelsOf(values: Readonly<Record<string, string>>): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const [name, value] of Object.entries(values)) {
    const legal = name.replaceAll(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=\d)/, '_')
    if (value !== '' && legal !== '') labels[legal] = value
  }
  return labels
}

const iso = (ms: number): string => new Date(ms).toISOString()
