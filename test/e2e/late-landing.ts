import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { HoldingProxy } from '../support/holding-proxy.ts'
import type { KafkaCluster } from '../support/kafka-cluster.ts'
import { until } from '../support/until.ts'
import { WardenHome } from '../support/warden-process.ts'
import { defaultSpec, type StreamRecord } from './event-stream.ts'
import { lendingConfig } from './lending-job.ts'
import { produceEvents } from './make-events.ts'
import { pointKey, readOpentsdb } from './read-opentsdb.ts'

const hourMs = 3_600_000
const { startMs } = defaultSpec

/** Longer than Warden lets a store settle, 2 min without a failure, and than it takes to start on a machine full of work. */
const patienceMs = 300_000

/**
 * A put is on its way when Warden dies. The next Warden writes that point and then a newer value of it; only then the old put
 * gets to the store, as one does that waits in a TSD.
 */
export async function lateLanding(
  t: TestContext,
  kafka: KafkaCluster,
  opentsdbUrl: string,
): Promise<void> {
  const id = randomBytes(3).toString('hex')
  const topic = `landing-${id}`
  const prefix = `landing.${id}.`
  const proxy = await HoldingProxy.start(opentsdbUrl, { forwardsOfGone: true })
  t.after(() => proxy.close())
  const { bootstrap } = kafka
  await kafka.createTopic(topic, 1)
  const sinks = { tsdb: { type: 'opentsdb', url: proxy.url, prefix } }
  const home = new WardenHome(
    lendingConfig({ bootstrap, topic, checkpointInterval: '200ms', sinks }),
  )
  t.after(() => home.remove())
  const key = pointKey(`${prefix}loan.users`, { bizLine: 'cash', product: 'p1' }, startMs / 1000)
  const stored = async () => (await readOpentsdb(opentsdbUrl, prefix)).get(key)

  await produceEvents([loan('u1', 0), loan('u2', 0), loan('u1', hourMs + 60_000)], {
    bootstrap,
    topic,
  })
  proxy.hold = 'request'
  const held = new Promise<void>((resolve) => proxy.onHeld(() => resolve()))
  const first = home.run()
  t.after(() => first.kill())
  await held
  await first.kill()
  assert.equal(await stored(), undefined)

  proxy.hold = 'none'
  await produceEvents([loan('u3', 0)], { bootstrap, topic })
  const second = home.run()
  t.after(() => second.kill())
  await until('the newer value is written', async () => (await stored()) === 3, patienceMs)
  proxy.release()
  await until('the older put lands on it', async () => (await stored()) === 2, patienceMs)
  const landed = performance.now()
  await until('the newer value stands again', async () => (await stored()) === 3, patienceMs, 500)
  const seconds = Math.round((performance.now() - landed) / 1000)
  await second.stop()
  t.diagnostic(`the older value stood for ${seconds} s`)
}

function loan(user: string, afterMs: number): StreamRecord {
  const eventTime = startMs + afterMs
  const fields = { event: 'loan', status: 'success', bizLine: 'cash', product: 'p1' }
  return {
    partition: 0,
    timestamp: startMs + 2 * hourMs,
    value: JSON.stringify({ eventTime, userId: user, ...fields }),
  }
}
