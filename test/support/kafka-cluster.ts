import { type Admin, Kafka, type KafkaConfig, logLevel } from 'kafkajs'
import { type KafkaTool, kafkaCli } from './kafka-cli.ts'
import { type PartitionView, viewsOf } from './kafka-metadata.ts'
import { until } from './until.ts'

/** How a test reaches a Kafka cluster, its own or one the whole suite shares. */
export interface KafkaAddress {
  /** `host:port[,host:port…]`, plain text, no authentication. */
  readonly bootstrap: string
  /** The listener with TLS and SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512). */
  readonly sasl: SaslAddress | undefined
}

export interface SaslAddress {
  readonly bootstrap: string
  readonly caPem: string
  readonly username: string
  readonly password: string
}

/** Settings of kafkajs for an address, for tests that want another client than Warden's. */
export function kafkaJs(address: KafkaAddress, settings: Partial<KafkaConfig> = {}): Kafka {
  return new Kafka({
    clientId: 'warden-test',
    brokers: address.bootstrap.split(','),
    logLevel: logLevel.NOTHING,
    // By default 1 s, in which a machine with ten times as much work as cores may not get to it.
    connectionTimeout: 10_000,
    retry: { retries: 8, initialRetryTime: 50, maxRetryTime: 1000 },
    ...settings,
  })
}

/** What tests do to the topics of a running cluster. Every call opens a connection and closes it. */
export class KafkaCluster {
  readonly address: KafkaAddress
  readonly #brokers: number

  constructor(address: KafkaAddress) {
    this.address = address
    this.#brokers = address.bootstrap.split(',').length
  }

  get bootstrap(): string {
    return this.address.bootstrap
  }

  get saslBootstrap(): string | undefined {
    return this.address.sasl?.bootstrap
  }

  get caPem(): string | undefined {
    return this.address.sasl?.caPem
  }

  /**
   * Resolves when every partition has a leader.
   * @param config the topic's own settings, e.g. `{ 'retention.ms': '1000', 'replication.factor': '1' }`
   */
  async createTopic(
    name: string,
    partitions: number,
    config: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const { 'replication.factor': replicas = String(this.#brokers), ...settings } = config
    const configEntries = Object.entries(settings).map(([key, value]) => ({ name: key, value }))
    await this.#admin((admin) =>
      admin.createTopics({
        // kafkajs gives up when a broker does not know the topic yet; what is below waits.
        waitForLeaders: false,
        topics: [
          {
            topic: name,
            numPartitions: partitions,
            replicationFactor: Number(replicas),
            configEntries,
          },
        ],
      }),
    )
    await this.#untilLed(name, partitions)
  }

  /** Resolves when no broker names the topic any more. */
  async deleteTopic(name: string): Promise<void> {
    await this.#admin((admin) => admin.deleteTopics({ topics: [name] }))
    await until(`topic ${name} is gone`, async () => {
      const { answering, views } = await viewsOf(this.bootstrap, name)
      return answering > 0 && views.length === 0
    })
  }

  /** Adds partitions until there are `total`. */
  async addPartitions(name: string, total: number): Promise<void> {
    await this.#admin((admin) =>
      admin.createPartitions({ topicPartitions: [{ topic: name, count: total }] }),
    )
    await this.#untilLed(name, total)
  }

  /** Deletes the records below the offsets, as retention does. */
  async deleteRecords(name: string, below: ReadonlyMap<number, number>): Promise<void> {
    const partitions = [...below].map(([partition, offset]) => ({
      partition,
      offset: String(offset),
    }))
    await this.#admin(async (admin) => {
      // kafkajs knows the leaders only of topics it was asked about before.
      await admin.fetchTopicOffsets(name)
      await admin.deleteTopicRecords({ topic: name, partitions })
    })
  }

  /** Partition → offset of the next record to be written. */
  async endOffsets(name: string): Promise<Map<number, number>> {
    const rows = await this.#admin((admin) => admin.fetchTopicOffsets(name))
    return new Map(rows.map((row) => [row.partition, Number(row.high)]))
  }

  /** Partition → id of the broker that leads it; -1 for none. */
  async leaders(name: string): Promise<Map<number, number>> {
    return new Map((await this.#partitions(name)).map((one) => [one.partition, one.leader]))
  }

  /**
   * Makes `broker` lead a partition it holds a replica of; the replicas stay what they were.
   * Resolves when every broker knows it.
   */
  async moveLeader(name: string, partition: number, broker: number): Promise<void> {
    const before = (await this.#partitions(name)).find((one) => one.partition === partition)
    if (before?.replicas.includes(broker) !== true) {
      throw new Error(`broker ${broker} holds no replica of ${name}-${partition}`)
    }
    // A leader that is no replica any more gives up at once: first the new one alone, then all again.
    await this.#reassign(name, partition, [broker])
    const others = before.replicas.filter((one) => one !== broker)
    await this.#reassign(name, partition, [broker, ...others])
    await this.#untilAllSee(name, `broker ${broker} leads ${partition}`, (partitions) =>
      partitions.some((one) => one.partition === partition && one.leader === broker),
    )
  }

  /** Ids of the brokers that are alive, as the controller sees it. */
  async liveBrokers(): Promise<number[]> {
    const { brokers } = await this.#admin((admin) => admin.describeCluster())
    return brokers.map((broker) => broker.nodeId).sort()
  }

  /** Runs a tool of Kafka's own against this cluster (`--bootstrap-server` is given); resolves with what it printed. */
  cli(tool: Exclude<KafkaTool, 'storage' | 'dump-log'>, args: readonly string[]): Promise<string> {
    return kafkaCli(tool, ['--bootstrap-server', this.bootstrap, ...args])
  }

  async #reassign(topic: string, partition: number, replicas: number[]): Promise<void> {
    await this.#admin(async (admin) => {
      await admin.alterPartitionReassignments({
        topics: [{ topic, partitionAssignment: [{ partition, replicas }] }],
      })
      await until(`replicas of ${topic}-${partition} are ${replicas}`, async () => {
        const running = await admin.listPartitionReassignments({
          topics: [{ topic, partitions: [partition] }],
        })
        return running.topics.length === 0
      })
    })
    await this.#untilAllSee(topic, `${partition} is in sync on ${replicas}`, (partitions) =>
      partitions.some(
        (one) => one.partition === partition && one.inSync.length === replicas.length,
      ),
    )
  }

  async #untilLed(topic: string, count: number): Promise<void> {
    await this.#untilAllSee(
      topic,
      `all ${count} partitions have a leader`,
      (partitions) => partitions.length === count && partitions.every((one) => one.leader >= 0),
    )
    // The metadata may name a leader before that knows it; kafkajs then sends all of a batch twice.
    const served = async () => (await this.endOffsets(topic)).size === count
    await until(`the leaders of ${topic} serve it`, served, 180_000)
  }

  async #untilAllSee(
    topic: string,
    what: string,
    holds: (partitions: readonly PartitionView[]) => boolean,
  ): Promise<void> {
    await until(`${topic}: ${what}`, async () => {
      const { answering, views } = await viewsOf(this.bootstrap, topic)
      return answering > 0 && views.length === answering && views.every(holds)
    })
  }

  /** As one of the brokers sees it. */
  #partitions(topic: string): Promise<readonly PartitionView[]> {
    return until(
      `a broker knows ${topic}`,
      async () => (await viewsOf(this.bootstrap, topic)).views[0],
    )
  }

  async #admin<T>(use: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = kafkaJs(this.address).admin()
    await admin.connect()
    try {
      return await use(admin)
    } finally {
      await admin.disconnect()
    }
  }
}
