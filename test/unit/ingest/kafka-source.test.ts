import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { WardenError } from '../../../src/core/errors.ts'
import { epochMs } from '../../../src/core/time.ts'
import { KafkaSource, type KafkaSourceOptions } from '../../../src/ingest/kafka-source.ts'
import type { PartitionPosition, SourceBatch } from '../../../src/ingest/source.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { ScriptedKafka } from '../../support/scripted-kafka.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'

let clock: VirtualClock
let kafka: ScriptedKafka
let logger: RecordingLogger
let metrics: RecordingMetrics
let opened: KafkaSource[]

beforeEach(() => {
  clock = new VirtualClock()
  kafka = new ScriptedKafka(clock)
  logger = new RecordingLogger()
  metrics = new RecordingMetrics()
  opened = []
})

afterEach(async () => {
  for (const source of opened) await source.close()
  assert.equal(clock.pendingTimers(), 0, 'a timer was left behind')
  assert.equal(metrics.total('warden_kafka_lag_records'), 0)
})

const nowhere: ReadonlyMap<string, PartitionPosition> = new Map()

function create(options: Partial<KafkaSourceOptions> = {}): KafkaSource {
  const source = new KafkaSource(
    'orders',
    { brokers: ['unused:1'], topics: ['orders'], from: 'earliest', ...options },
    { clock, logger, metrics },
    { network: kafka, random: () => 0.5 },
  )
  opened.push(source)
  return source
}

async function open(
  options: Partial<KafkaSourceOptions> = {},
  positions: ReadonlyMap<string, PartitionPosition> = nowhere,
): Promise<KafkaSource> {
  const source = create(options)
  await source.open(positions)
  await settle()
  return source
}

function takeAll(source: KafkaSource): SourceBatch[] {
  const batches: SourceBatch[] = []
  for (let batch = source.take(); batch !== undefined; batch = source.take()) batches.push(batch)
  return batches
}

/** Takes everything that comes within `ms`. */
async function drain(source: KafkaSource, ms: number): Promise<SourceBatch[]> {
  const batches: SourceBatch[] = []
  for (let passed = 0; passed <= ms; passed += 50) {
    batches.push(...takeAll(source))
    await clock.advance(50)
    await settle()
  }
  return batches
}

function failure(code: string, text: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof WardenError)
    assert.equal(error.code, code)
    assert.match(error.message, text)
    return true
  }
}

function status(source: KafkaSource, partition = 0) {
  const one = source.partitions()[partition]
  assert.ok(one !== undefined)
  return one
}

function assertOnceInOrder(batches: readonly SourceBatch[], end: number, partition = 0): void {
  let next = 0
  for (const batch of batches.filter((one) => one.partition === partition)) {
    assert.equal(batch.fromOffset, next)
    next = batch.nextOffset
  }
  assert.equal(next, end)
}

