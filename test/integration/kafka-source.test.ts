import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, afterEach, before, describe, test } from 'node:test'
import { CompressionTypes, type Producer } from 'kafkajs'
import { WardenError } from '../../src/core/errors.ts'
import { epochMs } from '../../src/core/time.ts'
import { KafkaSideOutput } from '../../src/ingest/kafka-dead-letters.ts'
import { createEventProducer } from '../../src/ingest/kafka-producer.ts'
import { KafkaSource, type KafkaSourceOptions } from '../../src/ingest/kafka-source.ts'
import { RecordBatches } from '../../src/ingest/record-batches.ts'
import type { PartitionPosition, SourceBatch } from '../../src/ingest/source.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { kafkaJs } from '../support/kafka-cluster.ts'
import { type KafkaService, startKafka } from '../support/kafka-service.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'

let kafka: KafkaService
const opened: KafkaSource[] = []

before(async () => {
  kafka = await startKafka({ saslSsl: true, heapMb: 512 })
})

after(async () => {
  await kafka.stop()
})

afterEach(async () => {
  for (const source of opened.splice(0)) await source.close()
})

interface Harness {
  readonly source: KafkaSource
  readonly logger: RecordingLogger
  readonly metrics: RecordingMetrics
  /** Every record taken: partition name → [offset, value]. */
  readonly seen: Map<string, [number, string][]>
  readonly batches: SourceBatch[]
}

function harness(options: Partial<KafkaSourceOptions>): Harness {
  const logger = new RecordingLogger()
  const metrics = new RecordingMetrics()
  const source = new KafkaSource(
    'test',
    { brokers: kafka.bootstrap.split(','), topics: [], from: 'earliest', ...options },
    { clock: new SystemClock(), logger, metrics },
  )
  opened.push(source)
  return { source, logger, metrics, seen: new Map(), batches: [] }
}

const noState: ReadonlyMap<string, PartitionPosition> = new Map()

/** Takes until `isDone`, and throws what the source throws. */
async function take(
  from: Harness,
  isDone: () => boolean,
  options: { readonly read?: boolean; readonly timeoutMs?: number } = {},
): Promise<void> {
  const { source } = from
  const signal = AbortSignal.timeout(options.timeoutMs ?? 60_000)
  const walker = new RecordBatches(undefined, false)
  while (!isDone()) {
    const batch = source.take()
    if (batch === undefined) {
      await source.ready(signal)
      continue
    }
    from.batches.push({ ...batch, bytes: Buffer.from(batch.bytes) })
    if (options.read === false) continue
    const name = source.partitions()[batch.partition]?.name ?? ''
    const records = from.seen.get(name) ?? []
    from.seen.set(name, records)
    walker.visit(batch, {
      record: (bytes, start, end, offset) =>
        void records.push([offset, bytes.toString('utf8', start, end)]),
    })
  }
}

const caughtUp = (from: Harness) => (): boolean =>
  from.source.partitions().every((one) => one.caughtUpAt !== undefined && one.lag === 0)

function positions(from: Harness): Map<string, PartitionPosition> {
  return new Map(from.source.partitions().map((one) => [one.name, one.position]))
}

function valuesOf(from: Harness, partition: string): string[] {
  return (from.seen.get(partition) ?? []).map(([, value]) => value)
}

const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => String(from + i))

let topics = 0
async function newTopic(partitions = 1, config: Record<string, string> = {}): Promise<string> {
  const topic = `t${++topics}-${randomBytes(3).toString('hex')}`
  await kafka.createTopic(topic, partitions, config)
  return topic
}

async function send(topic: string, values: readonly string[], partition = 0): Promise<void> {
  const producer = await createEventProducer({ brokers: kafka.bootstrap.split(','), topic })
  await producer.send(values.map((value) => ({ value, partition })))
  await producer.close()
}

async function withProducer(
  settings: Parameters<ReturnType<typeof kafkaJs>['producer']>[0],
  use: (producer: Producer) => Promise<void>,
): Promise<void> {
  const producer = kafkaJs(kafka.address).producer(settings)
  await producer.connect()
  try {
    await use(producer)
  } finally {
    await producer.disconnect()
  }
}

const hasCode =
  (code: string, text: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof WardenError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, text)
    return true
  }

