import type { AlertPlan } from '../core/alert-plan.ts'
import type { DedupBackend } from '../core/dedup.ts'
import type {
  Accumulation,
  FieldPath,
  Keep,
  LookupPlan,
  TimeFormat,
  WindowPlan,
  ZeroFillPlan,
} from '../core/plan.ts'
import type { DurationMs, EpochMs } from '../core/time.ts'
import type { EnrichConfig } from './enrich-config.ts'
import type { HaConfig } from './ha-config.ts'
import type { NotificationsConfig, ReceiverConfig } from './receiver-config.ts'
import type { Filter, ListenAddress } from './schema/fields.ts'
import type { Secret } from './secret.ts'

/** A config, read and checked: defaults in place, paths absolute, durations in ms, sizes in bytes. Lists are in the order of the file. */
export interface Config {
  /** The file it came from, as it was named. */
  readonly file: string
  readonly job: string
  /** Absolute. */
  readonly stateDir: string
  readonly sources: readonly SourceConfig[]
  readonly metrics: readonly MetricConfig[]
  /** Tables that dimensions are looked up in. */
  readonly enrich: readonly EnrichConfig[]
  readonly sinks: readonly SinkConfig[]
  readonly deadLetters: SideOutputConfig & {
    /** Share of dead letters, 0 to 1, at which Warden stops; undefined: never. */
    readonly maxRate: number | undefined
  }
  readonly lateEvents: SideOutputConfig
  readonly alerts: AlertPlan
  /** Absolute path of the file that the rules come from, watched while Warden runs; undefined: they stand in the config. */
  readonly alertFile: string | undefined
  readonly receivers: readonly ReceiverConfig[]
  readonly notifications: NotificationsConfig
  readonly checkpoint: CheckpointConfig
  /** Threads per Kafka source. */
  readonly lanes: number | 'auto'
  readonly restart: RestartConfig
  readonly server: { readonly listen: ListenAddress; readonly token: Secret | undefined }
  readonly outbox: { readonly maxBytes: number }
  /** Bounds of the embedded store; undefined: none. */
  readonly store: {
    readonly retentionMs: DurationMs | undefined
    readonly maxBytes: number | undefined
  }
  /** Copies of the state; directories are absolute. */
  readonly state: {
    readonly savepoints: { readonly directory: string; readonly retain: number }
    readonly replica: { readonly directory: string; readonly intervalMs: DurationMs } | undefined
  }
  /** undefined: one Warden works on the job. */
  readonly ha: HaConfig | undefined
  readonly shutdown: { readonly timeoutMs: DurationMs }
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' }
}

export type SourceConfig =
  | KafkaSourceConfig
  | HttpSourceConfig
  | FileSourceConfig
  | GeneratorSourceConfig

interface SourceBase {
  readonly name: string
  readonly event: EventConfig
  readonly watermark: WatermarkConfig
}

export interface KafkaConnectionConfig {
  /** `host:port` each. */
  readonly brokers: readonly string[]
  readonly tls: TlsConfig | undefined
  readonly sasl: SaslConfig | undefined
}

export interface KafkaSourceConfig extends SourceBase, KafkaConnectionConfig {
  readonly type: 'kafka'
  readonly topics: readonly string[]
  readonly from:
    | { readonly kind: 'latest' | 'earliest' | 'committed' }
    | { readonly kind: 'timestamp'; readonly at: EpochMs }
  readonly group: string
  /** The topics' records are partitioned by the user: nobody's events are in two partitions. */
  readonly keyedByUser: boolean
  readonly isolation: 'read_committed' | 'read_uncommitted'
  readonly onDataLoss: 'stop' | 'continue'
  readonly fetch: {
    readonly maxBytesPerPartition: number
    readonly maxWaitMs: DurationMs
    readonly bufferBytes: number
  }
  readonly watchdogMs: DurationMs
}

export interface HttpSourceConfig extends SourceBase {
  readonly type: 'http'
  readonly listen: ListenAddress
  readonly token: Secret | undefined
  readonly maxLogBytes: number
}

export interface FileSourceConfig extends SourceBase {
  readonly type: 'file'
  /** Absolute paths or globs. */
  readonly paths: readonly string[]
  readonly follow: boolean
  readonly from: 'earliest' | 'latest'
  readonly onDataLoss: 'stop' | 'continue'
  readonly partitionPerFile: boolean
}

export interface GeneratorSourceConfig extends SourceBase {
  readonly type: 'generator'
  /** Events per second of processing time. */
  readonly rate: number
  /** Seconds of event time per second of processing time. */
  readonly speed: number
  readonly users: number
  readonly seed: number
}

export interface TlsConfig {
  readonly ca: Secret | undefined
  readonly cert: Secret | undefined
  readonly key: Secret | undefined
  readonly servername: string | undefined
  readonly rejectUnauthorized: boolean
}

export interface SaslConfig {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: Secret
}

export interface WatermarkConfig {
  /** Records that say watermarks; undefined: event times do. */
  readonly mark: { readonly where: Filter; readonly time: EventConfig['time'] } | undefined
  /** 0 where records say watermarks. */
  readonly outOfOrdernessMs: DurationMs
  readonly idleTimeoutMs: DurationMs
  /** undefined: partitions do not wait for each other. */
  readonly maxDriftMs: DurationMs | undefined
}

export interface EventConfig {
  /** `path` is empty only for `record`. */
  readonly time: { readonly path: FieldPath; readonly format: TimeFormat }
  readonly user: FieldPath | undefined
  readonly outcome:
    | { readonly path: FieldPath; readonly names: ReadonlyMap<string, string> }
    | undefined
  readonly where: Filter | undefined
  readonly minEventTime: EpochMs
  readonly maxFutureSkewMs: DurationMs
}

