import { WardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { KafkaAdmin } from './kafka-admin.ts'
import type { KafkaConnectOptions } from './kafka-connections.ts'
import { KafkaGroupOffsets } from './kafka-group.ts'
import type { GroupOffset, Isolation, KafkaNetwork } from './kafka-network.ts'
import type { KafkaPartition } from './kafka-partition.ts'
import {
  createKafkaMeters,
  type KafkaMeters,
  type KafkaReading,
  type KafkaSettings,
  type KafkaShare,
  type KafkaStart,
} from './kafka-reading.ts'
import { KafkaTopology } from './kafka-topology.ts'
import type { PartitionPosition, PartitionStatus, Source, SourceBatch } from './source.ts'
import { Wakeup } from './wakeup.ts'

export interface KafkaSourceOptions extends KafkaConnectOptions {
  readonly topics: readonly string[]
  readonly from: KafkaStart
  /** Consumer group that offsets are committed to after each checkpoint; undefined: none. Nobody may be a member of it. */
  readonly group?: string | undefined
  /** `read_committed` by default. */
  readonly isolation?: Isolation | undefined
  /** `stop` by default. */
  readonly onDataLoss?: 'stop' | 'continue' | undefined
  readonly fetch?: KafkaFetchOptions | undefined
  /** Silence, while records wait, after which a connection is given up. 30 s by default. */
  readonly watchdogMs?: number | undefined
  /** How often new partitions are looked for. 30 s by default. */
  readonly metadataRefreshMs?: number | undefined
  /** All partitions by default. */
  readonly share?: KafkaShare | undefined
}

export interface KafkaFetchOptions {
  /** Bound of what one answer holds of one partition; a larger record batch comes whole. 1 MiB by default. */
  readonly maxBytesPerPartition?: number | undefined
  /** How long a broker waits for records before it answers. 500 ms by default. */
  readonly maxWaitMs?: number | undefined
  /** What is read ahead, all partitions together. 64 MiB by default. */
  readonly bufferBytes?: number | undefined
}

/** What tests put in place of a cluster and of chance. */
export interface KafkaSourceParts {
  readonly network?: KafkaNetwork
  readonly random?: () => number
}

/** Raw record batches of Kafka topics. The partitions are Warden's own: there is no group membership and no rebalance. */
export class KafkaSource implements Source {
  readonly name: string
  readonly bounded = false
  readonly #reading: KafkaReading
  readonly #topology: KafkaTopology
  readonly #group: KafkaGroupOffsets | undefined
  readonly #wakeup = new Wakeup()
  #failure: WardenError | undefined
  #cursor = 0
  /** Bytes of the batch taken last: until the next `take` they are somebody's. */
  #taken: Buffer | undefined
  #bufferedBytes = -1
  #closed: Promise<void> | undefined

  constructor(
    name: string,
    options: KafkaSourceOptions,
    telemetry: Telemetry,
    parts: KafkaSourceParts = {},
  ) {
    this.name = name
    const settings = settingsOf(options)
    const fetchTimeoutMs = settings.maxWaitMs + settings.watchdogMs + 5_000
    this.#reading = {
      network: parts.network ?? new KafkaAdmin({ ...options, fetchTimeoutMs }),
      settings,
      clock: telemetry.clock,
      logger: telemetry.logger.child({ source: name }),
      meters: createKafkaMeters(name, telemetry.metrics),
      random: parts.random ?? Math.random,
      fail: (error) => this.#fail(error),
      changed: () => this.#changed(),
      refresh: () => this.#topology.refresh(),
      wake: (node) => this.#topology.wake(node),
    }
    this.#topology = new KafkaTopology(this.#reading)
    const { group } = settings
    this.#group = group === undefined ? undefined : new KafkaGroupOffsets(this.#reading, group)
  }

  async open(positions: ReadonlyMap<string, PartitionPosition>): Promise<void> {
    await this.#topology.open(positions)
    const { topics } = this.#reading.settings
    const fields = { topics, partitions: this.#topology.partitions.length }
    this.#reading.logger.info(fields, 'reads Kafka topics')
  }

  /** The partitions take turns. What was read before a failure is handed out before `take` throws it. */
  take(): SourceBatch | undefined {
    if (this.#taken !== undefined) this.#reading.network.release(this.#taken)
    this.#taken = undefined
    const { partitions } = this.#topology
    for (let i = 0; i < partitions.length; i++) {
      const at = (this.#cursor + i) % partitions.length
      const one = partitions[at]
      if (one === undefined || one.held || !one.hasBatch) continue
      this.#cursor = at + 1
      const batch = one.take()
      this.#taken = batch?.bytes
      if (one.pausedSince !== undefined) this.#topology.wake(one.leader)
      this.#measure(one)
      return batch
    }
    if (this.#failure !== undefined) throw this.#failure
    return undefined
  }

  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#topology.partitions.some((one) => one.hasBatch && !one.held)) return
    if (this.#failure !== undefined) throw this.#failure
    await this.#wakeup.wait(signal)
    if (this.#failure !== undefined && !this.#topology.partitions.some((one) => one.hasBatch)) {
      throw this.#failure
    }
  }

  /** Live views: what they say changes with the next answer of a broker. */
  partitions(): readonly PartitionStatus[] {
    return this.#topology.partitions
  }

  hold(partition: number, held: boolean): void {
    const one = this.#topology.partitions[partition]
    if (one === undefined || one.held === held) return
    one.held = held
    if (held) return
    this.#topology.wake(one.leader)
    this.#wakeup.notify()
  }

  async checkpointed(positions: ReadonlyMap<string, PartitionPosition>): Promise<void> {
    if (this.#group === undefined) return
    const offsets: GroupOffset[] = []
    for (const { name, topic, partition } of this.#topology.partitions) {
      const offset = positions.get(name)?.offset
      if (offset !== undefined) offsets.push({ topic, partition, offset })
    }
    if (offsets.length > 0) await this.#group.commit(offsets)
  }

  ended(): boolean {
    return false
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close()
    await this.#closed
  }

  async #close(): Promise<void> {
    this.#group?.close()
    const topology = this.#topology.close()
    await this.#reading.network.close()
    await topology
    for (const one of this.#topology.partitions) {
      this.#reading.meters.lag(one.topic, one.partition, undefined)
    }
    this.#wakeup.notify()
  }

  #fail(error: WardenError): void {
    this.#failure ??= error
    this.#wakeup.notify()
  }

  #changed(): void {
    this.#measure(undefined)
    this.#wakeup.notify()
  }

  #measure(one: KafkaPartition | undefined): void {
    const meters: KafkaMeters = this.#reading.meters
    if (one !== undefined) meters.lag(one.topic, one.partition, one.lag)
    let bytes = 0
    for (const each of this.#topology.partitions) bytes += each.bufferedBytes
    if (bytes !== this.#bufferedBytes) meters.buffered(bytes)
    this.#bufferedBytes = bytes
  }
}

function settingsOf(options: KafkaSourceOptions): KafkaSettings {
  if (options.topics.length === 0) {
    throw new WardenError('config_invalid', 'a Kafka source needs at least one topic')
  }
  return {
    topics: [...new Set(options.topics)],
    from: options.from,
    group: options.group,
    isolation: options.isolation ?? 'read_committed',
    onDataLoss: options.onDataLoss ?? 'stop',
    maxBytesPerPartition: options.fetch?.maxBytesPerPartition ?? 1024 * 1024,
    maxWaitMs: options.fetch?.maxWaitMs ?? 500,
    bufferBytes: (options.fetch?.bufferBytes ?? 64 * 1024 * 1024) / (options.share?.of ?? 1),
    watchdogMs: options.watchdogMs ?? 30_000,
    metadataRefreshMs: options.metadataRefreshMs ?? 30_000,
    share: options.share ?? { index: 0, of: 1, fixed: false },
  }
}
