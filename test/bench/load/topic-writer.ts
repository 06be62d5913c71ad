import { Connection, createAPI, produceV11, Writer } from '@platformatic/kafka'

const ackTimeoutMs = 30_000
/** Bytes of a request that is not acknowledged, at most this many requests. */
const requestsUnderWay = 8

interface PartitionBatch {
  readonly partition: number
  readonly bytes: Buffer
}

/** Produce with record batches as they are; the library would build an object for each record. */
const produce = createAPI<[topic: string, batches: readonly PartitionBatch[]], unknown>(
  0,
  11,
  (topic: string, batches: readonly PartitionBatch[]) =>
    Writer.create()
      .appendString(null)
      .appendInt16(1)
      .appendInt32(ackTimeoutMs)
      .appendArray([topic], (writer) => {
        writer.appendString(topic).appendArray([...batches], (inner, { partition, bytes }) => {
          inner
            .appendInt32(partition)
            .appendUnsignedVarInt(bytes.length + 1)
            .append(bytes)
        })
      })
      .appendTaggedFields(),
  produceV11.parseResponse,
)

/** Writes record batches to a topic of a cluster of one broker, in the order of the calls. */
export class TopicWriter {
  readonly #connection: Connection
  readonly #topic: string
  readonly #underWay = new Set<Promise<unknown>>()
  #failure: unknown

  private constructor(connection: Connection, topic: string) {
    this.#connection = connection
    this.#topic = topic
  }

  static async connect(bootstrap: string, topic: string): Promise<TopicWriter> {
    const [host = '', port] = bootstrap.split(':')
    const connection = new Connection('warden-bench', { maxInflights: requestsUnderWay })
    await connection.connect(host, Number(port))
    return new TopicWriter(connection, topic)
  }

  /**
   * Resolves when there is room for another request, not when this one is acknowledged; rejects with the failure of any.
   * @param acknowledged called when the broker has the batches
   */
  async send(batches: readonly PartitionBatch[], acknowledged?: () => void): Promise<void> {
    // A connection keeps the order of its requests, and a broker that of its answers.
    const sent = produce.async(this.#connection, this.#topic, batches).then(
      () => acknowledged?.(),
      (error: unknown) => {
        this.#failure ??= error
      },
    )
    this.#underWay.add(sent)
    void sent.finally(() => this.#underWay.delete(sent))
    if (this.#underWay.size >= requestsUnderWay) await Promise.race(this.#underWay)
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Resolves when everything is acknowledged. */
  async flush(): Promise<void> {
    await Promise.all(this.#underWay)
    if (this.#failure !== undefined) throw this.#failure
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }
}
