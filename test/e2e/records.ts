import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Kafka, logLevel } from 'kafkajs'

export interface InputRecord {
  readonly partition: number
  readonly offset: number
  /** Epoch ms; 0 where the medium has none. */
  readonly timestamp: number
  /** undefined: a Kafka tombstone. */
  readonly value: Buffer | undefined
}

/** No new record for this long, before the end: something is wrong. */
const stallMs = 60_000

/**
 * Reads a topic from its beginning to the end it has now. The last record of a partition must be no transaction marker:
 * a reader of records never sees those.
 */
export async function readTopic(
  bootstrap: string,
  topic: string,
  take: (record: InputRecord) => void,
): Promise<void> {
  const kafka = new Kafka({
    clientId: 'brute-force',
    brokers: bootstrap.split(','),
    logLevel: logLevel.NOTHING,
  })
  const admin = kafka.admin()
  await admin.connect()
  const ends = new Map<number, number>()
  /** Partition → offset not taken yet. A slow group member is thrown out and reads again from the beginning. */
  const next = new Map<number, number>()
  try {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      if (Number(high) > Number(low)) ends.set(partition, Number(high))
    }
  } finally {
    await admin.disconnect()
  }
  if (ends.size === 0) return

  const consumer = kafka.consumer({
    groupId: `brute-force-${randomUUID()}`,
    maxWaitTimeInMs: 100,
    maxBytesPerPartition: 4 * 1024 * 1024,
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  try {
    await new Promise<void>((resolve, reject) => {
      const stalled = () => reject(new Error(`no record of ${topic} in ${stallMs} ms`))
      let timer = setTimeout(stalled, stallMs)
      consumer.on('consumer.crash', ({ payload }) => {
        clearTimeout(timer)
        reject(payload.error)
      })
      consumer
        .run({
          autoCommit: false,
          eachBatch: async ({ batch }) => {
            const end = ends.get(batch.partition) ?? 0
            for (const { offset, timestamp, value } of batch.messages) {
              if (Number(offset) >= end) break
              if (Number(offset) < (next.get(batch.partition) ?? 0)) continue
              next.set(batch.partition, Number(offset) + 1)
              take({
                partition: batch.partition,
                offset: Number(offset),
                timestamp: Number(timestamp),
                value: value ?? undefined,
              })
            }
            if (Number(batch.lastOffset()) + 1 >= end) ends.delete(batch.partition)
            clearTimeout(timer)
            if (ends.size === 0) resolve()
            else timer = setTimeout(stalled, stallMs)
          },
        })
        .catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
}

/** Reads a file of JSON lines; an empty line is no record. */
export async function readLines(
  file: string,
  partition: number,
  take: (record: InputRecord) => void,
): Promise<void> {
  let rest = Buffer.alloc(0)
  let offset = 0
  const line = (value: Buffer) => {
    if (value.length > 0) take({ partition, offset, timestamp: 0, value })
  }
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    const bytes = Buffer.concat([rest, chunk as Buffer])
    let from = 0
    for (let end = bytes.indexOf(10, from); end >= 0; end = bytes.indexOf(10, from)) {
      line(bytes.subarray(from, end))
      offset += end + 1 - from
      from = end + 1
    }
    rest = bytes.subarray(from)
  }
  line(rest)
}
