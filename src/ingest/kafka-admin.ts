import {
  apiVersionsV3,
  type Connection,
  findCoordinatorV4,
  listOffsetsV6,
  metadataV12,
  offsetCommitV8,
  offsetFetchV8,
} from '@platformatic/kafka'
import { WardenError } from '../core/errors.ts'
import { KafkaConnections, type KafkaConnectOptions, nameOf } from './kafka-connections.ts'
import { classifyKafkaError, isRefusal } from './kafka-errors.ts'
import { createFetchApi, errorName, FETCH_API } from './kafka-fetch-api.ts'
import {
  type CommitOutcome,
  type FetchedPartition,
  type FetchRequest,
  type GroupOffset,
  type Isolation,
  type KafkaMetadata,
  type KafkaNetwork,
  type OffsetAnswer,
  type OffsetQuestion,
  partitionName,
  type TopicMetadata,
  type TopicPartition,
} from './kafka-network.ts'
import { RecordBuffers } from './kafka-record-buffers.ts'

/** The group has members, or is about to. */
const memberErrors = new Set([
  'UNKNOWN_MEMBER_ID',
  'ILLEGAL_GENERATION',
  'REBALANCE_IN_PROGRESS',
  'STALE_MEMBER_EPOCH',
  'FENCED_MEMBER_EPOCH',
])
const coordinatorMoved = new Set(['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE'])

/** The cluster through the public connections and APIs of @platformatic/kafka, never through a consumer group. */
export class KafkaAdmin implements KafkaNetwork {
  readonly #connections: KafkaConnections
  readonly #buffers = new RecordBuffers()
  readonly #fetch = createFetchApi(this.#buffers)
  #versionChecked = false
  #coordinator: number | undefined

  constructor(options: KafkaConnectOptions) {
    this.#connections = new KafkaConnections(options)
  }

  async metadata(topics: readonly string[]): Promise<KafkaMetadata> {
    return this.#onAny((connection) => this.#metadata(connection, [...topics]))
  }

  async topicNames(): Promise<readonly string[]> {
    const all = await this.#onAny((connection) => this.#metadata(connection, null))
    return [...all.topics.keys()].filter((name) => !name.startsWith('__'))
  }

