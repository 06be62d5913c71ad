import { Connection, produceV11 } from '@platformatic/kafka'
import type { BenchEvent } from './events.ts'

export const compressions = ['none', 'gzip', 'lz4', 'snappy'] as const
export type Compression = (typeof compressions)[number]

/** About 16 KiB of our documents: Kafka's default `batch.size`. */
const recordsPerBatch = 50
const requestsUnderWay = 4

/** Writes the events to a topic that exists, in record batches as large as Kafka's own producer makes them by default. */
export async function fillTopic(
  bootstrap: string,
  topic: string,
  partitions: number,
  compression: Compression,
  events: Iterable<BenchEvent>,
): Promise<void> {
  const connection = await connect(bootstrap)
  const batches = Array.from({ length: partitions }, (): Message[] => [])
  const underWay = new Set<Promise<unknown>>()
  const send = async (): Promise<void> => {
    const messages = batches.flatMap((batch) => batch.splice(0))
    if (messages.length === 0) return
    // A connection keeps the order of its requests, and a broker that of its answers.
    const sent = produceV11.api.async(connection, 1, 10_000, messages, { compression })
    underWay.add(sent)
    void sent.finally(() => underWay.delete(sent)).catch(() => {})
    if (underWay.size >= requestsUnderWay) await Promise.race(underWay)
  }
  try {
    for (const { partition, timestamp, text } of events) {
      const value = Buffer.from(text)
      batches[partition]?.push({ topic, partition, timestamp: BigInt(timestamp), value })
      if (batches[partition]?.length === recordsPerBatch) await send()
    }
    await send()
    await Promise.all(underWay)
  } finally {
    await connection.close()
  }
}

interface Message {
  readonly topic: string
  readonly partition: number
  readonly timestamp: bigint
  readonly value: Buffer
}

async function connect(bootstrap: string): Promise<Connection> {
  const [host = '', port] = bootstrap.split(':')
  const connection = new Connection('warden-bench', { maxInflights: requestsUnderWay })
  await connection.connect(host, Number(port))
  return connection
}
