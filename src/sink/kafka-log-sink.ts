import { randomUUID } from 'node:crypto'
import {
  type ITopicMetadata,
  Kafka,
  logLevel,
  type Message,
  Partitioners,
  type Producer,
} from 'kafkajs'
import { WardenError } from '../core/errors.ts'
import type { Logger } from '../core/telemetry.ts'
import { type KafkaSinkConnection, kafkaConfig } from './kafka-connection.ts'
import type { LogMarks, LogSink } from './log-sink.ts'
import { encodeName } from './point-names.ts'
import type { DataPoint } from './sink.ts'

export interface KafkaLogSinkOptions {
  readonly name: string
  /** Stands before the name of every point. */
  readonly prefix: string
  readonly connection: KafkaSinkConnection
  readonly topic: string
  /** Names the writer to the brokers: of two with the same one, the later fences the earlier. */
  readonly transactionalId: string
  /** Consumer group whose offset carries the marks; it has no members. */
  readonly group: string
  /** False: a crash may leave points twice. */
  readonly transactional: boolean
}

/** Below the 1 MiB that brokers take by default. */
const maxSendBytes = 900_000
/** kafkajs copies all earlier messages of a send for each further one. */
const maxSendMessages = 1_000
const recordOverhead = 32
/** About 6 s: what lasts longer is retried by the delivery, and shown. */
const retry = { retries: 8, initialRetryTime: 20, maxRetryTime: 2_000, multiplier: 2 }
/** A transaction that a dead writer left is given up after so long, ms; readers of committed records wait for it. */
const transactionTimeoutMs = 60_000
/** Incarnations remembered; brokers take 4 KiB of metadata with an offset. */
const maxMarks = 50

/** The brokers' words for: another writer with this transactional id is newer. They say the same after a transaction took too long. */
const fencing = /INVALID_PRODUCER_EPOCH|PRODUCER_FENCED|INVALID_PRODUCER_ID_MAPPING/

/**
 * Points as JSON to a Kafka topic, every revision in the order of the outbox, keyed by series. Transactional: points and marks (an
 * offset of the sink's own group, with the marks as its metadata) are one transaction, so that a reader of committed records sees each
 * revision once, whoever is killed when.
 */
export class KafkaLogSink implements LogSink {
  readonly name: string
  readonly #options: KafkaLogSinkOptions
  readonly #prefix: string
  readonly #kafka: Kafka
  /** Of this process: what it finds in the marks says whether somebody else has taken over meanwhile. */
  readonly #owner = randomUUID()
  #claimed = false
  #producer: Producer | undefined

