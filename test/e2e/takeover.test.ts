import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FakeOpentsdb } from '../support/fake-opentsdb.ts'
import type { KafkaCluster } from '../support/kafka-cluster.ts'
import { type Shared, sharedKafka } from '../support/shared-services.ts'
import { until } from '../support/until.ts'
import { type LogLine, totalOf, WardenHome, type WardenProcess } from '../support/warden-process.ts'
import { startZookeeper, type ZookeeperService } from '../support/zookeeper-service.ts'
import { countTopic } from './brute-force.ts'
import { assertSamePoints, expectedPoints } from './compare-points.ts'
import { closingEvents, defaultSpec, type EventSpec, eventStream } from './event-stream.ts'
import {
  lendingConfig,
  lendingJobMapping,
  sidePositions,
  untilCommitted,
  whileOpen,
} from './lending-job.ts'
import { produceEvents } from './make-events.ts'
import { pointKey } from './read-opentsdb.ts'

const hourMs = 3_600_000
const perSecond = 1_000
/** What the issue allows from the death of a leader to the first write of the next. */
const mostTakeoverMs = 30_000
const sessionTimeoutMs = 3_000

/** A window closes every 2,000 events: every two seconds. */
const spec: EventSpec = {
  ...defaultSpec,
  seed: 29,
  count: 600_000,
  spanMs: 300 * hourMs,
  users: 3_000,
}

const topic = `takeover-${process.pid}`
const group = topic
const prefix = 'takeover.'

let kafka: Shared<KafkaCluster>
let zookeeper: ZookeeperService
const store = new FakeOpentsdb()
const shared = mkdtempSync(join(tmpdir(), 'warden-takeover-'))

before(async () => {
  zookeeper = await startZookeeper()
  kafka = await sharedKafka()
  await kafka.service.createTopic(topic, spec.partitions)
  await store.start()
})
after(async () => {
  await store.stop()
  await zookeeper?.stop()
  await kafka?.release()
  rmSync(shared, { recursive: true, force: true })
})

/** Who wrote to the store, and when. */
interface Write {
  readonly who: string
  readonly at: number
}

/** One of the two: a machine of its own but for the directory of the replicas. */
class Contender {
  readonly name: string
  readonly home: WardenHome
  readonly lives: WardenProcess[] = []

  constructor(name: string) {
    this.name = name
    const { bootstrap } = kafka.service
    const headers = { 'x-warden': name }
    const tsdb = { type: 'opentsdb', url: store.url, prefix, headers, settle: '2s' }
    const servers = [`127.0.0.1:${zookeeper.port}`]
    const lease = { type: 'zookeeper', servers, sessionTimeout: `${sessionTimeoutMs}ms` }
    this.home = new WardenHome({
      ...lendingConfig({ bootstrap, topic, group, checkpointInterval: '500ms', sinks: { tsdb } }),
      state: { replica: { dir: shared, interval: '10s' } },
      ha: { lease },
    })
  }

  get warden(): WardenProcess {
    const last = this.lives.at(-1)
    assert.ok(last !== undefined, `${this.name} was never started`)
    return last
  }

  start(): void {
    this.lives.push(this.home.run())
  }

  /** The first such line of this life that was written after `after` others. */
  async line(message: string, after = 0): Promise<LogLine> {
    return await this.warden.until(
      `${this.name}: ${message}`,
      (line) => line.msg.startsWith(message) && this.warden.lines.indexOf(line) >= after,
      60_000,
    )
  }

  /** Where it listens now: it is another port in each role. */
  async ask(path: string): Promise<{ readonly code: number; readonly text: string }> {
    const listening = this.warden.lines.filter(({ msg }) => msg === 'listening').at(-1)
    const [address] = (listening?.addresses ?? []) as readonly { readonly port: number }[]
    const response = await fetch(`http://127.0.0.1:${address?.port}${path}`)
    return { code: response.status, text: await response.text() }
  }

  async figure(name: string): Promise<number> {
    const { text } = await this.ask('/metrics')
    const figures = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(/ (?=[^ ]*$)/))
    return totalOf(new Map(figures.map(([key = '', value]) => [key, Number(value)])), name)
  }
}