export interface MetricConfig {
  readonly name: string
  readonly source: string
  readonly where: Filter | undefined
  readonly window: WindowPlan
  readonly allowedLatenessMs: DurationMs
  /** Wait after a window's end plus `outOfOrderness` until it may be judged. */
  readonly evaluationDelayMs: DurationMs
  /** Without the outcome. */
  readonly dimensions: readonly DimensionConfig[]
  /** The outcome is a dimension too. */
  readonly splitByOutcome: boolean
  /** Worst first. */
  readonly outcomes: readonly string[]
  readonly keep: Keep | undefined
  /** undefined: exact, in memory and checkpoint. */
  readonly backend: DedupBackendConfig | undefined
  /** Event time within which a user counts once; undefined: the window. */
  readonly horizonMs: DurationMs | undefined
  readonly aggregates: readonly AggregateConfig[]
  readonly zeroFill: ZeroFillPlan
  /** One value per dimension each, in the order of `dimensions`. */
  readonly series: readonly (readonly string[])[]
  readonly accumulation: Accumulation
  readonly earlyAfterMs: DurationMs | undefined
  readonly emitPartial: boolean
  readonly maxSeries: number
  readonly maxKeys: number
  /** Former name, whose state is taken over. */
  readonly renamedFrom: string | undefined
}

export type DedupBackendConfig =
  | Exclude<DedupBackend, { readonly type: 'redis' }>
  | (Extract<DedupBackend, { readonly type: 'redis' }> & RedisConfig)

export interface RedisConfig {
  /** `redis://host:port/database` or `rediss://…`; no password in it. */
  readonly url: string
  readonly username: string | undefined
  readonly password: Secret | undefined
  readonly timeoutMs: DurationMs
}

export interface DimensionConfig {
  readonly name: string
  /** With `lookup` that of the key. */
  readonly path: FieldPath
  readonly missing: string | undefined
  readonly lookup?: LookupPlan
}

export type AggregateConfig =
  | { readonly kind: 'count' | 'events' | 'users'; readonly name: string }
  | {
      readonly kind: 'rate'
      readonly name: string
      readonly raw: boolean
      readonly success: readonly string[]
      readonly of: readonly string[] | undefined
    }
  | {
      readonly kind: 'sum' | 'min' | 'max' | 'avg'
      readonly name: string
      readonly field: string
      readonly path: FieldPath
    }

export type SinkConfig = OpentsdbSinkConfig | EmbeddedSinkConfig | FileSinkConfig | KafkaSinkConfig

interface SinkBase {
  readonly name: string
  /** Stands before the name of every point; may be empty. */
  readonly prefix: string
  /** Which end of its window a point is dated by. */
  readonly timestamp: 'start' | 'end'
  /** Reading pauses while too much waits for it; else its oldest points beyond `maxBacklogBytes` are dropped. */
  readonly required: boolean
  readonly maxBacklogBytes: number
}

export interface OpentsdbSinkConfig extends SinkBase {
  readonly type: 'opentsdb'
  /** Without a slash at its end. */
  readonly url: string
  readonly batch: { readonly points: number; readonly maxAgeMs: DurationMs }
  readonly connections: number
  readonly timeoutMs: DurationMs
  readonly retry: { readonly initialMs: DurationMs; readonly maxMs: DurationMs }
  readonly slowMs: DurationMs
  /** Points per second; undefined: no bound. */
  readonly maxRate: number | undefined
  readonly settleMs: DurationMs
  readonly gzipFromBytes: number
  readonly headers: Readonly<Record<string, string>>
  readonly auth: HttpAuthConfig | undefined
  /** Share of the points that are read back, 0 to 1; 0: none. */
  readonly readBackShare: number
  /** Are verdicts written as global annotations? */
  readonly annotations: boolean
}

export type HttpAuthConfig =
  | { readonly type: 'basic'; readonly username: string; readonly password: Secret }
  | { readonly type: 'bearer'; readonly token: Secret }

export interface EmbeddedSinkConfig extends SinkBase {
  readonly type: 'embedded'
}

export interface FileSinkConfig extends SinkBase {
  readonly type: 'file'
  /** Absolute. */
  readonly path: string
  /** undefined: never rolled. */
  readonly rollBytes: number | undefined
  /** undefined: all. */
  readonly keepFiles: number | undefined
}

export interface KafkaSinkConfig extends SinkBase, KafkaConnectionConfig {
  readonly type: 'kafka'
  readonly topic: string
  readonly exactlyOnce: boolean
  readonly transactionalId: string
  readonly batch: { readonly points: number; readonly maxAgeMs: DurationMs }
}

export type SideOutputConfig =
  | { readonly type: 'file'; readonly path: string }
  | ({ readonly type: 'kafka'; readonly topic: string } & KafkaConnectionConfig)

export interface CheckpointConfig {
  readonly intervalMs: DurationMs
  readonly timeoutMs: DurationMs
  readonly minPauseMs: DurationMs
  readonly toleratedFailures: number
}

export type RestartConfig =
  | {
      readonly strategy: 'exponential'
      readonly initialMs: DurationMs
      readonly maxMs: DurationMs
      readonly multiplier: number
      readonly resetAfterMs: DurationMs
    }
  | {
      readonly strategy: 'fixed-delay'
      readonly delayMs: DurationMs
      readonly attempts: number
    }
  | {
      readonly strategy: 'failure-rate'
      readonly max: number
      readonly perMs: DurationMs
      readonly delayMs: DurationMs
    }
  | { readonly strategy: 'none' }