  async offsets(
    isolation: Isolation,
    questions: readonly OffsetQuestion[],
  ): Promise<readonly OffsetAnswer[]> {
    const answers = new Map<OffsetQuestion, OffsetAnswer>()
    for (const leader of new Set(questions.map((one) => one.leader))) {
      const asked = questions.filter((one) => one.leader === leader)
      const got = await this.#onNode(leader, (connection) =>
        this.#offsets(connection, isolation, asked),
      )
      for (const one of asked) {
        const answer = got.get(partitionName(one))
        answers.set(one, answer ?? { kind: 'failed', error: 'UNKNOWN_TOPIC_OR_PARTITION' })
      }
    }
    return questions.map((one) => answers.get(one) ?? { kind: 'none' })
  }

  async committed(
    group: string,
    partitions: readonly TopicPartition[],
  ): Promise<Map<string, number>> {
    const topics = [...byTopic(partitions)].map(([name, of]) => ({
      name,
      partitionIndexes: of.map((one) => one.partition),
    }))
    const found = new Map<string, number>()
    const coordinator = await this.#findCoordinator(group)
    await this.#onNode(coordinator, async (connection) => {
      // The fields that this version of the request leaves out are of its newer ones.
      const groups = [{ groupId: group, topics }] as Parameters<
        typeof offsetFetchV8.createRequest
      >[0]
      const answer = await this.#connections.call(connection, offsetFetchV8.api, groups, true)
      for (const topic of answer.groups[0]?.topics ?? []) {
        for (const one of topic.partitions) {
          const name = partitionName({ topic: topic.name, partition: one.partitionIndex })
          if (one.committedOffset >= 0n) found.set(name, Number(one.committedOffset))
        }
      }
    })
    return found
  }

  async commit(group: string, offsets: readonly GroupOffset[]): Promise<CommitOutcome> {
    const topics = [...byTopic(offsets)].map(([name, of]) => ({
      name,
      partitions: of.map((one) => ({
        partitionIndex: one.partition,
        committedOffset: BigInt(one.offset),
        committedLeaderEpoch: -1,
        committedMetadata: null,
      })),
    }))
    this.#coordinator ??= await this.#findCoordinator(group)
    try {
      return await this.#onNode(this.#coordinator, async (connection) => {
        const commit = offsetCommitV8.api
        const answer = await partial(
          this.#connections.call(connection, commit, group, -1, '', null, topics),
        )
        const errors = answer.topics.flatMap((topic) => topic.partitions.map((p) => p.errorCode))
        const error = errorName(errors.find((code) => code !== 0) ?? 0)
        if (error === undefined) return { kind: 'committed' }
        if (coordinatorMoved.has(error)) this.#coordinator = undefined
        return memberErrors.has(error) ? { kind: 'busy' } : { kind: 'failed', error }
      })
    } catch (error) {
      this.#coordinator = undefined
      throw error
    }
  }

  async fetch(node: number, request: FetchRequest): Promise<readonly FetchedPartition[]> {
    const connections = this.#connections
    try {
      const connection = await connections.node(node, 'fetch')
      const answer = await connections.call(connection, this.#fetch, request)
      if (answer.error === undefined) return answer.partitions
      const code = isRefusal(answer.error) ? 'source_auth' : 'source_unreachable'
      throw new WardenError(code, `Kafka broker ${connections.nameOf(node)}: ${answer.error}`)
    } catch (error) {
      throw classifyKafkaError(error, connections.nameOf(node))
    }
  }

  release(records: Buffer): void {
    this.#buffers.giveBack(records)
  }

  disconnect(node: number): void {
    this.#connections.drop(node, 'fetch')
  }

  async close(): Promise<void> {
    this.#connections.close()
  }

  async #metadata(connection: Connection, topics: string[] | null): Promise<KafkaMetadata> {
    if (!this.#versionChecked) await this.#checkVersion(connection)
    const answer = await partial(
      this.#connections.call(connection, metadataV12.api, topics, false, false),
    )
    this.#connections.learn(new Map(answer.brokers.map((broker) => [broker.nodeId, broker])))
    const found = new Map<string, TopicMetadata>()
    for (const topic of answer.topics) {
      const partitions = topic.partitions
        .map((one) => ({
          partition: one.partitionIndex,
          leader: one.leaderId,
          leaderEpoch: one.leaderEpoch,
        }))
        .sort((a, b) => a.partition - b.partition)
      const { topicId } = topic
      found.set(topic.name ?? '', { topicId, error: errorName(topic.errorCode), partitions })
    }
    return { clusterId: answer.clusterId ?? '', topics: found }
  }

  async #checkVersion(connection: Connection): Promise<void> {
    const { apiKeys } = await this.#connections.call(connection, apiVersionsV3.api, 'warden', '1')
    const fetch = apiKeys.find((one) => one.apiKey === FETCH_API.key)
    if (fetch === undefined || fetch.maxVersion < FETCH_API.version) {
      throw new WardenError(
        'source_unsupported',
        `Kafka broker ${nameOf(connection)} speaks Fetch up to version ${fetch?.maxVersion ?? 'none'}, Warden needs ${FETCH_API.version}: use Kafka 3.1 or newer`,
      )
    }
    this.#versionChecked = true
  }

  async #offsets(
    connection: Connection,
    isolation: Isolation,
    questions: readonly OffsetQuestion[],
  ): Promise<Map<string, OffsetAnswer>> {
    const topics = [...byTopic(questions)].map(([name, of]) => ({
      name,
      partitions: of.map((one) => ({
        partitionIndex: one.partition,
        currentLeaderEpoch: -1,
        timestamp: one.at === 'latest' ? -1n : one.at === 'earliest' ? -2n : BigInt(one.at),
      })),
    }))
    const level = isolation === 'read_committed' ? 1 : 0
    const answer = await partial(
      this.#connections.call(connection, listOffsetsV6.api, -1, level, topics),
    )
    const found = new Map<string, OffsetAnswer>()
    for (const topic of answer.topics) {
      for (const one of topic.partitions) {
        const name = partitionName({ topic: topic.name, partition: one.partitionIndex })
        const error = errorName(one.errorCode)
        if (error !== undefined) found.set(name, { kind: 'failed', error })
        else if (one.offset < 0n) found.set(name, { kind: 'none' })
        else {
          const [offset, timestamp] = [Number(one.offset), Number(one.timestamp)]
          found.set(name, { kind: 'found', offset, timestamp })
        }
      }
    }
    return found
  }

  async #findCoordinator(group: string): Promise<number> {
    return this.#onAny(async (connection) => {
      const answer = await this.#connections.call(connection, findCoordinatorV4.api, 0, [group])
      return answer.coordinators[0]?.nodeId ?? -1
    })
  }

  async #onAny<T>(run: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#connections.any()
    try {
      return await run(connection)
    } catch (error) {
      throw classifyKafkaError(error, nameOf(connection))
    }
  }

  async #onNode<T>(node: number, run: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      return await run(await this.#connections.node(node, 'control'))
    } catch (error) {
      throw classifyKafkaError(error, this.#connections.nameOf(node))
    }
  }
}

/** The library throws away an answer of which a part failed; it is in the error. */
async function partial<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const isAnswer = error instanceof Error && 'code' in error && error.code === 'PLT_KFK_RESPONSE'
    if (isAnswer && 'response' in error) return error.response as T
    throw error
  }
}

function byTopic<T extends TopicPartition>(partitions: readonly T[]): Map<string, T[]> {
  const topics = new Map<string, T[]>()
  for (const one of partitions) {
    const known = topics.get(one.topic)
    if (known === undefined) topics.set(one.topic, [one])
    else known.push(one)
  }
  return topics
}
