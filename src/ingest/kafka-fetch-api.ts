import { createAPI, fetchV13, protocolErrorsCodesById, type Reader } from '@platformatic/kafka'
import type { FetchedPartition, FetchRequest } from './kafka-network.ts'
import type { RecordBuffers } from './kafka-record-buffers.ts'
import type { AbortedTransaction } from './source.ts'

interface FetchAnswer {
  /** Of the whole request. */
  readonly error: string | undefined
  readonly partitions: readonly FetchedPartition[]
}

/** Oldest version that names topics by their id: a topic that was created anew is never mistaken for the old one. Kafka 3.1. */
export const FETCH_API = { key: 1, version: 13 } as const

const noSession = { id: 0, epoch: -1 } as const

/**
 * Fetch with the library's request and its own reading of the answer: the record batches are left as they came, in memory
 * of `buffers`.
 * Source: https://kafka.apache.org/protocol#The_Messages_Fetch
 */
export function createFetchApi(buffers: RecordBuffers) {
  return createAPI<[request: FetchRequest], FetchAnswer>(
    FETCH_API.key,
    FETCH_API.version,
    createRequest,
    (_correlationId, _apiKey, _apiVersion, reader) => parseAnswer(reader, buffers),
  )
}

function createRequest(request: FetchRequest) {
  const topics = new Map<string, Parameters<typeof fetchV13.createRequest>[6][number]>()
  for (const one of request.partitions) {
    const topic = topics.get(one.topicId) ?? { topicId: one.topicId, partitions: [] }
    topics.set(one.topicId, topic)
    topic.partitions.push({
      partition: one.partition,
      currentLeaderEpoch: one.leaderEpoch,
      fetchOffset: BigInt(one.offset),
      lastFetchedEpoch: -1,
      partitionMaxBytes: one.maxBytes,
    })
  }
  return fetchV13.createRequest(
    request.maxWaitMs,
    1,
    request.maxBytes,
    request.isolation === 'read_committed' ? 1 : 0,
    noSession.id,
    noSession.epoch,
    [...topics.values()],
    [],
    '',
  )
}

function parseAnswer(reader: Reader, buffers: RecordBuffers): FetchAnswer {
  reader.skip(4)
  const error = errorName(reader.readInt16())
  reader.skip(4)
  const partitions: FetchedPartition[] = []
  for (let topics = arrayLength(reader); topics > 0; topics--) {
    const topicId = reader.readUUID()
    for (let left = arrayLength(reader); left > 0; left--) {
      partitions.push(parsePartition(reader, topicId, buffers))
    }
    skipTags(reader)
  }
  return { error, partitions }
}

function parsePartition(reader: Reader, topicId: string, buffers: RecordBuffers): FetchedPartition {
  const partition = reader.readInt32()
  const error = errorName(reader.readInt16())
  const highWatermark = Number(reader.readInt64())
  const lastStableOffset = Number(reader.readInt64())
  reader.skip(8)
  const aborted: AbortedTransaction[] = []
  for (let left = arrayLength(reader); left > 0; left--) {
    const producerId = reader.readInt64()
    aborted.push({ producerId, firstOffset: Number(reader.readInt64()) })
    skipTags(reader)
  }
  reader.skip(4)
  const size = arrayLength(reader)
  let records: Buffer | undefined
  if (size > 0) {
    const { buffers: chunks } = reader.buffer.subarray(reader.position, reader.position + size)
    records = buffers.copyOf(chunks, size)
    reader.skip(size)
  }
  skipTags(reader)
  return { topicId, partition, error, highWatermark, lastStableOffset, aborted, records }
}

/** Length of a compact array or of compact bytes; null counts as empty. */
function arrayLength(reader: Reader): number {
  return Math.max(0, reader.readUnsignedVarInt() - 1)
}

/** The library takes the number of tagged fields for their length; brokers do send them here (the new leader). */
function skipTags(reader: Reader): void {
  for (let left = reader.readUnsignedVarInt(); left > 0; left--) {
    reader.readUnsignedVarInt()
    reader.skip(reader.readUnsignedVarInt())
  }
}

/** The protocol's name of an error code; undefined for none. */
export function errorName(code: number): string | undefined {
  return code === 0 ? undefined : (protocolErrorsCodesById[code] ?? `ERROR_${code}`)
}
