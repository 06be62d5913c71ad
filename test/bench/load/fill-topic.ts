import { type KafkaCluster, kafkaJs } from '../../support/kafka-cluster.ts'
import { type Counts, ExpectedCounts } from './expected-counts.ts'
import { type LoadSpec, recordsOf, topicOf } from './load-spec.ts'
import { LoanDocuments } from './loan-document.ts'
import { loanEvents } from './loan-events.ts'
import { RecordBatchWriter } from './record-batch-writer.ts'
import { TopicWriter } from './topic-writer.ts'

export const compressions = ['none', 'gzip', 'lz4', 'snappy', 'zstd'] as const
export type Compression = (typeof compressions)[number]

/** Kafka's default `batch.size`: what its own producers send under load. */
const batchBytes = 16 * 1024

/** A topic with all the events of a spec, and what is to be counted. */
export interface FilledTopic {
  readonly name: string
  readonly records: number
  readonly expected: Counts
}

/** Makes the topic unless it is there with all its records; counts what must be found in any case. */
export async function provideTopic(
  cluster: KafkaCluster,
  spec: LoadSpec,
  compression: Compression,
): Promise<FilledTopic> {
  const startedAt = performance.now()
  const name = topicOf(spec, compression)
  const records = recordsOf(spec)
  const expected = new ExpectedCounts(spec)
  const there = await recordsIn(cluster, name)
  if (there === records) {
    for (const event of loanEvents(spec)) expected.add(event)
  } else {
    if (there !== undefined) await cluster.deleteTopic(name)
    // The broker compresses what it takes, as large as the batches come.
    const config = compression === 'none' ? {} : { 'compression.type': compression }
    await cluster.createTopic(name, spec.partitions, config)
    await fill(cluster.bootstrap, name, spec, expected)
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.error(`${records} records written to ${name} in ${seconds} s`)
  }
  return { name, records, expected: expected.counts() }
}

/** Undefined when there is no such topic. */
async function recordsIn(cluster: KafkaCluster, topic: string): Promise<number | undefined> {
  const admin = kafkaJs(cluster.address).admin()
  await admin.connect()
  try {
    if (!(await admin.listTopics()).includes(topic)) return undefined
    const ends = await admin.fetchTopicOffsets(topic)
    return ends.reduce((sum, { high }) => sum + Number(high), 0)
  } finally {
    await admin.disconnect()
  }
}

async function fill(
  bootstrap: string,
  topic: string,
  spec: LoadSpec,
  expected: ExpectedCounts,
): Promise<void> {
  const documents = new LoanDocuments(spec)
  const perBatch = Math.max(1, Math.floor(batchBytes / (spec.bytes || 312)))
  const batches = Array.from({ length: spec.partitions }, () => new RecordBatchWriter())
  const writer = await TopicWriter.connect(bootstrap, topic)
  let full: { partition: number; bytes: Buffer }[] = []
  try {
    for (const event of loanEvents(spec)) {
      expected.add(event)
      const batch = batches[event.partition] as RecordBatchWriter
      batch.add(documents.text(event), event.timestamp)
      if (batch.records < perBatch) continue
      // A request takes one batch of a partition.
      const isTaken = full.some(({ partition }) => partition === event.partition)
      if (isTaken || full.length === spec.partitions) {
        await writer.send(full)
        full = []
      }
      full.push({ partition: event.partition, bytes: batch.take() })
    }
    await writer.send(full)
    const rest = batches.flatMap((batch, partition) =>
      batch.records > 0 ? [{ partition, bytes: batch.take() }] : [],
    )
    await writer.send(rest)
    await writer.flush()
  } finally {
    await writer.close()
  }
}
