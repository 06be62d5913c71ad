import { type EpochMs, epochMs, MIN_TIME } from '../core/time.ts'
import type { BatchHeaders } from './kafka-batch-headers.ts'
import { type FetchedPartition, type PartitionMetadata, partitionName } from './kafka-network.ts'
import type { PartitionPosition, PartitionStatus, SourceBatch } from './source.ts'

export interface KafkaPartitionStart {
  readonly topic: string
  readonly partition: number
  readonly index: number
  readonly offset: number
  /** `<clusterId>/<topicId>`: what the offset counts in. */
  readonly identity: string
  readonly readFrom: EpochMs
}

export const identityOf = (clusterId: string, topicId: string): string => `${clusterId}/${topicId}`

/** One partition: where it is read, what is buffered of it, and what is known of its end. */
export class KafkaPartition implements PartitionStatus {
  readonly topic: string
  readonly partition: number
  readonly name: string
  readonly index: number
  readonly readFrom: EpochMs
  /** Node id; -1 while there is none. */
  leader = -1
  leaderEpoch = -1
  /** Next record to ask for: ahead of `position` by what is buffered. */
  fetchOffset: number
  /** What `fetchOffset` counts in. */
  identity: string
  bufferedBytes = 0
  /** A fetch for it is under way. */
  isAsked = false
  /** Not asked for before metadata says again who leads it. */
  isStale = false
  /** The broker has no record at `fetchOffset`. */
  isOutOfRange = false
  /** Since when the topic is not there. */
  goneSince: EpochMs | undefined
  /** Order of the last delivery among all partitions: who waited longest is asked first. */
  servedAt = 0
  /** Since when it is asked and gives nothing although records wait. */
  waitingSince: EpochMs | undefined
  /** Since when it is not asked although it could be. */
  pausedSince: EpochMs | undefined
  trouble: string | undefined
  #position: PartitionPosition
  #held = false
  #end: number | undefined
  #caughtUpAt: EpochMs | undefined
  #lost: { from: EpochMs; to: EpochMs } | undefined
  #lastTimestamp: number = MIN_TIME
  readonly #queue: { readonly batch: SourceBatch; readonly identity: string }[] = []

  constructor(start: KafkaPartitionStart) {
    this.topic = start.topic
    this.partition = start.partition
    this.name = partitionName(start)
    this.index = start.index
    this.readFrom = start.readFrom
    this.fetchOffset = start.offset
    this.identity = start.identity
    this.#position = { offset: start.offset, identity: start.identity }
  }

  get position(): PartitionPosition {
    return this.#position
  }

  get topicId(): string {
    return this.identity.slice(this.identity.indexOf('/') + 1)
  }

  get caughtUpAt(): EpochMs | undefined {
    return this.#held || this.trouble !== undefined ? undefined : this.#caughtUpAt
  }

  get lag(): number | undefined {
    return this.#end === undefined ? undefined : Math.max(0, this.#end - this.#position.offset)
  }

  get lost(): { readonly from: EpochMs; readonly to: EpochMs } | undefined {
    return this.#lost
  }

  get held(): boolean {
    return this.#held
  }

  set held(held: boolean) {
    this.#held = held
    this.#caughtUpAt = undefined
    this.waitingSince = undefined
  }

  get hasBatch(): boolean {
    return this.#queue.length > 0
  }

  lead(by: PartitionMetadata): void {
    this.leader = by.leader
    this.leaderEpoch = by.leaderEpoch
    this.isStale = by.leader < 0
    if (by.leader < 0) this.suffer(`${this.name} has no leader`)
  }

  /** Says why it is not read; it is no longer known to stand at its end. */
  suffer(trouble: string): void {
    this.trouble = trouble
    this.#caughtUpAt = undefined
    this.waitingSince = undefined
  }

  /** A fetch succeeded; `end` is where the readable records end. A stall is over only when something came. */
  answered(end: number, now: EpochMs, cameRecords: boolean): void {
    this.#end = end
    if (cameRecords || this.fetchOffset >= end) this.trouble = undefined
    if (this.fetchOffset < end) return
    this.waitingSince = undefined
    if (this.#queue.length === 0) this.#caughtUpAt = now
  }

  buffer(answer: FetchedPartition, records: Buffer, headers: BatchHeaders): void {
    const batch: SourceBatch = {
      partition: this.index,
      framing: 'kafka-v2',
      bytes: headers.bytes === records.length ? records : records.subarray(0, headers.bytes),
      fromOffset: this.fetchOffset,
      nextOffset: headers.nextOffset,
      recordTimestamp: epochMs(0),
      aborted: answer.aborted,
    }
    this.#queue.push({ batch, identity: this.identity })
    this.fetchOffset = headers.nextOffset
    this.bufferedBytes += headers.bytes
    this.#lastTimestamp = headers.lastTimestamp > 0 ? headers.lastTimestamp : this.#lastTimestamp
    this.#caughtUpAt = undefined
    this.waitingSince = undefined
  }

  take(): SourceBatch | undefined {
    const taken = this.#queue.shift()
    if (taken === undefined) return undefined
    const { batch, identity } = taken
    this.bufferedBytes -= batch.bytes.length
    this.#position = { offset: batch.nextOffset, identity }
    // Behind the last batch before a loss the position is where reading went on.
    if (this.#queue.length === 0) this.#position = this.#fetchPosition()
    return batch
  }

  /**
   * Records were lost between what was read and `offset`: reading goes on there, and what is buffered stays.
   * @param until time of the first record at `offset`
   */
  skipTo(offset: number, identity: string, until: EpochMs): void {
    const from = Math.min(this.#lost?.from ?? until, this.#lastTimestamp, until)
    this.#lost = { from: epochMs(from), to: epochMs(Math.max(this.#lost?.to ?? until, until)) }
    this.identity = identity
    this.fetchOffset = offset
    if (this.#queue.length === 0) this.#position = this.#fetchPosition()
    this.#end = undefined
    this.#caughtUpAt = undefined
    this.isOutOfRange = false
    this.goneSince = undefined
  }

  #fetchPosition(): PartitionPosition {
    return { offset: this.fetchOffset, identity: this.identity }
  }

  /** Time it could have been asked and was not, since the last call; ms. */
  pausedMs(now: EpochMs, isPaused: boolean): number {
    const since = this.pausedSince
    this.pausedSince = isPaused ? now : undefined
    if (isPaused) this.waitingSince = undefined
    return since === undefined ? 0 : now - since
  }
}