describe('where reading starts', () => {
  test('at the beginning of a log that lost nothing everything is read from −∞ on', async () => {
    kafka.create('orders', 1)[0]?.append(5, 1000)
    const source = await open({ from: 'earliest' })
    assert.equal(status(source).readFrom, Number.NEGATIVE_INFINITY)
    assert.equal(status(source).position.offset, 0)
  })

  test('at the beginning of a log that retention cut, from its first record on', async () => {
    const [one] = kafka.create('orders', 1)
    assert.ok(one !== undefined)
    one.append(5, 1000)
    one.append(5, 2000)
    one.start = 5
    const source = await open({ from: 'earliest' })
    assert.equal(status(source).position.offset, 5)
    assert.equal(status(source).readFrom, 2000)
  })

  test('latest starts at the last stable offset and reads from now on', async () => {
    const [one] = kafka.create('orders', 1)
    one?.append(5, 1000)
    one?.append(5, 2000)
    if (one) one.lastStable = 5
    const source = await open({ from: 'latest' })
    assert.equal(status(source).position.offset, 5)
    assert.equal(status(source).readFrom, clock.now())
  })

  test('a timestamp starts at the first record not before it, or at the end when there is none', async () => {
    const [one, two] = kafka.create('orders', 2)
    for (const at of [1000, 2000, 3000]) one?.append(10, at)
    two?.append(10, 1000)
    const source = await open({ from: { timestamp: epochMs(1500) } })
    assert.equal(status(source, 0).position.offset, 10)
    assert.equal(status(source, 0).readFrom, 2000)
    assert.equal(status(source, 1).position.offset, 10)
    assert.equal(status(source, 1).readFrom, clock.now())
  })

  test('committed starts at the offset of the group, and at the beginning where there is none', async () => {
    const [one, two] = kafka.create('orders', 2)
    for (const at of [1000, 2000]) one?.append(10, at)
    two?.append(10, 1000)
    kafka.committedOffsets.set('orders-0', 10)
    const source = await open({ from: 'committed', group: 'warden' })
    assert.equal(status(source, 0).position.offset, 10)
    assert.equal(status(source, 0).readFrom, 2000)
    assert.equal(status(source, 1).position.offset, 0)
    assert.equal(status(source, 1).readFrom, Number.NEGATIVE_INFINITY)
  })

  test('the checkpoint wins over the config, to the offset', async () => {
    const [one] = kafka.create('orders', 1)
    for (let i = 0; i < 4; i++) one?.append(10, 1000)
    const source = await open({ from: 'latest' }, checkpoint(20))
    assert.deepEqual(
      (await drain(source, 100)).map((one) => one.fromOffset),
      [20],
    )
  })

  test('a partition added while Warden was down is read from its beginning, not as the config says', async () => {
    const [, two] = kafka.create('orders', 2)
    two?.append(7, 1000)
    const source = await open({ from: 'latest' }, checkpoint(0))
    assert.equal(status(source, 1).position.offset, 0)
  })

  test('an unknown topic is refused with the names most like it', async () => {
    kafka.create('payments', 1)
    kafka.create('order', 1)
    await assert.rejects(
      open({ topics: ['orders'] }),
      failure('source_missing', /topic orders does not exist; there are: order, payments/),
    )
  })
})

describe('reading', () => {
  test('every batch of every partition is handed out once and in order', async () => {
    for (const one of kafka.create('orders', 3)) {
      for (let i = 0; i < 50; i++) one.append(10, 1000 + i)
    }
    const source = await open({ fetch: { maxBytesPerPartition: 1000 } })
    const batches = await drain(source, 1000)
    for (const partition of [0, 1, 2]) assertOnceInOrder(batches, 500, partition)
    assert.deepEqual(
      source.partitions().map((one) => one.lag),
      [0, 0, 0],
    )
  })

  test('a batch larger than the limits is reached although others have records all the time', async () => {
    const [one, two] = kafka.create('orders', 2)
    for (let i = 0; i < 300; i++) one?.append(10, 1000)
    two?.append(10, 1000, 5000)
    const source = await open({ fetch: { maxBytesPerPartition: 1000 } })
    assertOnceInOrder(await drain(source, 200), 10, 1)
  })

  test('what is read ahead is bounded, and reading goes on where it stopped', async () => {
    const [one] = kafka.create('orders', 1)
    for (let i = 0; i < 100; i++) one?.append(10, 1000, 10_000)
    const source = await open({ fetch: { bufferBytes: 200_000, maxBytesPerPartition: 50_000 } })
    await clock.advance(60_000)
    assert.equal(metrics.value('warden_kafka_buffered_bytes', { source: 'orders' }), 200_000)
    assertOnceInOrder(await drain(source, 1000), 1000)
    const labels = { source: 'orders', reason: 'buffer_full' }
    const paused = metrics.value('warden_kafka_paused_seconds_total', labels) ?? 0
    assert.ok(paused >= 60 && paused < 62, `paused for ${paused} s`)
  })

  test('a held partition is neither asked for nor taken from, and the others are not held up', async () => {
    const [one, two] = kafka.create('orders', 2)
    const source = await open()
    source.hold(0, true)
    await clock.advance(600)
    one?.append(10, 1000)
    two?.append(10, 1000)
    kafka.poke()
    const batches = await drain(source, 2000)
    assert.deepEqual(
      batches.map((batch) => batch.partition),
      [1],
    )
    assert.equal(status(source, 0).caughtUpAt, undefined)
    source.hold(0, false)
    assertOnceInOrder(await drain(source, 1000), 10, 0)
    assert.notEqual(status(source, 0).caughtUpAt, undefined)
  })

  test('ready resolves when a batch is there, and when only a status changed', async () => {
    const [one] = kafka.create('orders', 1)
    const source = await open()
    const { signal } = new AbortController()
    const changed = source.ready(signal)
    await clock.advance(500)
    await changed
    one?.append(1, 1000)
    kafka.poke()
    await settle()
    await source.ready(signal)
    assert.equal(takeAll(source).length, 1)
  })

  test('an added partition is found and read from its beginning', async () => {
    kafka.create('orders', 1)
    const source = await open({ from: 'latest', metadataRefreshMs: 5000 })
    const added = kafka.topics.get('orders')
    const { ScriptedPartition } = await import('../../support/scripted-kafka.ts')
    const partition = new ScriptedPartition()
    partition.append(10, 1000)
    added?.partitions.push(partition)
    assertOnceInOrder(await drain(source, 7000), 10, 1)
    assert.equal(status(source, 1).name, 'orders-1')
    assert.equal(status(source, 1).readFrom, Number.NEGATIVE_INFINITY)
  })
})

