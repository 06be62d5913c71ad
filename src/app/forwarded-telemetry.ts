import type { Labels, LogFields, Logger, Metrics, Telemetry } from '../core/telemetry.ts'
import { SystemClock } from '../system-clock.ts'

type Level = 'debug' | 'info' | 'warn' | 'error'

/** What a thread has to say, for the registry and the log of the main thread. */
export type TelemetryMessage =
  | {
      readonly kind: 'log'
      readonly level: Level
      readonly fields: LogFields
      readonly text: string
    }
  | { readonly kind: 'metrics'; readonly changes: readonly MetricChange[] }

export interface MetricChange {
  readonly metric: MetricName
  readonly labels: Labels | undefined
  readonly action: 'add' | 'set' | 'remove' | 'observe'
  readonly value: number
}

interface MetricName {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[] | undefined
  readonly buckets: readonly number[]
}

/** Changes gather so long before they are sent. */
const gatherMs = 200

/** Telemetry of a thread other than the main one. */
export function forwardedTelemetry(send: (message: TelemetryMessage) => void): Telemetry {
  const clock = new SystemClock()
  let changes: MetricChange[] = []
  const change = (one: MetricChange): void => {
    if (changes.length === 0) {
      clock.after(gatherMs, () => {
        send({ kind: 'metrics', changes })
        changes = []
      })
    }
    changes.push(one)
  }
  return { clock, logger: new ForwardedLogger(send, {}), metrics: forwardedMetrics(change) }
}

function forwardedMetrics(change: (one: MetricChange) => void): Metrics {
  return {
    counter: (name, help, labelNames) => {
      const metric = { kind: 'counter', name, help, labelNames, buckets: [] } as const
      return { add: (value, labels) => change({ metric, labels, action: 'add', value }) }
    },
    gauge: (name, help, labelNames) => {
      const metric = { kind: 'gauge', name, help, labelNames, buckets: [] } as const
      return {
        set: (value, labels) => change({ metric, labels, action: 'set', value }),
        remove: (labels) => change({ metric, labels, action: 'remove', value: 0 }),
      }
    },
    histogram: (name, help, buckets, labelNames) => {
      const metric = { kind: 'histogram', name, help, labelNames, buckets } as const
      return { observe: (value, labels) => change({ metric, labels, action: 'observe', value }) }
    },
  }
}

class ForwardedLogger implements Logger {
  readonly #send: (message: TelemetryMessage) => void
  readonly #fields: LogFields

  constructor(send: (message: TelemetryMessage) => void, fields: LogFields) {
    this.#send = send
    this.#fields = fields
  }

  debug(fields: LogFields, text: string): void {
    this.#log('debug', fields, text)
  }

  info(fields: LogFields, text: string): void {
    this.#log('info', fields, text)
  }

  warn(fields: LogFields, text: string): void {
    this.#log('warn', fields, text)
  }

  error(fields: LogFields, text: string): void {
    this.#log('error', fields, text)
  }

  child(fields: LogFields): Logger {
    return new ForwardedLogger(this.#send, { ...this.#fields, ...fields })
  }

  #log(level: Level, fields: LogFields, text: string): void {
    this.#send({ kind: 'log', level, fields: cloneable({ ...this.#fields, ...fields }), text })
  }
}

/** Errors as plain objects: another thread gets no more of them than name, message and stack. */
function cloneable(fields: LogFields): LogFields {
  return JSON.parse(
    JSON.stringify(fields, (_, value: unknown) => {
      if (typeof value === 'bigint') return String(value)
      if (!(value instanceof Error)) return value
      const { name, message, stack, cause } = value
      const code = 'code' in value ? value.code : undefined
      return { name, code, message, stack, cause }
    }),
  )
}

/**
 * Puts what lanes say into the telemetry of the process. A gauge that several lanes set under the same labels is the sum of
 * what they set.
 */
export class TelemetryReceiver {
  readonly #telemetry: Telemetry
  /** By name and labels: value by lane. */
  readonly #gauges = new Map<string, Map<number, number>>()

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry
  }

  receive(lane: number, message: TelemetryMessage): void {
    if (message.kind === 'log') {
      this.#telemetry.logger[message.level]({ lane, ...message.fields }, message.text)
      return
    }
    for (const change of message.changes) this.#apply(lane, change)
  }

  #apply(lane: number, { metric, labels, action, value }: MetricChange): void {
    const { name, help, labelNames } = metric
    const { metrics } = this.#telemetry
    if (metric.kind === 'counter') metrics.counter(name, help, labelNames).add(value, labels)
    else if (metric.kind === 'histogram') {
      metrics.histogram(name, help, metric.buckets, labelNames).observe(value, labels)
    } else {
      const key = JSON.stringify([name, labels])
      const values = this.#gauges.get(key) ?? new Map<number, number>()
      this.#gauges.set(key, values)
      if (action === 'remove') values.delete(lane)
      else values.set(lane, value)
      const gauge = metrics.gauge(name, help, labelNames)
      if (values.size === 0) gauge.remove(labels ?? {})
      else
        gauge.set(
          [...values.values()].reduce((sum, one) => sum + one, 0),
          labels,
        )
    }
  }
}