test('of two Wardens one counts; the other goes on when it is killed, frozen, or loses ZooKeeper, with equal numbers', async (t) => {
  const { bootstrap, address } = kafka.service
  const writes: Write[] = []
  store.behave = ({ headers }) => {
    writes.push({ who: String(headers['x-warden']), at: performance.now() })
    return undefined
  }
  const a = new Contender('a')
  const b = new Contender('b')
  const over = new AbortController()
  const feeding = produceEvents(whileOpen(eventStream(spec), over.signal), {
    bootstrap,
    topic,
    perSecond,
  })
  t.after(async () => {
    over.abort()
    for (const { lives, home } of [a, b]) {
      for (const warden of lives) await warden.kill()
      home.remove()
    }
    await feeding.catch(() => {})
  })
  const writesOf = ({ name }: Contender, since = 0) =>
    writes.filter(({ who, at }) => who === name && at >= since)
  const firstWriteOf = async (one: Contender, since: number): Promise<number> =>
    await until(`${one.name} writes`, () => writesOf(one, since)[0]?.at ?? false, 60_000)
  /** Something of what it wrote is in no replica. */
  const untilAheadOfReplica = async (one: Contender) => {
    await one.line('state copied')
    const since = performance.now()
    await until(`${one.name} goes on writing`, () => writesOf(one, since).length >= 3)
  }

  a.start()
  await a.line('this Warden leads')
  b.start()
  await b.line('another process holds the lease')
  const standby = await b.ask('/health/ready')
  assert.equal(standby.code, 200)
  assert.match(standby.text, /"status":"standby"/)
  assert.equal((await b.ask('/health/leader')).code, 503)
  assert.equal((await b.ask('/api/savepoints')).code, 503)
  assert.equal(await b.figure('warden_takeovers_total'), 0)
  await untilAheadOfReplica(a)
  assert.equal((await a.ask('/health/leader')).code, 200)
  assert.equal(await a.figure('warden_lease_held'), 1)
  assert.equal(writesOf(b).length, 0)

  // Killed.
  await a.warden.kill()
  const killedAt = performance.now()
  const afterKill = (await firstWriteOf(b, killedAt)) - killedAt
  await b.line('the state is that of the newest replica')
  t.diagnostic(`killed: the standby writes after ${(afterKill / 1000).toFixed(1)} s`)
  assert.ok(afterKill < mostTakeoverMs)

  // Frozen for longer than its session.
  a.start()
  await a.line('another process holds the lease')
  await untilAheadOfReplica(b)
  b.warden.signal('SIGSTOP')
  const frozenAt = performance.now()
  const afterFreeze = (await firstWriteOf(a, frozenAt)) - frozenAt
  t.diagnostic(`frozen: the standby writes after ${(afterFreeze / 1000).toFixed(1)} s`)
  assert.ok(afterFreeze < mostTakeoverMs)
  const known = b.warden.lines.length
  const thawedAt = performance.now()
  b.warden.signal('SIGCONT')
  await b.line('standing by', known)
  await b.line('another process holds the lease', known)
  await sleep(3_000)
  assert.deepEqual(writesOf(b, thawedAt), [], 'the old leader wrote nothing')
  const committed = b.warden.lines.slice(known).filter(({ msg }) => msg === 'checkpoint durable')
  assert.deepEqual(committed, [], 'the old leader committed nothing')
  assert.equal(await b.figure('warden_lease_losses_total'), 1)
  assert.equal(await b.figure('warden_lease_held'), 0)
  assert.ok(a.warden.isRunning && b.warden.isRunning)

  // ZooKeeper away: nobody may write, and nobody ends.
  await untilAheadOfReplica(a)
  const seen = a.warden.lines.length
  await zookeeper.kill()
  const awayAt = performance.now()
  await a.line('standing by', seen)
  const lostAfter = performance.now() - awayAt
  assert.ok(lostAfter < sessionTimeoutMs + 2_000, `lost after ${lostAfter} ms`)
  const nobodySince = performance.now()
  await sleep(5_000)
  assert.deepEqual(
    writes.filter(({ at }) => at >= nobodySince),
    [],
  )
  assert.equal((await a.ask('/health/ready')).code, 503)
  await zookeeper.start()
  const backAt = performance.now()
  const next = await until('somebody writes', () => writes.find(({ at }) => at >= backAt), 60_000)
  t.diagnostic(
    `ZooKeeper back: ${next.who} writes after ${((next.at - backAt) / 1000).toFixed(1)} s`,
  )

  // Each change of the writer is one of the takeovers.
  const turns = writes.filter(({ who }, i) => who !== writes[i - 1]?.who).map(({ who }) => who)
  assert.deepEqual(turns, next.who === 'a' ? ['a', 'b', 'a'] : ['a', 'b', 'a', 'b'])

  over.abort()
  const produced =
    (await feeding) + (await produceEvents(closingEvents(spec, hourMs), { bootstrap, topic }))
  await untilCommitted(address, topic, group)
  const [leader, other] = next.who === 'a' ? [a, b] : [b, a]
  // A clean stop gives the lease back, with a replica of everything.
  const told = other.warden.lines.length
  await leader.warden.stop()
  await other.line('this Warden leads', told)
  await other.line('running', told)
  await other.warden.stop()

  const expected = await countTopic(bootstrap, topic, lendingJobMapping)
  assert.equal(expected.records, produced)
  const stored = [...store.stored.values()].map(
    ({ metric, tags, timestamp, value }) =>
      [pointKey(metric, tags, timestamp), Number(value)] as const,
  )
  const points = assertSamePoints(new Map(stored), expectedPoints(expected, prefix))
  const dead = new Set([a, b].flatMap(({ home }) => sidePositions(home, 'dead-letters').positions))
  assert.deepEqual([...dead].sort(), [...expected.garbage.keys()].sort())
  t.diagnostic(`${points} points equal, of ${produced} events`)
})