describe('standing at the end', () => {
  test('is said only after everything was taken and a fetch showed nothing more', async () => {
    const [one] = kafka.create('orders', 1)
    one?.append(10, 1000)
    const source = await open()
    assert.equal(status(source).caughtUpAt, undefined)
    takeAll(source)
    assert.equal(status(source).caughtUpAt, undefined)
    await clock.advance(500)
    assert.equal(status(source).caughtUpAt, clock.now())
    one?.append(10, 1000)
    kafka.poke()
    await settle()
    assert.equal(status(source).caughtUpAt, undefined)
    assert.equal(status(source).lag, 10)
  })

  test('means the last stable offset while a transaction is open', async () => {
    const [one] = kafka.create('orders', 1)
    one?.append(10, 1000)
    one?.append(10, 1000)
    if (one) one.lastStable = 10
    const source = await open()
    assertOnceInOrder(await drain(source, 1000), 10)
    assert.notEqual(status(source).caughtUpAt, undefined)
    assert.equal(status(source).lag, 0)
  })

  test('is not known while the partition has no leader', async () => {
    const [one] = kafka.create('orders', 1)
    const source = await open()
    await clock.advance(600)
    assert.notEqual(status(source).caughtUpAt, undefined)
    if (one) one.leader = -1
    await drain(source, 2000)
    assert.equal(status(source).caughtUpAt, undefined)
    assert.match(status(source).trouble ?? '', /orders-0 has no leader/)
    if (one) one.leader = 2
    await drain(source, 10_000)
    assert.equal(status(source).trouble, undefined)
    assert.notEqual(status(source).caughtUpAt, undefined)
  })
})

