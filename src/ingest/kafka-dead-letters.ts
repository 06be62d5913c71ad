import type { Producer } from 'kafkajs'
import { WardenError } from '../core/errors.ts'
import type { Counter, Telemetry } from '../core/telemetry.ts'
import type { KafkaConnectOptions } from './kafka-connections.ts'
import { type EventLine, idempotentProducer, inChunks, isTooLarge } from './kafka-producer.ts'
import type { SideOutput, SideRecord } from './side-output.ts'

export interface KafkaSideOutputOptions extends KafkaConnectOptions {
  readonly topic: string
}

/** About 3 s, as a checkpoint waits for it; what was not written goes with the next one. */
const sendRetries = 5
/** What is kept, in characters, of a document that the broker refuses as too large. */
const keptOfTooLarge = 64 * 1024

/**
 * A side output on a topic, keyed by the record's key. At least once: a topic can't be cut back to a checkpoint, so that
 * a replay may write a record again, under the same key.
 */
export class KafkaSideOutput implements SideOutput {
  readonly #options: KafkaSideOutputOptions
  readonly #telemetry: Telemetry
  readonly #shortened: Counter
  #pending: EventLine[] = []
  #pendingBytes = 0
  #written = 0
  #producer: Producer | undefined

  constructor(options: KafkaSideOutputOptions, telemetry: Telemetry) {
    this.#options = options
    this.#telemetry = telemetry
    this.#shortened = telemetry.metrics.counter(
      'warden_kafka_side_output_shortened_total',
      'Records cut because the broker takes none so large.',
      ['topic'],
    )
  }

  async restore(mark: string | undefined): Promise<void> {
    this.#written = Number(mark ?? 0) || 0
  }

  append(record: SideRecord): void {
    this.#pending.push({ key: record.key, value: record.json })
    this.#pendingBytes += Buffer.byteLength(record.json) + Buffer.byteLength(record.key)
  }

  pendingBytes(): number {
    return this.#pendingBytes
  }

  /** What was not written stays pending. The mark counts the records. */
  async flush(): Promise<string> {
    const lines = this.#pending
    const bytes = this.#pendingBytes
    this.#pending = []
    this.#pendingBytes = 0
    try {
      const producer = await this.#connected()
      for (const messages of inChunks(lines)) await this.#send(producer, messages)
    } catch (error) {
      this.#pending = [...lines, ...this.#pending]
      this.#pendingBytes += bytes
      await this.#dropProducer()
      throw this.#classified(error)
    }
    this.#written += lines.length
    return String(this.#written)
  }

  async close(): Promise<void> {
    await this.#dropProducer()
  }

  async #send(producer: Producer, messages: Parameters<Producer['send']>[0]['messages']) {
    const { topic } = this.#options
    try {
      await producer.send({ topic, messages, acks: -1 })
    } catch (error) {
      if (!isTooLarge(error)) throw error
      const [only, ...others] = messages
      if (others.length > 0) {
        for (const one of messages) await this.#send(producer, [one])
        return
      }
      const text = String(only?.value ?? '')
      if (only === undefined || text.length <= keptOfTooLarge) throw error
      this.#shortened.add(1, { topic })
      this.#telemetry.logger.error(
        { topic, key: only.key, characters: text.length },
        'a side output record is too large for the topic and is written shortened; raise max.message.bytes of the topic',
      )
      const value = JSON.stringify({
        shortened: true,
        characters: text.length,
        head: text.slice(0, keptOfTooLarge),
      })
      await this.#send(producer, [{ ...only, value }])
    }
  }

  async #connected(): Promise<Producer> {
    if (this.#producer !== undefined) return this.#producer
    const producer = idempotentProducer(this.#options, sendRetries, this.#telemetry.logger)
    this.#producer = producer
    await producer.connect()
    return producer
  }

  /** After an error the sequence numbers of an idempotent producer are in doubt: the next flush takes a new one. */
  async #dropProducer(): Promise<void> {
    const producer = this.#producer
    this.#producer = undefined
    await producer?.disconnect().catch(() => {})
  }

  #classified(error: unknown): WardenError {
    const message = error instanceof Error ? error.message : String(error)
    const what = `side output topic ${this.#options.topic}: ${message}`
    return new WardenError('sink_unreachable', what, { cause: error })
  }
}
