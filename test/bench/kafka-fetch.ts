import { createEventProducer } from '../../src/ingest/kafka-producer.ts'
import { KafkaSource } from '../../src/ingest/kafka-source.ts'
import { RecordBatches } from '../../src/ingest/record-batches.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { KafkaCluster, kafkaJs } from '../support/kafka-cluster.ts'
import { startKafka } from '../support/kafka-service.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'

/**
 * Reading a topic and walking its bytes: Warden's source (`raw`: batch headers only, `walk`: every record) against
 * kafkajs eachBatch, interleaved.
 * `KAFKA=host:port RECORDS=500000 RUNS=3 node --import tsx test/bench/kafka-fetch.ts`; without KAFKA a broker is started.
 */
const records = Number(process.env.RECORDS ?? 500_000)
const runs = Number(process.env.RUNS ?? 3)
const partitions = 4
const address = process.env.KAFKA
const service = address === undefined ? await startKafka({ heapMb: 1024 }) : undefined
const cluster = service ?? new KafkaCluster({ bootstrap: address ?? '', sasl: undefined })
const topic = `bench-${Date.now()}`

interface Result {
  readonly records: number
  readonly bytes: number
  readonly seconds: number
  readonly cpuSeconds: number
}

async function fill(): Promise<void> {
  await cluster.createTopic(topic, partitions)
  const producer = await createEventProducer({ brokers: [cluster.bootstrap], topic })
  const value = JSON.stringify({ userId: 'u-12345678', status: 'success', pad: 'x'.repeat(260) })
  for (let i = 0; i < records; i += 20_000) {
    const size = Math.min(20_000, records - i)
    await producer.send(
      Array.from({ length: size }, (_, j) => ({ value, partition: (j >> 8) % partitions })),
    )
  }
  await producer.close()
}

/** Times from `start` (connected, and for kafkajs a member of its group) to `stop`. */
class Stopwatch {
  #cpu = process.cpuUsage()
  #from = performance.now()

  start(): void {
    this.#cpu = process.cpuUsage()
    this.#from = performance.now()
  }

  stop(seen: { readonly records: number; readonly bytes: number }): Result {
    const { user, system } = process.cpuUsage(this.#cpu)
    const seconds = (performance.now() - this.#from) / 1000
    return { ...seen, seconds, cpuSeconds: (user + system) / 1e6 }
  }
}

async function readRaw(walks: boolean): Promise<Result> {
  const watch = new Stopwatch()
  const source = new KafkaSource(
    'bench',
    { brokers: [cluster.bootstrap], topics: [topic], from: 'earliest' },
    { clock: new SystemClock(), logger: new RecordingLogger(), metrics: new RecordingMetrics() },
  )
  const signal = AbortSignal.timeout(120_000)
  const walker = new RecordBatches(undefined, false)
  const seen = { records: 0, bytes: 0 }
  let read = 0
  await source.open(new Map())
  while (read < records) {
    const batch = source.take()
    if (batch === undefined) {
      await source.ready(signal)
      continue
    }
    read += batch.nextOffset - batch.fromOffset
    seen.bytes += batch.bytes.length
    if (!walks) continue
    walker.visit(batch, {
      record: () => {
        seen.records++
      },
    })
  }
  const result = watch.stop({ records: walks ? seen.records : read, bytes: seen.bytes })
  await source.close()
  return result
}

async function readKafkaJs(): Promise<Result> {
  const watch = new Stopwatch()
  const consumer = kafkaJs(cluster.address).consumer({
    groupId: `bench-${Date.now()}`,
    maxWaitTimeInMs: 500,
    maxBytesPerPartition: 1024 * 1024,
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const seen = { records: 0, bytes: 0 }
  consumer.on(consumer.events.GROUP_JOIN, () => watch.start())
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        autoCommit: false,
        partitionsConsumedConcurrently: partitions,
        eachBatch: async ({ batch }) => {
          for (const message of batch.messages) seen.bytes += message.value?.length ?? 0
          seen.records += batch.messages.length
          if (seen.records >= records) resolve()
        },
      })
      .catch(reject)
  })
  const result = watch.stop(seen)
  await consumer.disconnect()
  return result
}

const variants: readonly [name: string, read: () => Promise<Result>][] = [
  ['warden raw', () => readRaw(false)],
  ['warden walk', () => readRaw(true)],
  ['kafkajs eachBatch', readKafkaJs],
]

try {
  await fill()
  const results = new Map<string, Result[]>(variants.map(([name]) => [name, []]))
  for (let run = 0; run < runs; run++) {
    for (const [name, read] of variants) results.get(name)?.push(await read())
  }
  for (const [name, all] of results) {
    const sorted = all.sort((a, b) => a.seconds - b.seconds)
    const median = sorted[Math.floor(sorted.length / 2)]
    if (median === undefined) continue
    const perSecond = median.records / median.seconds
    const megabytes = median.bytes / 1e6 / median.seconds
    const cpu = (median.cpuSeconds / median.records) * 1e6
    process.stdout.write(
      `${name.padEnd(18)} ${Math.round(perSecond / 1000)}k records/s  ${megabytes.toFixed(0)} MB/s  ${cpu.toFixed(2)} CPU s per M (median of ${all.length})\n`,
    )
  }
} finally {
  await cluster.deleteTopic(topic).catch(() => {})
  await service?.stop()
}
