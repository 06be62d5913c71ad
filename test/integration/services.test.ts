import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Kafka, Partitioners } from 'kafkajs'
import { isAlive } from '../support/free-ports.ts'
import { kafkaMissing } from '../support/kafka-cli.ts'
import { kafkaJs } from '../support/kafka-cluster.ts'
import { type KafkaService, startKafka } from '../support/kafka-service.ts'
import {
  type OpentsdbService,
  opentsdbMissing,
  startOpentsdb,
} from '../support/opentsdb-service.ts'
import { until } from '../support/until.ts'

async function produce(kafka: Kafka, topic: string, count: number): Promise<void> {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const messages = Array.from({ length: count }, (_, i) => ({
    partition: i % 4,
    value: String(i),
  }))
  await producer.send({ topic, acks: -1, messages })
  await producer.disconnect()
}

/** Values of all records once there are `count`, sorted. */
async function consume(kafka: Kafka, topic: string, count: number): Promise<number[]> {
  const consumer = kafka.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  /** Under their positions: a member that is thrown out of its group reads again. */
  const values = new Map<string, number>()
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      values.set(`${partition}-${message.offset}`, Number(message.value))
    },
  })
  await until(`${count} records`, () => values.size >= count, 90_000)
  await consumer.disconnect()
  return [...values.values()].sort((a, b) => a - b)
}

const firstNumbers = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('a Kafka of its own', { skip: kafkaMissing() ?? false, timeout: 600_000 }, () => {
  let kafka: KafkaService
  before(async () => {
    kafka = await startKafka({ saslSsl: true })
  })
  after(() => kafka.stop())

  test('gives back a thousand records, also after a restart and after kill -9', async () => {
    await kafka.createTopic('numbers', 4)
    const client = kafkaJs(kafka.address)
    await produce(client, 'numbers', 1000)
    assert.deepEqual(await consume(client, 'numbers', 1000), firstNumbers(1000))

    await kafka.restart()
    assert.deepEqual(await consume(client, 'numbers', 1000), firstNumbers(1000))

    await kafka.kill()
    await kafka.start()
    assert.deepEqual(await consume(client, 'numbers', 1000), firstNumbers(1000))
  })

  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
    test(`takes records over TLS from a user known by ${mechanism}`, async () => {
      const sasl = kafka.address.sasl
      assert.ok(sasl !== undefined)
      await kafka.createTopic(mechanism, 4)
      const client = kafkaJs(kafka.address, {
        brokers: [sasl.bootstrap],
        ssl: { ca: [sasl.caPem] },
        sasl: { mechanism, username: sasl.username, password: sasl.password } as never,
      })
      await produce(client, mechanism, 40)
      assert.deepEqual(await consume(client, mechanism, 40), firstNumbers(40))
    })
  }

  test('refuses a wrong password, and an authority it was not signed by', async () => {
    const sasl = kafka.address.sasl
    assert.ok(sasl !== undefined)
    const settings = { brokers: [sasl.bootstrap], retry: { retries: 0 } }
    const wrong = { mechanism: 'scram-sha-512', username: sasl.username, password: 'x' } as const
    const intruder = kafkaJs(kafka.address, { ...settings, ssl: { ca: [sasl.caPem] }, sasl: wrong })
    await assert.rejects(intruder.admin().connect(), /SASL|authentication/i)
    const stranger = kafkaJs(kafka.address, { ...settings, ssl: true, sasl: wrong })
    await assert.rejects(stranger.admin().connect(), /certificate/i)
  })

  test('adds partitions, deletes records and deletes the topic', async () => {
    await kafka.createTopic('changing', 2)
    await kafka.addPartitions('changing', 4)
    await produce(kafkaJs(kafka.address), 'changing', 40)
    await kafka.deleteRecords('changing', new Map([[0, 5]]))
    const earliest = await kafka.cli('get-offsets', ['--topic', 'changing', '--time', 'earliest'])
    assert.match(earliest, /changing:0:5\n/)
    assert.deepEqual([...(await kafka.endOffsets('changing')).values()], [10, 10, 10, 10])
    await kafka.deleteTopic('changing')
    assert.doesNotMatch(await kafka.cli('topics', ['--list']), /changing/)
  })
})