  constructor(options: KafkaLogSinkOptions, logger: Logger) {
    this.name = options.name
    this.#options = options
    this.#prefix = options.prefix === '' ? '' : encodeName(options.prefix)
    this.#kafka = new Kafka({
      ...kafkaConfig(options.connection),
      clientId: 'warden',
      connectionTimeout: 5_000,
      requestTimeout: 10_000,
      retry,
      logLevel: logLevel.WARN,
      logCreator: () => (entry) => {
        logger.debug({ kafkajs: entry.log.message, error: entry.log.error }, 'kafkajs says')
      },
    })
  }

  async open(): Promise<LogMarks> {
    await this.#dropProducer()
    const { transactional, transactionalId } = this.#options
    try {
      if (transactional && this.#claimed) await this.#refuseWhenTakenOver()
      const producer = this.#kafka.producer({
        ...(transactional ? { transactionalId, transactionTimeout: transactionTimeoutMs } : {}),
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        createPartitioner: Partitioners.DefaultPartitioner,
        retry,
      })
      this.#producer = producer
      await producer.connect()
      if (!transactional) return new Map()
      // Ends what an earlier writer left open, and fences it: what is committed now stands.
      const transaction = await producer.transaction()
      const { marks } = await this.#committed()
      await transaction.sendOffsets(this.#offsets(marks))
      await transaction.commit()
      this.#claimed = true
      return marks
    } catch (cause) {
      throw this.#classified(cause)
    }
  }

  async append(points: readonly DataPoint[], marks: LogMarks): Promise<void> {
    const producer = this.#producer
    if (producer === undefined) throw new WardenError('internal', `${this.name} is not open`)
    const { topic, transactional } = this.#options
    try {
      if (!transactional) {
        for (const messages of this.#chunks(points))
          await producer.send({ topic, messages, acks: -1 })
        return
      }
      const transaction = await producer.transaction()
      for (const messages of this.#chunks(points)) {
        await transaction.send({ topic, messages, acks: -1 })
      }
      await transaction.sendOffsets(this.#offsets(marks))
      await transaction.commit()
    } catch (cause) {
      throw this.#classified(cause)
    }
  }

  async close(): Promise<void> {
    await this.#dropProducer()
  }

  /** A process that was paused must not fence the one that took its place. */
  async #refuseWhenTakenOver(): Promise<void> {
    const { owner } = await this.#committed()
    if (owner === undefined || owner === this.#owner) return
    const { transactionalId } = this.#options
    throw new WardenError(
      'sink_fenced',
      `another Warden writes to ${this.#what()} as ${transactionalId}: only one may; stop one of them`,
    )
  }

  async #committed(): Promise<{ readonly owner: string | undefined; readonly marks: LogMarks }> {
    const { topic, group } = this.#options
    const admin = this.#kafka.admin({ retry })
    await admin.connect()
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      requirePartitions(topics, topic)
      const [answer] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
      const saved = answer?.partitions.find(({ partition }) => partition === 0)
      if (saved === undefined || Number(saved.offset) < 0)
        return { owner: undefined, marks: new Map() }
      return readMarks(saved.metadata ?? '', `offset of group ${group}`)
    } finally {
      await admin.disconnect().catch(() => {})
    }
  }

  #offsets(marks: LogMarks) {
    const latest = [...marks].sort(([a], [b]) => b - a).slice(0, maxMarks)
    const metadata = ['1', this.#owner, ...latest.map(([i, at]) => `${i}:${at}`)].join(' ')
    const offset = String(latest[0]?.[1] ?? 0)
    const partitions = [{ partition: 0, offset, metadata }]
    return {
      consumerGroupId: this.#options.group,
      topics: [{ topic: this.#options.topic, partitions }],
    }
  }

  *#chunks(points: readonly DataPoint[]): Generator<Message[]> {
    let chunk: Message[] = []
    let bytes = 0
    for (const point of points) {
      const message = this.#message(point)
      const size = message.key.length + message.value.length + recordOverhead
      if (chunk.length === maxSendMessages || bytes + size > maxSendBytes) {
        yield chunk
        chunk = []
        bytes = 0
      }
      chunk.push(message)
      bytes += size
    }
    if (chunk.length > 0) yield chunk
  }

  /** The key is the series: its revisions are in one partition, in order. Names are ASCII, so that characters are bytes. */
  #message(point: DataPoint): { readonly key: string; readonly value: string } {
    const { timestamp, value, tags, incarnation, revision } = point
    const metric = this.#prefix + point.metric
    const labels = Object.entries(tags).map(([name, one]) => `${name}=${one}`)
    return {
      key: `${metric}{${labels.sort().join(',')}}`,
      value: JSON.stringify({ metric, timestamp, value, tags, incarnation, revision }),
    }
  }

  async #dropProducer(): Promise<void> {
    const producer = this.#producer
    this.#producer = undefined
    await producer?.disconnect().catch(() => {})
  }

  #classified(cause: unknown): WardenError {
    if (cause instanceof WardenError) return cause
    const types = [...causes(cause)].map((one) => String(Reflect.get(one, 'type')))
    const message = cause instanceof Error ? cause.message : String(cause)
    const why = types.some((type) => fencing.test(type))
      ? 'the writer is no longer the newest, or its transaction took too long'
      : message
    return new WardenError('sink_unreachable', `${this.#what()}: ${why}`, { cause })
  }

  #what(): string {
    return `Kafka topic ${this.#options.topic}`
  }
}

function requirePartitions(topics: readonly ITopicMetadata[], topic: string): void {
  if (topics.some(({ name, partitions }) => name === topic && partitions.length > 0)) return
  throw new WardenError('sink_unreachable', `Kafka topic ${topic} has no partitions`)
}

/** `1 <owner> <incarnation>:<position> …`. @throws WardenError `state_corrupt` */
function readMarks(
  text: string,
  where: string,
): { readonly owner: string; readonly marks: LogMarks } {
  const [version, owner, ...pairs] = text.split(' ')
  const marks = pairs.map((pair) => pair.split(':').map(Number))
  const isRight = marks.every((pair) => pair.length === 2 && pair.every(Number.isSafeInteger))
  if (version !== '1' || owner === undefined || !isRight) {
    throw new WardenError('state_corrupt', `${where} can't be read: ${JSON.stringify(text)}`)
  }
  return { owner, marks: new Map(marks.map(([i = 0, at = 0]) => [i, at])) }
}

function* causes(error: unknown, depth = 0): Generator<Error> {
  if (!(error instanceof Error) || depth > 8) return
  yield error
  yield* causes(Reflect.get(error, 'originalError'), depth + 1)
  yield* causes(error.cause, depth + 1)
}
