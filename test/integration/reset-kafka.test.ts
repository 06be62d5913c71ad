import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { parseTarget, reset } from '../../src/app/reset.ts'
import { createSource } from '../../src/app/sources.ts'
import { readFacts } from '../../src/app/state-facts.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/file-config.ts'
import { LmdbStateStore } from '../../src/state/lmdb-state-store.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { type KafkaService, startKafka } from '../support/kafka-service.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'

const directory = mkdtempSync(join(tmpdir(), 'warden-reset-kafka-'))
const start = Date.UTC(2026, 10, 20)
const minute = 60_000
let kafka: KafkaService
let config: Config

before(async () => {
  kafka = await startKafka({ heapMb: 384 })
  const client = new Kafka({ brokers: kafka.bootstrap.split(','), logLevel: logLevel.NOTHING })
  const admin = client.admin()
  await admin.createTopics({ topics: [{ topic: 'events', numPartitions: 2 }] })
  await admin.disconnect()
  const producer = client.producer()
  await producer.connect()
  for (const partition of [0, 1]) {
    for (let n = 0; n < 10; n++) {
      const timestamp = String(start + n * 10 * minute + partition)
      await producer.send({ topic: 'events', messages: [{ partition, timestamp, value: '{}' }] })
    }
  }
  await producer.disconnect()
  const file = join(directory, 'warden.yaml')
  writeFileSync(
    file,
    `job: lending
stateDir: ${directory}/job
sources:
  orders: { type: kafka, brokers: ['${kafka.bootstrap}'], topics: [events], event: { time: at } }
metrics:
  loan: { window: { size: 1h } }
log: { level: error }
`,
  )
  config = loadConfig(file, {})
})

after(async () => {
  await kafka?.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** A state that stands at the end of both partitions. */
async function stateAtTheEnd(): Promise<void> {
  const [source] = config.sources
  assert.ok(source?.type === 'kafka')
  const telemetry = {
    clock: new SystemClock(),
    logger: new RecordingLogger(),
    metrics: new RecordingMetrics(),
  }
  const opened = createSource({ ...source, from: { kind: 'latest' } }, config, telemetry)
  await opened.open(new Map())
  const partitions = Object.fromEntries(
    opened
      .partitions()
      .map(({ name, position }) => [name, { ...position, watermark: start, idle: false }]),
  )
  await opened.close()
  const store = new LmdbStateStore(join(config.stateDir, 'state'))
  const put = (key: string, value: unknown) => ({
    kind: 'put' as const,
    key,
    value: Buffer.from(JSON.stringify(value)),
  })
  await store.commit([
    put('job', { format: 3, job: 'lending', hashKey: 'aa', incarnation: 1, metrics: [] }),
    put('source/orders', {
      combined: start + 90 * minute,
      partitions,
      totals: { records: 20, dead: {} },
    }),
    put('metric/loan/windows', { windows: [], slices: [], missing: [], goneThrough: null }),
  ])
  await store.close()
}

async function resetTo(to: string) {
  await stateAtTheEnd()
  let text = ''
  await reset({
    config,
    source: undefined,
    to: parseTarget(to),
    confirmed: true,
    print: (line) => {
      text += line
    },
  })
  const store = new LmdbStateStore(join(config.stateDir, 'state'))
  const { positions } = readFacts(store)
  const windows = JSON.parse(Buffer.from(store.get('metric/loan/windows') ?? []).toString())
  await store.close()
  const at = ['events-0', 'events-1'].map((name) => positions.orders?.[name]?.offset)
  return { at, missing: windows.missing, text }
}

test('earliest is the first record, from which on nothing is partial', async () => {
  const { at, missing, text } = await resetTo('earliest')
  assert.deepEqual([at, missing], [[0, 0], []])
  assert.match(text, /events-0: 10 → 0 \(10 records read again\)/)
})

test('a time is the first record at or after it in each partition; windows that began before are partial', async () => {
  const { at, missing, text } = await resetTo(new Date(start + 30 * minute).toISOString())
  assert.deepEqual(at, [3, 3])
  assert.deepEqual(missing, [{ from: null, to: start + 30 * minute + 1 }])
  assert.match(text, /about 0 windows|partial/)
})

test('offsets move the partitions they name, and what is there says from when on windows are whole', async () => {
  const { at, missing } = await resetTo('events-1=6')
  assert.deepEqual(at, [10, 6])
  // Partition 0 stays at its end: what lies before now is not read there.
  assert.ok(missing[0].to > start + 60 * minute)
  const both = await resetTo('events-0=4,events-1=6')
  assert.deepEqual(both.at, [4, 6])
  assert.deepEqual(both.missing, [{ from: null, to: start + 60 * minute + 1 }])
  await assert.rejects(resetTo('events-7=1'), { code: 'usage', message: /events-0, events-1/ })
})

test('latest skips what lies between, and says so', async () => {
  const { at, text } = await resetTo('latest')
  assert.deepEqual(at, [10, 10])
  assert.match(text, /stays/)
})
