import {
  CompressionTypes,
  Kafka,
  logLevel,
  type Message,
  Partitioners,
  type Producer,
} from 'kafkajs'
import type { Logger } from '../core/telemetry.ts'
import { definedOnly, type KafkaConnectOptions } from './kafka-connections.ts'
import type { KafkaSasl } from './kafka-sasl.ts'

export interface EventProducerOptions extends KafkaConnectOptions {
  readonly topic: string
  /** `none` by default. */
  readonly compression?: 'none' | 'gzip' | undefined
}

/** An event to write. Without a partition the key chooses it, without a key any will do. */
export interface EventLine {
  readonly key?: string | undefined
  readonly value: string | Buffer
  readonly partition?: number | undefined
}

/** With growing waits about 30 s: a broker that dies is replaced within 10 s or so. */
const failoverRetries = 12

/** Writes events to a topic: for load and for tests, not for results. */
export interface EventProducer {
  /** Resolves when all in-sync replicas have the lines. Some may be written although it rejects. */
  send(lines: readonly EventLine[]): Promise<void>
  close(): Promise<void>
}

/** Largest record batch that is sent, keys and values, below the 1 MiB that brokers take by default. */
const maxSendBytes = 900_000
/** kafkajs copies all earlier messages of a send for each further one: 50 000 in one send take 15 s, in sends of 1000 below 1 s. */
const maxSendRecords = 1_000
/** What a record costs beside its key and value, at most. */
const recordOverhead = 32

/** Connects; rejects with the error of kafkajs. What is sent again after a lost answer is there once. */
export async function createEventProducer(options: EventProducerOptions): Promise<EventProducer> {
  const producer = idempotentProducer(options, failoverRetries)
  await producer.connect()
  const isGzip = options.compression === 'gzip'
  return {
    async send(lines) {
      for (const messages of inChunks(lines)) {
        await producer.send({
          topic: options.topic,
          messages,
          acks: -1,
          compression: isGzip ? CompressionTypes.GZIP : CompressionTypes.None,
        })
      }
    },
    close: () => producer.disconnect(),
  }
}

/** An idempotent producer: what it sends again after a lost answer is there once. Not yet connected. */
export function idempotentProducer(
  options: KafkaConnectOptions,
  retries: number,
  logger?: Logger,
): Producer {
  return kafkaClient(options, logger).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries, initialRetryTime: 100, maxRetryTime: 5_000 },
  })
}

/** Messages in the order of the lines, in chunks that are neither too large for a broker (but for a single line) nor slow. */
export function* inChunks(lines: readonly EventLine[]): Generator<Message[]> {
  let chunk: Message[] = []
  let bytes = 0
  for (const { key, value, partition } of lines) {
    const size = Buffer.byteLength(value) + Buffer.byteLength(key ?? '') + recordOverhead
    const isFull = chunk.length === maxSendRecords || bytes + size > maxSendBytes
    if (chunk.length > 0 && isFull) {
      yield chunk
      chunk = []
      bytes = 0
    }
    chunk.push({ key: key ?? null, value, ...(partition === undefined ? {} : { partition }) })
    bytes += size
  }
  if (chunk.length > 0) yield chunk
}

/** Does kafkajs say that the broker refuses a record as too large? */
export function isTooLarge(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (/MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE/.test(String(Reflect.get(error, 'type'))))
    return true
  return isTooLarge(error.cause)
}

/** kafkajs with Warden's connection options; its own lines go to `logger`, and nowhere without one. */
function kafkaClient(options: KafkaConnectOptions, logger?: Logger): Kafka {
  const { tls, sasl } = options
  return new Kafka({
    clientId: options.clientId ?? 'warden',
    brokers: [...options.brokers],
    connectionTimeout: options.connectTimeoutMs ?? 5_000,
    requestTimeout: options.requestTimeoutMs ?? 10_000,
    ...(tls === undefined ? {} : { ssl: definedOnly(tls) }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    logLevel: logger === undefined ? logLevel.NOTHING : logLevel.WARN,
    logCreator: () => (entry) => {
      logger?.debug({ kafkajs: entry.log.message, error: entry.log.error }, 'kafkajs says')
    },
  })
}

function saslOf({ mechanism, username, password }: KafkaSasl) {
  switch (mechanism) {
    case 'PLAIN':
      return { mechanism: 'plain' as const, username, password }
    case 'SCRAM-SHA-256':
      return { mechanism: 'scram-sha-256' as const, username, password }
    case 'SCRAM-SHA-512':
      return { mechanism: 'scram-sha-512' as const, username, password }
  }
}
