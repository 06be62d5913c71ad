import type { EpochMs } from '../core/time.ts'
import type { AbortedTransaction } from './source.ts'

export type Isolation = 'read_committed' | 'read_uncommitted'

/**
 * What reading asks of a Kafka cluster. Every call rejects with a WardenError; what is wrong with one topic or
 * partition is told in the answer, by the protocol's own name of the error (`NOT_LEADER_OR_FOLLOWER`).
 */
export interface KafkaNetwork {
  metadata(topics: readonly string[]): Promise<KafkaMetadata>
  /** All topics that this user may see, internal ones left out. */
  topicNames(): Promise<readonly string[]>
  /** One answer per question, in their order. */
  offsets(
    isolation: Isolation,
    questions: readonly OffsetQuestion[],
  ): Promise<readonly OffsetAnswer[]>
  /** Committed offsets of a group, those that there are, by `<topic>-<partition>`. */
  committed(group: string, partitions: readonly TopicPartition[]): Promise<Map<string, number>>
  /** Commits for a group without being its member. */
  commit(group: string, offsets: readonly GroupOffset[]): Promise<CommitOutcome>
  /** One fetch at a time and node, on a connection that serves nothing else. */
  fetch(node: number, request: FetchRequest): Promise<readonly FetchedPartition[]>
  /** The records of a fetched partition are not needed any more: a later fetch writes into their memory. */
  release(records: Buffer): void
  /** Closes the connection on which `fetch` talks to that node: what is under way rejects, the next fetch connects anew. */
  disconnect(node: number): void
  close(): Promise<void>
}

export interface KafkaMetadata {
  readonly clusterId: string
  /** Name → what is known of it. */
  readonly topics: ReadonlyMap<string, TopicMetadata>
}

export interface TopicMetadata {
  readonly topicId: string
  /** undefined when all is well. */
  readonly error: string | undefined
  readonly partitions: readonly PartitionMetadata[]
}

export interface PartitionMetadata {
  readonly partition: number
  /** Node id; -1 for none. */
  readonly leader: number
  readonly leaderEpoch: number
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface OffsetQuestion extends TopicPartition {
  readonly leader: number
  /** `latest` is the last stable offset when committed records are read. A time: the first record at or after it. */
  readonly at: 'earliest' | 'latest' | EpochMs
}

export type OffsetAnswer =
  | {
      readonly kind: 'found'
      readonly offset: number
      /** Timestamp of the record found by time; -1 otherwise. */
      readonly timestamp: number
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly error: string }

export interface GroupOffset extends TopicPartition {
  readonly offset: number
}

/** `busy`: the group has members of its own, which alone may commit. */
export type CommitOutcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'busy' }
  | { readonly kind: 'failed'; readonly error: string }

export interface FetchRequest {
  readonly isolation: Isolation
  readonly maxWaitMs: number
  /** Bound of the whole answer; the first batch of the first partition with data always comes. */
  readonly maxBytes: number
  readonly partitions: readonly FetchPartition[]
}

export interface FetchPartition extends TopicPartition {
  readonly topicId: string
  readonly leaderEpoch: number
  readonly offset: number
  readonly maxBytes: number
}

export interface FetchedPartition {
  readonly topicId: string
  readonly partition: number
  readonly error: string | undefined
  readonly highWatermark: number
  /** First offset of the oldest open transaction, else the high watermark. */
  readonly lastStableOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** Record batches as they came, the last one maybe cut off; undefined for none. Nobody else writes into it before its release. */
  readonly records: Buffer | undefined
}

export const partitionName = (one: TopicPartition): string => `${one.topic}-${one.partition}`