describe('a Kafka of three brokers', { skip: kafkaMissing() ?? false, timeout: 600_000 }, () => {
  let kafka: KafkaService
  before(async () => {
    kafka = await startKafka({ brokers: 3 })
  })
  after(() => kafka.stop())

  test('moves a leader where it is told to, and away from a killed broker', async () => {
    await kafka.createTopic('led', 4)
    await produce(kafkaJs(kafka.address), 'led', 1000)
    for (const broker of [2, 3]) {
      await kafka.moveLeader('led', 0, broker)
      assert.equal((await kafka.leaders('led')).get(0), broker)
    }
    await kafka.kill(3)
    await until('another broker leads', async () => {
      const leaders = [...(await kafka.leaders('led')).values()]
      return leaders.every((leader) => leader !== 3 && leader >= 0)
    })
    await kafka.start(3)
    assert.deepEqual(await consume(kafkaJs(kafka.address), 'led', 1000), firstNumbers(1000))
  })
})

describe('an OpenTSDB of its own', { skip: opentsdbMissing() ?? false, timeout: 600_000 }, () => {
  let opentsdb: OpentsdbService
  before(async () => {
    opentsdb = await startOpentsdb()
  })
  after(() => opentsdb.stop())

  const start = 1_700_000_000
  const put = async (from: number) => {
    const points = firstNumbers(50).map((i) => ({
      metric: 'services.test',
      timestamp: start + from + i,
      value: `${i}.0`,
      tags: { host: 'a' },
    }))
    const response = await fetch(`${opentsdb.url}/api/put?sync&summary&sync_timeout=10000`, {
      method: 'POST',
      body: JSON.stringify(points),
    })
    return response.json()
  }
  const stored = async (): Promise<number> => {
    const query = `start=${start}&end=${start + 3600}&m=none:services.test`
    const response = await fetch(`${opentsdb.url}/api/query?${query}`)
    const series = (await response.json()) as { dps: Record<string, number> }[]
    return Object.keys(series[0]?.dps ?? {}).length
  }

  test('keeps the points it acknowledged over a kill -9 of the TSD and of HBase', async () => {
    assert.deepEqual(await put(0), { success: 50, failed: 0, timeouts: 0 })
    assert.equal(await stored(), 50)
    await opentsdb.killTsd()
    await opentsdb.startTsd()
    assert.equal(await stored(), 50)
    assert.deepEqual(await put(50), { success: 50, failed: 0, timeouts: 0 })
    await opentsdb.killHbase()
    await opentsdb.startHbase()
    await until('the TSD has found HBase again', () => opentsdb.stores(), 60_000)
    assert.equal(await stored(), 100)
  })

  test('answers nothing while HBase is frozen, and goes on after', async () => {
    opentsdb.freezeHbase()
    const query = fetch(`${opentsdb.url}/api/suggest?type=metrics&q=s`, {
      signal: AbortSignal.timeout(1000),
    })
    await assert.rejects(query, { name: 'TimeoutError' })
    opentsdb.thawHbase()
    await until('points are stored again', () => opentsdb.stores(), 60_000)
  })
})

describe('what a test started', { skip: kafkaMissing() ?? false, timeout: 600_000 }, () => {
  test('is gone after stop: processes and data', async () => {
    const kafka = await startKafka()
    const pid = kafka.processes.pid('broker-1') ?? 0
    assert.ok(isAlive(pid))
    await kafka.stop()
    assert.ok(!isAlive(pid))
    assert.ok(!existsSync(kafka.processes.directory))
  })

  test('is gone after the test process was killed with -9', async () => {
    const script = `
      const { startKafka } = await import(process.argv[1])
      const kafka = await startKafka()
      console.log(JSON.stringify([kafka.processes.pid('broker-1'), kafka.processes.directory]))
      setInterval(() => {}, 1000)`
    const module = fileURLToPath(new URL('../support/kafka-service.ts', import.meta.url))
    const tsx = import.meta.resolve('tsx')
    const arguments_ = ['--import', tsx, '--input-type=module', '-e', script, module]
    const child = spawn(process.execPath, arguments_, { stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
    })
    await until('its Kafka runs', () => printed.endsWith('\n'), 90_000)
    const [pid, directory] = JSON.parse(printed) as [number, string]
    assert.ok(isAlive(pid))
    child.kill('SIGKILL')
    await until('the broker is gone', () => !isAlive(pid))
    await until('its data is gone', () => !existsSync(directory))
  })
})