describe('where reading starts', () => {
  test('earliest, latest, a timestamp and the offsets of a group', async () => {
    const topic = await newTopic()
    const send3 = (at: number) =>
      withProducer({}, async (producer) => {
        const messages = range(at, at + 3).map((value) => ({
          value,
          timestamp: String(1_700_000_000_000 + at),
        }))
        await producer.send({ topic, messages })
      })
    for (const at of [0, 3, 6]) await send3(at)
    const group = `group-${topic}`
    const first = harness({ topics: [topic], group })
    await first.source.open(noState)
    await first.source.checkpointed(
      new Map([
        [`${topic}-0`, { offset: 6, identity: positions(first).get(`${topic}-0`)?.identity ?? '' }],
      ]),
    )
    const starts = {
      earliest: harness({ topics: [topic], from: 'earliest' }),
      latest: harness({ topics: [topic], from: 'latest' }),
      timestamp: harness({ topics: [topic], from: { timestamp: epochMs(1_700_000_000_001) } }),
      committed: harness({ topics: [topic], from: 'committed', group }),
    }
    const openedAt = Date.now()
    for (const one of Object.values(starts)) await one.source.open(noState)
    const where = Object.entries(starts).map(([name, one]) => {
      const [status] = one.source.partitions()
      return [name, status?.position.offset, status?.readFrom]
    })
    const latestFrom = where[1]?.[2]
    assert.ok(typeof latestFrom === 'number' && latestFrom >= openedAt)
    assert.deepEqual(where, [
      ['earliest', 0, Number.NEGATIVE_INFINITY],
      ['latest', 9, latestFrom],
      ['timestamp', 3, 1_700_000_000_003],
      ['committed', 6, 1_700_000_000_006],
    ])
    await send3(9)
    for (const one of Object.values(starts)) {
      await take(one, () => valuesOf(one, `${topic}-0`).at(-1) === '11')
    }
    assert.deepEqual(valuesOf(starts.latest, `${topic}-0`), range(9, 12))
    assert.deepEqual(valuesOf(starts.committed, `${topic}-0`), range(6, 12))
  })

  test('a checkpoint: the rest is read, once, and a partition added meanwhile from its beginning', async () => {
    const topic = await newTopic(1)
    await send(topic, range(0, 100))
    const before = harness({ topics: [topic] })
    await before.source.open(noState)
    await take(before, caughtUp(before))
    const saved = positions(before)
    await before.source.close()
    await kafka.addPartitions(topic, 2)
    await send(topic, range(100, 200))
    await send(topic, range(0, 5), 1)
    const resumed = harness({ topics: [topic], from: 'latest' })
    await resumed.source.open(saved)
    await take(resumed, caughtUp(resumed))
    assert.deepEqual(valuesOf(resumed, `${topic}-0`), range(100, 200))
    assert.deepEqual(valuesOf(resumed, `${topic}-1`), range(0, 5))
  })

  test('an unknown topic is refused, and similar ones are named', async () => {
    const topic = await newTopic()
    const { source } = harness({ topics: [`${topic}x`] })
    await assert.rejects(
      source.open(noState),
      hasCode(
        'source_missing',
        new RegExp(`topic ${topic}x does not exist; there are: ${topic},?`),
      ),
    )
  })

  test('brokers that nobody listens on are reported by address', async () => {
    const { source } = harness({ topics: ['any'], brokers: ['127.0.0.1:1'] })
    const opening = source.open(noState)
    await assert.rejects(opening, hasCode('source_unreachable', /127\.0\.0\.1:1: .*ECONNREFUSED/))
  })
})