describe('what heals by itself', () => {
  for (const error of ['NOT_LEADER_OR_FOLLOWER', 'FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH']) {
    test(`${error}: the new leader is asked from the exact offset on`, async () => {
      const [one] = kafka.create('orders', 1)
      assert.ok(one !== undefined)
      one.append(10, 1000)
      const source = await open()
      const before = takeAll(source)
      one.error = error
      await clock.advance(500)
      assert.match(status(source).trouble ?? '', new RegExp(`broker 1 answers ${error}`))
      one.append(10, 1000)
      Object.assign(one, { leader: 2, epoch: 1, error: undefined })
      assertOnceInOrder([...before, ...(await drain(source, 10_000))], 20)
      assert.equal(kafka.fetches.at(-1)?.node, 2)
      assert.equal(kafka.fetches.at(-1)?.request.partitions[0]?.leaderEpoch, 1)
      const labels = { source: 'orders', kind: error.toLowerCase() }
      assert.ok((metrics.value('warden_kafka_fetch_errors_total', labels) ?? 0) >= 1)
    })
  }

  test('a leader that denies to be it while metadata insists is not asked in a tight loop', async () => {
    const [one] = kafka.create('orders', 1)
    if (one) one.error = 'NOT_LEADER_OR_FOLLOWER'
    const source = await open()
    await drain(source, 60_000)
    const tries = kafka.fetches.length
    assert.ok(tries > 10 && tries < 60, `${tries} fetches in a minute`)
  })

  test('a broker that is away is tried again with growing waits, and nothing is read twice', async () => {
    const [one] = kafka.create('orders', 1)
    one?.append(10, 1000)
    const source = await open()
    const before = takeAll(source)
    kafka.down.add(1)
    kafka.disconnect(1)
    await drain(source, 60_000)
    assert.match(status(source).trouble ?? '', /broker 1: connection refused/)
    const tries = kafka.fetches.length
    assert.ok(tries > 10 && tries < 60, `${tries} fetches in a minute`)
    kafka.down.delete(1)
    one?.append(10, 1000)
    assertOnceInOrder([...before, ...(await drain(source, 6000))], 20)
    assert.equal(status(source).trouble, undefined)
    assert.deepEqual(logger.messages('warn').length, 1)
    assert.ok(logger.messages('info').includes('reads again from a broker'))
  })

  test('a partition that moved is taken over while its old leader is being tried again', async () => {
    const [one, two] = kafka.create('orders', 2)
    assert.ok(one !== undefined && two !== undefined)
    two.leader = 2
    const source = await open()
    kafka.down.add(1)
    kafka.disconnect(1)
    Object.assign(one, { leader: 2, epoch: 1 })
    one.append(10, 1000)
    assertOnceInOrder(await drain(source, 2000), 10)
  })

  test('watchdog: a fetch that is never answered is given up and sent anew', async () => {
    const [one] = kafka.create('orders', 1)
    const source = await open({ watchdogMs: 5000 })
    kafka.silent.add(1)
    one?.append(10, 1000)
    await clock.advance(5400)
    assert.deepEqual(kafka.disconnects, [])
    await clock.advance(200)
    assert.deepEqual(kafka.disconnects, [1])
    assert.match(status(source).trouble ?? '', /no answer to a fetch within 5500 ms/)
    kafka.silent.delete(1)
    assertOnceInOrder(await drain(source, 2000), 10)
    const labels = { source: 'orders', reason: 'stalled' }
    assert.equal(metrics.value('warden_kafka_reconnects_total', labels), 1)
  })

  test('watchdog: answers without records while records wait lead to a new connection', async () => {
    const [one] = kafka.create('orders', 1)
    assert.ok(one !== undefined)
    one.isBarren = true
    one.append(10, 1000)
    const source = await open({ watchdogMs: 5000 })
    await clock.advance(4900)
    assert.deepEqual(kafka.disconnects, [])
    await clock.advance(1000)
    assert.deepEqual(kafka.disconnects, [1])
    assert.match(
      status(source).trouble ?? '',
      /nothing arrives although 10 records wait at offset 0/,
    )
    one.isBarren = false
    assertOnceInOrder(await drain(source, 2000), 10)
  })

  test('watchdog: silence at the end of a partition is no stall', async () => {
    kafka.create('orders', 1)
    await open({ watchdogMs: 5000 })
    await clock.advance(60_000)
    assert.deepEqual(kafka.disconnects, [])
  })

  test('metadata that is not to be had stops no reading', async () => {
    const [one] = kafka.create('orders', 1)
    const source = await open({ metadataRefreshMs: 1000 })
    kafka.metadataError = new WardenError('source_unreachable', 'no Kafka broker answers')
    await drain(source, 5000)
    one?.append(10, 1000)
    kafka.poke()
    assertOnceInOrder(await drain(source, 1000), 10)
  })
})

