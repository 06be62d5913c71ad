import type { DurationMs, EpochMs } from './time.ts'

/** Where processing time comes from; tests drive a virtual one. */
export interface Clock {
  now(): EpochMs
  /** Resolves after `ms` of processing time; rejects with the signal's reason when aborted. */
  sleep(ms: DurationMs | number, signal?: AbortSignal): Promise<void>
  /** Calls `run` once after `ms`; the returned function cancels it. */
  after(ms: DurationMs | number, run: () => void): () => void
}

export type LogFields = Readonly<Record<string, unknown>>

/** INFO: life cycle. WARN: recovered by itself. ERROR: data lost or a person is needed. */
export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  child(fields: LogFields): Logger
}

export type Labels = Readonly<Record<string, string>>

export interface Counter {
  add(amount: number, labels?: Labels): void
}

export interface Gauge {
  set(value: number, labels?: Labels): void
  /** Forgets a label set, so that a partition that moved away leaves no stale figure. */
  remove(labels: Labels): void
}

export interface Histogram {
  observe(value: number, labels?: Labels): void
}

/** Registers metrics by name; asking twice for a name gives the same metric. Names carry their unit: `warden_<noun>_<unit>[_total]`. */
export interface Metrics {
  counter(name: string, help: string, labelNames?: readonly string[]): Counter
  gauge(name: string, help: string, labelNames?: readonly string[]): Gauge
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames?: readonly string[],
  ): Histogram
}

export interface Telemetry {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}