describe('reading', () => {
  test('4 partitions of 50 000 records each: every record once and in order', async () => {
    const topic = await newTopic(4)
    const values = range(0, 50_000)
    await Promise.all([0, 1, 2, 3].map((partition) => send(topic, values, partition)))
    const one = harness({
      topics: [topic],
      fetch: { maxBytesPerPartition: 64 * 1024, bufferBytes: 1024 * 1024 },
    })
    await one.source.open(noState)
    await take(one, caughtUp(one))
    for (const partition of [0, 1, 2, 3]) {
      const records = one.seen.get(`${topic}-${partition}`) ?? []
      assert.equal(records.length, 50_000)
      assert.ok(records.every(([offset, value], i) => offset === i && value === values[i]))
    }
    assert.ok(one.batches.length > 20, `${one.batches.length} batches`)
  })

  test('several topics are read by one source', async () => {
    const [a, b] = [await newTopic(), await newTopic()]
    await send(a, ['1'])
    await send(b, ['2'])
    const one = harness({ topics: [a, b] })
    await one.source.open(noState)
    await take(one, caughtUp(one))
    assert.deepEqual([valuesOf(one, `${a}-0`), valuesOf(one, `${b}-0`)], [['1'], ['2']])
  })

  test('compressed batches pass as they are', async () => {
    const topic = await newTopic()
    await withProducer({}, async (producer) => {
      const messages = range(0, 1000).map((value) => ({ value }))
      await producer.send({ topic, messages, compression: CompressionTypes.GZIP })
    })
    const one = harness({ topics: [topic] })
    await one.source.open(noState)
    await take(one, caughtUp(one), { read: false })
    const bytes = Buffer.concat(one.batches.map((batch) => batch.bytes))
    assert.equal(bytes.readInt16BE(21) & 7, 1, 'gzip')
    assert.equal(one.source.partitions()[0]?.position.offset, 1000)
  })

  test('a new partition is found while reading', async () => {
    const topic = await newTopic(1)
    const one = harness({ topics: [topic], from: 'latest', metadataRefreshMs: 300 })
    await one.source.open(noState)
    await kafka.addPartitions(topic, 3)
    await send(topic, range(0, 10), 2)
    await take(one, () => valuesOf(one, `${topic}-2`).length === 10)
    assert.equal(one.source.partitions().length, 3)
    assert.equal(one.source.partitions()[2]?.readFrom, Number.NEGATIVE_INFINITY)
  })

  test('committed records only: the aborted transactions are named, and the end is reached', async () => {
    const topic = await newTopic()
    await withProducer(
      { transactionalId: topic, maxInFlightRequests: 1, idempotent: true },
      async (producer) => {
        for (let i = 0; i < 6; i++) {
          const transaction = await producer.transaction()
          await transaction.send({ topic, messages: [{ value: String(i) }, { value: String(i) }] })
          if (i % 2 === 0) await transaction.commit()
          else await transaction.abort()
        }
      },
    )
    const committed = harness({ topics: [topic], isolation: 'read_committed' })
    await committed.source.open(noState)
    await take(committed, caughtUp(committed))
    assert.deepEqual(valuesOf(committed, `${topic}-0`), ['0', '0', '2', '2', '4', '4'])
    assert.equal(committed.source.partitions()[0]?.position.offset, 18, 'control records included')
    const all = harness({ topics: [topic], isolation: 'read_uncommitted' })
    await all.source.open(noState)
    await take(all, caughtUp(all))
    assert.equal(valuesOf(all, `${topic}-0`).length, 12)
  })

  test('an open transaction is the end for committed records, and not for all', async () => {
    const topic = await newTopic()
    await send(topic, ['before'])
    await withProducer(
      { transactionalId: topic, maxInFlightRequests: 1, idempotent: true },
      async (producer) => {
        const transaction = await producer.transaction()
        await transaction.send({ topic, messages: [{ value: 'open' }] })
        const committed = harness({ topics: [topic] })
        await committed.source.open(noState)
        await take(committed, caughtUp(committed))
        assert.deepEqual(valuesOf(committed, `${topic}-0`), ['before'])
        const latest = harness({ topics: [topic], from: 'latest' })
        await latest.source.open(noState)
        assert.equal(latest.source.partitions()[0]?.position.offset, 1)
        await transaction.commit()
        await take(latest, caughtUp(latest))
        assert.deepEqual(valuesOf(latest, `${topic}-0`), ['open'])
      },
    )
  })
})

