import { WardenError } from '../core/errors.ts'
import { type EpochMs, epochMs, MIN_TIME } from '../core/time.ts'
import { readBatchHeaders } from './kafka-batch-headers.ts'
import {
  type OffsetAnswer,
  type OffsetQuestion,
  type PartitionMetadata,
  partitionName,
} from './kafka-network.ts'
import type { KafkaReading, KafkaStart } from './kafka-reading.ts'

/** A partition to be started, and who leads it. */
export interface Unstarted extends PartitionMetadata {
  readonly topic: string
  readonly topicId: string
}

export interface StartPoint {
  readonly offset: number
  /** See `PartitionStatus.readFrom`. */
  readonly readFrom: EpochMs
}

/** Where partitions without a checkpoint start, in their order. Rejects with `source_unreachable` (retry) while one has no leader. */
export async function findStartPoints(
  reading: KafkaReading,
  partitions: readonly Unstarted[],
  from: KafkaStart,
): Promise<readonly StartPoint[]> {
  if (partitions.length === 0) return []
  const now = reading.clock.now()
  const earliest = await askOffsets(reading, partitions, 'earliest')
  const wanted = await wantedStarts(reading, partitions, from, earliest)
  return Promise.all(
    partitions.map(async (one, i): Promise<StartPoint> => {
      const { offset, timestamp } = wanted[i] ?? { offset: 0, timestamp: undefined }
      if (offset === 0 && earliest[i] === 0) return { offset, readFrom: MIN_TIME }
      if (from === 'latest') return { offset, readFrom: now }
      const first = timestamp ?? (await timestampAt(reading, one, offset))
      return { offset, readFrom: first ?? now }
    }),
  )
}

interface WantedStart {
  readonly offset: number
  /** Of the record there, where the broker said it. */
  readonly timestamp: EpochMs | undefined
}

async function wantedStarts(
  reading: KafkaReading,
  partitions: readonly Unstarted[],
  from: KafkaStart,
  earliest: readonly number[],
): Promise<readonly WantedStart[]> {
  const plain = (offsets: readonly number[]): WantedStart[] =>
    offsets.map((offset) => ({ offset, timestamp: undefined }))
  if (from === 'earliest') return plain(earliest)
  if (from === 'latest') return plain(await askOffsets(reading, partitions, 'latest'))
  if (from === 'committed') return plain(await committedOr(reading, partitions, earliest))
  const found = await ask(reading, partitions, from.timestamp)
  const ends = await askOffsets(reading, partitions, 'latest')
  return found.map((answer, i) => {
    if (answer.kind !== 'found') return { offset: ends[i] ?? 0, timestamp: undefined }
    return { offset: answer.offset, timestamp: epochMs(answer.timestamp) }
  })
}

async function committedOr(
  reading: KafkaReading,
  partitions: readonly Unstarted[],
  earliest: readonly number[],
): Promise<number[]> {
  const { group } = reading.settings
  if (group === undefined) {
    throw new WardenError('config_invalid', `a start from committed offsets needs a group`)
  }
  const committed = await reading.network.committed(group, partitions)
  const missing = partitions.map(partitionName).filter((name) => !committed.has(name))
  if (missing.length > 0) {
    const fields = { group, partitions: missing.slice(0, 5), count: missing.length }
    reading.logger.warn(fields, 'no committed offset: reading from the beginning')
  }
  return partitions.map((one, i) => committed.get(partitionName(one)) ?? earliest[i] ?? 0)
}

/** Offsets in the order of the partitions; rejects with `source_unreachable` when one is not to be had. */
export async function askOffsets(
  reading: KafkaReading,
  partitions: readonly Unstarted[],
  at: 'earliest' | 'latest',
): Promise<readonly number[]> {
  const answers = await ask(reading, partitions, at)
  return answers.map((answer) => (answer.kind === 'found' ? answer.offset : 0))
}

async function ask(
  reading: KafkaReading,
  partitions: readonly Unstarted[],
  at: OffsetQuestion['at'],
): Promise<readonly OffsetAnswer[]> {
  const leaderless = partitions.find((one) => one.leader < 0)
  if (leaderless !== undefined) {
    throw new WardenError('source_unreachable', `${partitionName(leaderless)} has no leader`)
  }
  const questions = partitions.map(({ topic, partition, leader }) => ({
    topic,
    partition,
    leader,
    at,
  }))
  const answers = await reading.network.offsets(reading.settings.isolation, questions)
  answers.forEach((answer, i) => {
    if (answer.kind !== 'failed') return
    const name = partitionName(questions[i] ?? { topic: '', partition: i })
    throw new WardenError('source_unreachable', `offsets of ${name}: ${answer.error}`)
  })
  return answers
}

/**
 * Timestamp of the record at `offset`, or one not before it (of a batch that begins before the offset only the largest
 * is known); undefined when there is no record.
 */
export async function timestampAt(
  reading: KafkaReading,
  one: Unstarted,
  offset: number,
): Promise<EpochMs | undefined> {
  const { topic, topicId, partition, leaderEpoch } = one
  const [answer] = await reading.network.fetch(one.leader, {
    isolation: reading.settings.isolation,
    maxWaitMs: 0,
    maxBytes: 1,
    partitions: [{ topic, topicId, partition, leaderEpoch, offset, maxBytes: 1 }],
  })
  if (answer?.records === undefined) return undefined
  const headers = readBatchHeaders(answer.records)
  if (headers.nextOffset < 0) return undefined
  const isInside = headers.firstOffset < offset
  const timestamp = isInside ? headers.firstMaxTimestamp : headers.firstTimestamp
  return timestamp > 0 ? epochMs(timestamp) : undefined
}
