import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createEventProducer } from '../../src/ingest/kafka-producer.ts'
import { KafkaSource } from '../../src/ingest/kafka-source.ts'
import { RecordBatches } from '../../src/ingest/record-batches.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { type KafkaService, startKafka } from '../support/kafka-service.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'
import { until } from '../support/until.ts'

let kafka: KafkaService

before(async () => {
  kafka = await startKafka({ brokers: 3, heapMb: 384 })
})

after(async () => {
  await kafka.stop()
})

interface Reader {
  readonly source: KafkaSource
  readonly values: string[]
  readonly metrics: RecordingMetrics
  takeUntil(count: number): Promise<void>
}

async function openReader(topic: string): Promise<Reader> {
  const metrics = new RecordingMetrics()
  const source = new KafkaSource(
    'test',
    { brokers: kafka.bootstrap.split(','), topics: [topic], from: 'earliest' },
    { clock: new SystemClock(), logger: new RecordingLogger(), metrics },
  )
  await source.open(new Map())
  const values: string[] = []
  const walker = new RecordBatches(undefined, false)
  const takeUntil = async (count: number): Promise<void> => {
    const signal = AbortSignal.timeout(60_000)
    while (values.length < count) {
      const batch = source.take()
      if (batch === undefined) {
        await source.ready(signal)
        continue
      }
      walker.visit(batch, {
        record: (bytes, start, end) => void values.push(bytes.toString('utf8', start, end)),
      })
    }
  }
  return { source, values, metrics, takeUntil }
}

const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => String(from + i))

async function send(topic: string, values: readonly string[]): Promise<void> {
  const brokers = kafka.bootstrap.split(',')
  // kafkajs may ask the dead broker first, and does not try another one by itself.
  const producer = await until('a broker takes a producer', () =>
    createEventProducer({ brokers, topic }),
  )
  await producer.send(values.map((value) => ({ value, partition: 0 })))
  await producer.close()
}

test('a leader that moves twice: reading follows, and every record comes once', async (t) => {
  await kafka.createTopic('moved', 1)
  await send('moved', range(0, 1000))
  const reader = await openReader('moved')
  t.after(() => reader.source.close())
  await reader.takeUntil(1000)
  for (const [round, step] of [1, 2].entries()) {
    const leader = (await kafka.leaders('moved')).get(0) ?? 0
    await kafka.moveLeader('moved', 0, (leader % 3) + 1)
    await send('moved', range(1000 * (round + 1), 1000 * (round + 2)))
    await reader.takeUntil(1000 * (step + 1))
  }
  assert.deepEqual(reader.values, range(0, 3000))
  assert.ok(reader.metrics.total('warden_kafka_fetch_errors_total') >= 1)
  assert.equal(reader.source.partitions()[0]?.trouble, undefined)
})

test('a leader that is killed: another takes over, and every record comes once', async (t) => {
  await kafka.createTopic('killed', 1)
  await send('killed', range(0, 1000))
  const reader = await openReader('killed')
  t.after(() => reader.source.close())
  await reader.takeUntil(1000)
  const leader = (await kafka.leaders('killed')).get(0) ?? 0
  await kafka.kill(leader)
  await until('another broker leads', async () => {
    const now = (await kafka.leaders('killed')).get(0) ?? -1
    return now >= 0 && now !== leader
  })
  await send('killed', range(1000, 2000))
  await reader.takeUntil(2000)
  assert.deepEqual(reader.values, range(0, 2000))
  await kafka.start(leader)
})