describe('lost records', () => {
  test('deleted records stop the source, or are skipped and reported', async () => {
    const topic = await newTopic()
    for (let i = 0; i < 10; i++) await send(topic, range(i * 10, i * 10 + 10))
    const before = harness({ topics: [topic] })
    await before.source.open(noState)
    const { identity = '' } = before.source.partitions()[0]?.position ?? {}
    const saved = new Map([[`${topic}-0`, { offset: 20, identity }]])
    await kafka.deleteRecords(topic, new Map([[0, 50]]))
    const stopping = harness({ topics: [topic] })
    await stopping.source.open(saved)
    await assert.rejects(
      take(stopping, () => false),
      hasCode('data_loss', /offset 20 .* removed 30 records .* offsets 50 to 100 now/),
    )
    const going = harness({ topics: [topic], onDataLoss: 'continue' })
    await going.source.open(saved)
    await take(going, caughtUp(going))
    assert.deepEqual(valuesOf(going, `${topic}-0`), range(50, 100))
    assert.notEqual(going.source.partitions()[0]?.lost, undefined)
    assert.equal(going.metrics.total('warden_kafka_lost_records_total'), 30)
  })

  test('a topic deleted and created anew under a running source stops it', async () => {
    const topic = await newTopic()
    await send(topic, range(0, 10))
    const one = harness({ topics: [topic], metadataRefreshMs: 500 })
    await one.source.open(noState)
    await take(one, caughtUp(one))
    const saved = positions(one)
    await kafka.deleteTopic(topic)
    await kafka.createTopic(topic, 1)
    await send(topic, range(100, 120))
    await assert.rejects(
      take(one, () => false),
      hasCode('data_loss', /created anew/),
    )
    assert.deepEqual(valuesOf(one, `${topic}-0`), range(0, 10))
    const again = harness({ topics: [topic] })
    await assert.rejects(again.source.open(saved), hasCode('data_loss', /created anew/))
    const going = harness({ topics: [topic], onDataLoss: 'continue' })
    await going.source.open(saved)
    await take(going, caughtUp(going))
    assert.deepEqual(valuesOf(going, `${topic}-0`), range(100, 120))
  })
})

describe('the consumer group', () => {
  test('others see the offsets of the checkpoint, though Warden is no member', async () => {
    const topic = await newTopic(2)
    await send(topic, range(0, 10))
    const group = `group-${topic}`
    const one = harness({ topics: [topic], group })
    await one.source.open(noState)
    await take(one, caughtUp(one))
    await one.source.checkpointed(positions(one))
    const admin = kafkaJs(kafka.address).admin()
    await admin.connect()
    const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    const { groups } = await admin.describeGroups([group])
    await admin.disconnect()
    const found = new Map(offsets?.partitions.map((p) => [p.partition, p.offset]))
    assert.deepEqual(
      found,
      new Map([
        [0, '10'],
        [1, '0'],
      ]),
    )
    assert.deepEqual(groups[0]?.members, [])
  })

  test('a group with members is left to them, with one warning', async () => {
    const topic = await newTopic()
    const group = `group-${topic}`
    const member = kafkaJs(kafka.address).consumer({ groupId: group })
    await member.connect()
    await member.subscribe({ topic })
    const joined = new Promise((resolve) => member.on(member.events.GROUP_JOIN, resolve))
    await member.run({ eachBatch: async () => {} })
    await joined
    const one = harness({ topics: [topic], group })
    await one.source.open(noState)
    for (let i = 0; i < 3; i++) await one.source.checkpointed(positions(one))
    await member.disconnect()
    assert.deepEqual(
      one.logger.messages('warn').map((text) => /has members of its own/.test(text)),
      [true],
    )
  })
})

describe('TLS and SASL', () => {
  const secure = (password?: string): Partial<KafkaSourceOptions> => {
    const { sasl } = kafka.address
    assert.ok(sasl !== undefined)
    return {
      brokers: [sasl.bootstrap],
      tls: { ca: sasl.caPem },
      sasl: {
        mechanism: 'SCRAM-SHA-512',
        username: sasl.username,
        password: password ?? sasl.password,
      },
    }
  }
  const withMechanism = (
    mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512',
    password?: string,
  ) => {
    const { sasl } = secure(password)
    assert.ok(sasl !== undefined)
    return { ...secure(password), sasl: { ...sasl, mechanism } }
  }

  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
    test(`${mechanism} reads, and a wrong password stops`, async () => {
      const topic = await newTopic()
      await send(topic, range(0, 10))
      const one = harness({ topics: [topic], ...withMechanism(mechanism) })
      await one.source.open(noState)
      await take(one, caughtUp(one))
      assert.deepEqual(valuesOf(one, `${topic}-0`), range(0, 10))
      const wrong = harness({ topics: [topic], ...withMechanism(mechanism, 'wrong') })
      await assert.rejects(
        wrong.source.open(noState),
        hasCode('source_auth', /Authentication failed|invalid credentials|password/i),
      )
    })
  }

  test('a certificate of an unknown authority stops', async () => {
    const { source } = harness({ topics: ['any'], ...secure(), tls: {} })
    await assert.rejects(
      source.open(noState),
      hasCode('source_auth', /TLS certificate is not trusted/),
    )
  })

  test('the event producer and the side output write there too', async () => {
    const topic = await newTopic()
    const { brokers = [], tls, sasl } = withMechanism('SCRAM-SHA-256')
    const producer = await createEventProducer({ brokers, tls, sasl, topic, compression: 'gzip' })
    await producer.send([{ key: 'k', value: '1' }])
    await producer.close()
    assert.equal((await kafka.endOffsets(topic)).get(0), 1)
  })
})

