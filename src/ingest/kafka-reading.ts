import type { WardenError } from '../core/errors.ts'
import type { Clock, Counter, Gauge, Logger, Metrics } from '../core/telemetry.ts'
import { durationMs, type EpochMs } from '../core/time.ts'
import type { Isolation, KafkaNetwork } from './kafka-network.ts'

/** Where reading starts without a checkpoint. `committed` without a committed offset: earliest. */
export type KafkaStart = 'latest' | 'earliest' | 'committed' | { readonly timestamp: EpochMs }

/** The options of a source with every default filled in. */
export interface KafkaSettings {
  readonly topics: readonly string[]
  readonly from: KafkaStart
  readonly group: string | undefined
  readonly isolation: Isolation
  readonly onDataLoss: 'stop' | 'continue'
  readonly maxBytesPerPartition: number
  readonly maxWaitMs: number
  readonly bufferBytes: number
  readonly watchdogMs: number
  readonly metadataRefreshMs: number
  readonly share: KafkaShare
}

/** Which partitions are read here: those whose number is `index` modulo `of`, a step further for each topic unless `fixed`. */
export interface KafkaShare {
  readonly index: number
  readonly of: number
  /** Partitions of equal number go together, and a new partition is an error: it moves users. */
  readonly fixed: boolean
}

/** What the parts of one Kafka source share. */
export interface KafkaReading {
  readonly network: KafkaNetwork
  readonly settings: KafkaSettings
  readonly clock: Clock
  readonly logger: Logger
  readonly meters: KafkaMeters
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** The source can't go on. */
  fail(error: WardenError): void
  /** Something to take, or a status changed. */
  changed(): void
  /** Metadata is out of date. */
  refresh(): void
  /** The fetcher of that broker may have something to ask for. */
  wake(node: number): void
}

/** Between attempts to reach a broker or to learn the leaders. */
export const retryPolicy = { initialMs: durationMs(100), maxMs: durationMs(5_000) }

export interface KafkaMeters {
  fetchError(kind: string): void
  reconnect(reason: 'failed' | 'stalled'): void
  fetched(bytes: number): void
  buffered(bytes: number): void
  paused(ms: number, reason: 'buffer_full' | 'held'): void
  lag(topic: string, partition: number, records: number | undefined): void
  /** @param records how many, where that is known */
  dataLoss(topic: string, records: number): void
  commitFailed(): void
}

export function createKafkaMeters(source: string, metrics: Metrics): KafkaMeters {
  const counter = (name: string, help: string, ...labels: string[]): Counter =>
    metrics.counter(`warden_kafka_${name}_total`, help, ['source', ...labels])
  const gauge = (name: string, help: string, ...labels: string[]): Gauge =>
    metrics.gauge(`warden_kafka_${name}`, help, ['source', ...labels])
  const errors = counter('fetch_errors', 'Fetches, or partitions of one, that failed.', 'kind')
  const reconnects = counter('reconnects', 'Connections to brokers given up.', 'reason')
  const bytes = counter('fetched_bytes', 'Record batches read, as they came over the wire.')
  const buffer = gauge('buffered_bytes', 'Record batches read ahead and not yet taken.')
  const pause = counter(
    'paused_seconds',
    'Time that partitions were not asked for records, summed over partitions.',
    'reason',
  )
  const lag = gauge(
    'lag_records',
    'Records between the position of a partition and its end.',
    'topic',
    'partition',
  )
  const losses = counter('data_losses', 'Times that reading went on behind lost records.', 'topic')
  const lost = counter('lost_records', 'Records lost before they were read, where known.', 'topic')
  const commits = counter('group_commit_failures', 'Offsets not committed to the group.')
  return {
    fetchError: (kind) => errors.add(1, { source, kind }),
    reconnect: (reason) => reconnects.add(1, { source, reason }),
    fetched: (amount) => bytes.add(amount, { source }),
    buffered: (amount) => buffer.set(amount, { source }),
    paused: (ms, reason) => {
      if (ms > 0) pause.add(ms / 1000, { source, reason })
    },
    lag: (topic, partition, records) => {
      const labels = { source, topic, partition: String(partition) }
      if (records === undefined) lag.remove(labels)
      else lag.set(records, labels)
    },
    dataLoss: (topic, records) => {
      losses.add(1, { source, topic })
      lost.add(records, { source, topic })
    },
    commitFailed: () => commits.add(1, { source }),
  }
}
