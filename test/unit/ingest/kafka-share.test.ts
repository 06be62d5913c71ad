import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { WardenError } from '../../../src/core/errors.ts'
import type { KafkaShare } from '../../../src/ingest/kafka-reading.ts'
import { KafkaSource } from '../../../src/ingest/kafka-source.ts'
import type { PartitionPosition } from '../../../src/ingest/source.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { ScriptedKafka } from '../../support/scripted-kafka.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'

let clock: VirtualClock
let kafka: ScriptedKafka
let opened: KafkaSource[]

beforeEach(() => {
  clock = new VirtualClock()
  kafka = new ScriptedKafka(clock)
  opened = []
})

afterEach(async () => {
  for (const source of opened) await source.close()
})

async function open(
  share: KafkaShare,
  topics: readonly string[],
  positions: ReadonlyMap<string, PartitionPosition> = new Map(),
  from: 'earliest' | 'latest' = 'earliest',
): Promise<KafkaSource> {
  const telemetry = { clock, logger: new RecordingLogger(), metrics: new RecordingMetrics() }
  const options = { brokers: ['unused:1'], topics, from, share }
  const source = new KafkaSource('orders', options, telemetry, {
    network: kafka,
    random: () => 0.5,
  })
  opened.push(source)
  await source.open(positions)
  await settle()
  return source
}

const names = (source: KafkaSource): string[] => source.partitions().map(({ name }) => name)

test('shares of topics hold every partition once, and spread topics of one partition', async () => {
  kafka.create('orders', 3)
  kafka.create('a', 1)
  kafka.create('b', 1)
  const shares = []
  for (const index of [0, 1]) {
    shares.push(names(await open({ index, of: 2, fixed: false }, ['orders', 'a', 'b'])))
  }
  assert.deepEqual(shares, [
    ['orders-0', 'orders-2', 'b-0'],
    ['orders-1', 'a-0'],
  ])
})

test('where users belong to partitions, those of equal number go together', async () => {
  kafka.create('orders', 2)
  kafka.create('payments', 2)
  const source = await open({ index: 1, of: 2, fixed: true }, ['orders', 'payments'])
  assert.deepEqual(names(source), ['orders-1', 'payments-1'])
})

test('a partition that came while Warden was away is read from its beginning, by whichever share', async () => {
  kafka.create('orders', 3)
  kafka.partition('orders', 2).append(5, 1_000)
  const identity = names(await open({ index: 0, of: 1, fixed: false }, ['orders']))
  assert.equal(identity.length, 3)
  const known = opened[0]?.partitions()[0]?.position
  assert.ok(known)
  const positions = new Map([0, 1].map((n) => [`orders-${n}`, known]))
  const share = { index: 2, of: 3, fixed: false }
  const source = await open(share, ['orders'], positions, 'latest')
  assert.deepEqual(
    source.partitions().map(({ name, position }) => [name, position.offset]),
    [['orders-2', 0]],
  )
})

test('more partitions move users: where those belong to partitions, every share fails so that all start anew', async () => {
  kafka.create('orders', 2)
  const source = await open({ index: 0, of: 2, fixed: true }, ['orders'])
  kafka.create('orders', 3)
  await clock.advance(31_000)
  await settle()
  await assert.rejects(source.ready(new AbortController().signal), (error) => {
    assert.ok(error instanceof WardenError)
    assert.deepEqual([error.code, error.recovery], ['partitions_changed', 'retry'])
    return true
  })
})