describe('lost records', () => {
  const cut = (): void => {
    const [one] = kafka.create('orders', 1)
    for (const at of [1000, 2000, 3000]) one?.append(10, at)
    if (one) one.start = 20
  }

  test('an offset that retention removed stops with what was wanted and what there is', async () => {
    cut()
    const source = await open({}, checkpoint(10))
    await assert.rejects(
      untilFailed(source),
      failure(
        'data_loss',
        /topic orders, partition 0: offset 10 .* removed 10 records .* offsets 20 to 30 now\. To accept/,
      ),
    )
  })

  test('continue reads on from the log start, says what time is lost, and counts', async () => {
    cut()
    const source = await open({ onDataLoss: 'continue' }, checkpoint(10))
    const batches = await drain(source, 2000)
    assert.deepEqual(
      batches.map((one) => [one.fromOffset, one.nextOffset]),
      [[20, 30]],
    )
    assert.deepEqual(status(source).lost, { from: Number.NEGATIVE_INFINITY, to: 3000 })
    const labels = { source: 'orders', topic: 'orders' }
    assert.equal(metrics.value('warden_kafka_lost_records_total', labels), 10)
    assert.equal(logger.messages('error').length, 1)
  })

  test('a partition that was cut back behind the position stops, or goes on at its end', async () => {
    kafka.create('orders', 1)[0]?.append(10, 1000)
    const stopping = await open({}, checkpoint(25))
    await assert.rejects(untilFailed(stopping), failure('data_loss', /lies behind the end/))
    const source = await open({ onDataLoss: 'continue' }, checkpoint(25))
    await drain(source, 2000)
    assert.equal(status(source).position.offset, 10)
    assert.notEqual(status(source).lost, undefined)
  })

  test('a topic created anew is not read on from the old offset', async () => {
    kafka.create('orders', 1)[0]?.append(30, 1000)
    const opening = open({}, checkpoint(10, 'cluster/another-id'))
    await assert.rejects(opening, failure('data_loss', /deleted and created anew/))
  })

  test('another cluster is not read on from the old offset', async () => {
    kafka.create('orders', 1)[0]?.append(30, 1000)
    const opening = open({}, checkpoint(10, 'another/id-1'))
    await assert.rejects(opening, failure('data_loss', /another Kafka cluster.*check the brokers/))
  })

  test('a topic created anew while it is read: what was read ahead is handed out, then the new one from its beginning', async () => {
    kafka.create('orders', 1)[0]?.append(10, 1000)
    const source = await open({ onDataLoss: 'continue', metadataRefreshMs: 1000 })
    const [anew] = kafka.create('orders', 1)
    anew?.append(5, 5000)
    await clock.advance(3000)
    const batches = await drain(source, 3000)
    assert.deepEqual(
      batches.map((one) => [one.fromOffset, one.nextOffset]),
      [
        [0, 10],
        [0, 5],
      ],
    )
    assert.deepEqual(status(source).position, { offset: 5, identity: 'cluster/id-2' })
    assert.deepEqual(status(source).lost, { from: 1000, to: 5000 })
  })

  test('a topic that is gone counts as deleted only after a while', async () => {
    kafka.create('orders', 1)
    const source = await open({ metadataRefreshMs: 1000 })
    const topic = kafka.topics.get('orders')
    assert.ok(topic !== undefined)
    kafka.topics.delete('orders')
    await drain(source, 5000)
    assert.match(status(source).trouble ?? '', /UNKNOWN_TOPIC_OR_PARTITION/)
    kafka.topics.set('orders', topic)
    await drain(source, 6000)
    assert.equal(status(source).trouble, undefined)
    kafka.topics.delete('orders')
    await assert.rejects(untilFailed(source), failure('data_loss', /topic was deleted/))
  })
})

describe('the consumer group', () => {
  test('gets the offsets of the checkpoint', async () => {
    kafka.create('orders', 2)
    const source = await open({ group: 'warden' })
    await source.checkpointed(checkpoint(7))
    assert.deepEqual(kafka.commits, [[{ topic: 'orders', partition: 0, offset: 7 }]])
  })

  test('with members in it is left alone, with one warning', async () => {
    kafka.create('orders', 1)
    kafka.commitOutcome = { kind: 'busy' }
    const source = await open({ group: 'warden' })
    for (let i = 0; i < 3; i++) await source.checkpointed(checkpoint(i))
    assert.equal(logger.messages('warn').length, 1)
    assert.match(logger.messages('warn')[0] ?? '', /has members of its own/)
  })

  test('never fails a checkpoint', async () => {
    kafka.create('orders', 1)
    kafka.commitOutcome = { kind: 'failed', error: 'GROUP_AUTHORIZATION_FAILED' }
    const source = await open({ group: 'warden' })
    const done = source.checkpointed(checkpoint(1))
    await clock.advance(20_000)
    await done
    const failures = metrics.value('warden_kafka_group_commit_failures_total', { source: 'orders' })
    assert.equal(failures, 1)
  })
})

test('no right to read a topic stops', async () => {
  const [one] = kafka.create('orders', 1)
  if (one) one.error = 'TOPIC_AUTHORIZATION_FAILED'
  const source = await open()
  await assert.rejects(untilFailed(source), failure('source_auth', /no right to read orders-0/))
})

function checkpoint(offset: number, identity = 'cluster/id-1'): Map<string, PartitionPosition> {
  return new Map([['orders-0', { offset, identity }]])
}

/** Waits until the source fails; rejects with that. */
async function untilFailed(source: KafkaSource): Promise<void> {
  const { signal } = new AbortController()
  for (let i = 0; i < 400; i++) {
    const ready = source.ready(signal)
    ready.catch(() => {})
    await clock.advance(100)
    await Promise.race([ready, settle()])
    takeAll(source)
  }
}