describe('the side output', () => {
  test('writes keyed records, keeps what it could not write, and shortens what is too large', async () => {
    const topic = await newTopic(1, { 'max.message.bytes': '200000' })
    const logger = new RecordingLogger()
    const metrics = new RecordingMetrics()
    const telemetry = { clock: new SystemClock(), logger, metrics }
    const away = new KafkaSideOutput({ brokers: ['127.0.0.1:1'], topic }, telemetry)
    await away.restore(undefined)
    away.append({ key: 'test/0/1', json: '{"a":1}' })
    const bytes = away.pendingBytes()
    await assert.rejects(away.flush(), hasCode('sink_unreachable', new RegExp(topic)))
    assert.equal(away.pendingBytes(), bytes)
    await away.close()

    const output = new KafkaSideOutput({ brokers: kafka.bootstrap.split(','), topic }, telemetry)
    await output.restore(undefined)
    output.append({ key: 'test/0/1', json: '{"a":1}' })
    output.append({ key: 'test/0/2', json: JSON.stringify({ long: 'x'.repeat(300_000) }) })
    output.append({ key: 'test/0/3', json: '{"a":3}' })
    assert.equal(await output.flush(), '3')
    assert.equal(output.pendingBytes(), 0)
    output.append({ key: 'test/0/4', json: '{"a":4}' })
    assert.equal(await output.flush(), '4')
    await output.close()
    const one = harness({ topics: [topic] })
    await one.source.open(noState)
    await take(one, caughtUp(one))
    const written = valuesOf(one, `${topic}-0`)
    assert.deepEqual([written[0], written[2], written[3]], ['{"a":1}', '{"a":3}', '{"a":4}'])
    assert.match(written[1] ?? '', /^\{"shortened":true,"characters":300011/)
    assert.equal(metrics.total('warden_kafka_side_output_shortened_total'), 1)
  })
})

// Last: these take the broker away.
describe('a broker that goes away', () => {
  test('restarted in the middle: every record comes once', async () => {
    const topic = await newTopic(2)
    for (const partition of [0, 1]) await send(topic, range(0, 20_000), partition)
    const one = harness({
      topics: [topic],
      fetch: { maxBytesPerPartition: 16 * 1024, bufferBytes: 128 * 1024 },
    })
    await one.source.open(noState)
    await take(one, () => (one.seen.get(`${topic}-0`)?.length ?? 0) >= 5_000)
    await kafka.shutDown()
    await take(one, () => one.source.partitions().every((status) => status.trouble !== undefined))
    assert.equal(caughtUp(one)(), false)
    await kafka.start()
    await take(one, caughtUp(one))
    for (const partition of [0, 1]) {
      assert.deepEqual(valuesOf(one, `${topic}-${partition}`), range(0, 20_000))
    }
    assert.ok(one.logger.messages('info').includes('reads again from a broker'))
  })

  test('frozen: the watchdog gives the connection up, and reading goes on after', async () => {
    const topic = await newTopic()
    await send(topic, range(0, 10))
    const one = harness({
      topics: [topic],
      watchdogMs: 1000,
      fetch: { maxWaitMs: 100 },
      requestTimeoutMs: 1000,
      connectTimeoutMs: 1000,
    })
    await one.source.open(noState)
    await take(one, caughtUp(one))
    kafka.freeze()
    await take(one, () => one.source.partitions()[0]?.trouble !== undefined)
    const stalled = one.metrics.value('warden_kafka_reconnects_total', {
      source: 'test',
      reason: 'stalled',
    })
    assert.equal(stalled, 1)
    kafka.thaw()
    await send(topic, range(10, 20))
    await take(one, () => valuesOf(one, `${topic}-0`).length === 20)
    assert.deepEqual(valuesOf(one, `${topic}-0`), range(0, 20))
  })
})
