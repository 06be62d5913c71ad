import { WardenError } from '../../src/core/errors.ts'
import type { Clock } from '../../src/core/telemetry.ts'
import type {
  CommitOutcome,
  FetchedPartition,
  FetchRequest,
  GroupOffset,
  Isolation,
  KafkaMetadata,
  KafkaNetwork,
  OffsetAnswer,
  OffsetQuestion,
  TopicMetadata,
  TopicPartition,
} from '../../src/ingest/kafka-network.ts'

interface LoggedBatch {
  readonly first: number
  readonly next: number
  readonly timestamp: number
  readonly bytes: Buffer
}

/** A partition of the scripted cluster; tests change it at will. */
export class ScriptedPartition {
  leader = 1
  epoch = 0
  start = 0
  batches: LoggedBatch[] = []
  /** Below the end while a transaction is open. */
  lastStable: number | undefined
  /** What a fetch is answered instead. */
  error: string | undefined
  /** Says that it has records and gives none. */
  isBarren = false

  get end(): number {
    return this.batches.at(-1)?.next ?? this.start
  }

  /** Appends a record batch of `records` records (their bytes are zero) and `bytes` bytes. */
  append(records: number, timestamp: number, bytes = 100): void {
    const first = this.end
    this.batches.push({
      first,
      next: first + records,
      timestamp,
      bytes: header(first, records, timestamp, bytes),
    })
  }
}

interface Waiting {
  readonly node: number
  readonly reject: (error: Error) => void
  readonly look: () => void
}

/** A Kafka cluster in memory that fails as told. Fetches wait for records on the test's clock. */
export class ScriptedKafka implements KafkaNetwork {
  readonly topics = new Map<string, { id: string; partitions: ScriptedPartition[] }>()
  readonly commits: (readonly GroupOffset[])[] = []
  readonly fetches: { readonly node: number; readonly request: FetchRequest }[] = []
  readonly disconnects: number[] = []
  readonly committedOffsets = new Map<string, number>()
  clusterId = 'cluster'
  commitOutcome: CommitOutcome = { kind: 'committed' }
  /** Nodes that refuse connections. */
  readonly down = new Set<number>()
  /** Nodes that take a fetch and never answer. */
  readonly silent = new Set<number>()
  metadataError: WardenError | undefined
  isClosed = false
  readonly #clock: Clock
  readonly #waiting = new Set<Waiting>()
  #nextId = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Creates a topic, anew when there is one. */
  create(name: string, partitions: number): ScriptedPartition[] {
    const created = Array.from({ length: partitions }, () => new ScriptedPartition())
    this.topics.set(name, { id: `id-${this.#nextId++}`, partitions: created })
    return created
  }

  partition(topic: string, partition: number): ScriptedPartition {
    const found = this.topics.get(topic)?.partitions[partition]
    if (found === undefined) throw new Error(`no partition ${topic}-${partition}`)
    return found
  }

  /** Answers waiting fetches that have something to say now. */
  poke(): void {
    for (const one of this.#waiting) one.look()
  }

  async metadata(topics: readonly string[]): Promise<KafkaMetadata> {
    if (this.metadataError !== undefined) throw this.metadataError
    const found = new Map<string, TopicMetadata>()
    for (const name of topics) {
      const topic = this.topics.get(name)
      const partitions = (topic?.partitions ?? []).map((one, partition) => ({
        partition,
        leader: one.leader,
        leaderEpoch: one.epoch,
      }))
      const error = topic === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : undefined
      found.set(name, { topicId: topic?.id ?? '', error, partitions })
    }
    return { clusterId: this.clusterId, topics: found }
  }

  async topicNames(): Promise<readonly string[]> {
    return [...this.topics.keys()]
  }

  async offsets(
    isolation: Isolation,
    questions: readonly OffsetQuestion[],
  ): Promise<readonly OffsetAnswer[]> {
    return questions.map(({ topic, partition, at }): OffsetAnswer => {
      const one = this.partition(topic, partition)
      if (at === 'earliest') return { kind: 'found', offset: one.start, timestamp: -1 }
      if (at === 'latest') {
        const end = isolation === 'read_committed' ? (one.lastStable ?? one.end) : one.end
        return { kind: 'found', offset: end, timestamp: -1 }
      }
      const found = one.batches.find((batch) => batch.timestamp >= at)
      if (found === undefined) return { kind: 'none' }
      return { kind: 'found', offset: found.first, timestamp: found.timestamp }
    })
  }

  async committed(
    _group: string,
    partitions: readonly TopicPartition[],
  ): Promise<Map<string, number>> {
    const names = partitions.map((one) => `${one.topic}-${one.partition}`)
    return new Map([...this.committedOffsets].filter(([name]) => names.includes(name)))
  }

  async commit(_group: string, offsets: readonly GroupOffset[]): Promise<CommitOutcome> {
    this.commits.push(offsets)
    return this.commitOutcome
  }

  fetch(node: number, request: FetchRequest): Promise<readonly FetchedPartition[]> {
    this.fetches.push({ node, request })
    if (this.down.has(node)) return Promise.reject(unreachable(node, 'connection refused'))
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        cancel()
        this.#waiting.delete(waiting)
      }
      const look = (isLate = false): void => {
        if (this.silent.has(node)) return
        const answer = this.#answer(node, request)
        if (!isLate && answer.every((one) => one.error === undefined && !one.records)) return
        finish()
        resolve(answer)
      }
      const waiting: Waiting = {
        node,
        look,
        reject: (error) => {
          finish()
          reject(error)
        },
      }
      const cancel = this.#clock.after(request.maxWaitMs, () => look(true))
      this.#waiting.add(waiting)
      look(request.maxWaitMs === 0)
    })
  }

  /** Whoever still reads them reads nonsense. */
  release(records: Buffer): void {
    records.fill(0xee)
  }

  disconnect(node: number): void {
    this.disconnects.push(node)
    for (const one of this.#waiting) {
      if (one.node === node) one.reject(unreachable(node, 'connection closed'))
    }
  }

  async close(): Promise<void> {
    this.isClosed = true
    for (const one of this.#waiting) one.reject(unreachable(one.node, 'closed'))
  }

  /** As a broker does: in the order asked, within the bytes allowed, but the first batch of all always whole. */
  #answer(node: number, request: FetchRequest): FetchedPartition[] {
    let left = request.maxBytes
    let isFirst = true
    return request.partitions.map((asked) => {
      const topic = [...this.topics.values()].find((one) => one.id === asked.topicId)
      const one = topic?.partitions[asked.partition]
      const nothing = { ...emptyAnswer, topicId: asked.topicId, partition: asked.partition }
      if (one === undefined) return { ...nothing, error: 'UNKNOWN_TOPIC_ID' }
      if (one.leader !== node) return { ...nothing, error: 'NOT_LEADER_OR_FOLLOWER' }
      if (one.error !== undefined) return { ...nothing, error: one.error }
      if (asked.offset < one.start || asked.offset > one.end) {
        return { ...nothing, error: 'OFFSET_OUT_OF_RANGE' }
      }
      const lastStableOffset = one.lastStable ?? one.end
      const end = request.isolation === 'read_committed' ? lastStableOffset : one.end
      const readable = one.batches.filter((b) => b.next > asked.offset && b.first < end)
      const all = Buffer.concat(one.isBarren ? [] : readable.map((batch) => batch.bytes))
      const first = readable[0]?.bytes.length ?? 0
      const limit = Math.max(isFirst ? first : 0, Math.min(left, asked.maxBytes))
      const records = all.length === 0 ? undefined : all.subarray(0, limit)
      if (records !== undefined) isFirst = false
      left = Math.max(0, left - (records?.length ?? 0))
      return { ...nothing, highWatermark: one.end, lastStableOffset, records }
    })
  }
}

const emptyAnswer = {
  error: undefined,
  highWatermark: -1,
  lastStableOffset: -1,
  aborted: [],
  records: undefined,
}

function unreachable(node: number, why: string): WardenError {
  return new WardenError('source_unreachable', `broker ${node}: ${why}`)
}

function header(first: number, records: number, timestamp: number, bytes: number): Buffer {
  const batch = Buffer.alloc(Math.max(61, bytes))
  batch.writeBigInt64BE(BigInt(first), 0)
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt8(2, 16)
  batch.writeInt32BE(records - 1, 23)
  batch.writeBigInt64BE(BigInt(timestamp), 27)
  batch.writeBigInt64BE(BigInt(timestamp), 35)
  batch.writeInt32BE(records, 57)
  return batch
}
