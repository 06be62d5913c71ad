import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, type TestContext, test } from 'node:test'
import { HoldingProxy } from '../support/holding-proxy.ts'
import type { KafkaCluster } from '../support/kafka-cluster.ts'
import { type Shared, sharedKafka, sharedOpentsdb } from '../support/shared-services.ts'
import { type LogLine, WardenHome, type WardenProcess } from '../support/warden-process.ts'
import { BruteForce } from './brute-force.ts'
import { assertEveryRecordOnce, assertSamePoints, expectedPoints } from './compare-points.ts'
import {
  closingEvents,
  defaultSpec,
  type EventSpec,
  eventStream,
  lateEvents,
} from './event-stream.ts'
import { killIn, type Phase, phases } from './kill-phases.ts'
import { lateLanding } from './late-landing.ts'
import {
  figuresOf,
  lendingConfig,
  lendingJobMapping,
  untilCommitted,
  whileOpen,
} from './lending-job.ts'
import { produceEvents } from './make-events.ts'
import { readOpentsdb } from './read-opentsdb.ts'
import { readTopic } from './records.ts'

const hourMs = 3_600_000
const lateCount = 500
const killsPerPhase = 4
const laneCounts = [2, 1, 4, 3]
const mostRounds = 80
const backlogKills = 6
const perSecond = 4_000

/** A window closes every 4,000 events, which is every second; only as much is sent as the kills take: seconds each, a minute on a busy machine. */
const spec: EventSpec = {
  ...defaultSpec,
  seed: 7,
  count: 4_000_000,
  spanMs: 1_000 * hourMs,
  users: 3_000,
}

let kafka: Shared<KafkaCluster>
let opentsdb: Shared<{ readonly url: string }>
let proxy: HoldingProxy

before(async () => {
  kafka = await sharedKafka()
  opentsdb = await sharedOpentsdb()
  proxy = await HoldingProxy.start(opentsdb.service.url)
})
after(async () => {
  await proxy?.close()
  await kafka?.release()
  await opentsdb?.release()
})

// One of them mostly waits.
describe('killed with kill -9', { concurrency: 2 }, () => {
  test('again and again, in every phase: nothing is missing, nothing doubled', everyPhase)
  test('in a POST that lands after newer ones: the newest value stands in the end', (t) =>
    lateLanding(t, kafka.service, opentsdb.service.url))
})

async function everyPhase(t: TestContext): Promise<void> {
  const id = randomBytes(3).toString('hex')
  const topic = `kills-${id}`
  const { address, bootstrap } = kafka.service
  await kafka.service.createTopic(topic, spec.partitions)
  const job = (name: string, checkpointInterval: string, keep: 'best' | 'last'): Job => {
    const prefix = `${name}.${id}.`
    const sinks = { tsdb: { type: 'opentsdb', url: proxy.url, prefix } }
    const group = `${name}-${id}`
    const config = lendingConfig({ bootstrap, topic, group, checkpointInterval, keep, sinks })
    const bruteForce = new BruteForce({ ...lendingJobMapping, keep })
    return { home: new WardenHome(config), prefix, group, bruteForce, complaints: [] }
  }
  const live = job('kills', '1s', 'best')
  const backlog = job('backlog', '200ms', 'last')
  const over = new AbortController()
  const feeding = produceEvents(whileOpen(eventStream(spec), over.signal), {
    bootstrap,
    topic,
    perSecond,
  })
  const started: WardenProcess[] = []
  t.after(async () => {
    over.abort()
    for (const warden of started) await warden.kill()
    await feeding.catch(() => {})
    for (const { home } of [live, backlog]) home.remove()
  })
  const run = (one: Job): WardenProcess => {
    const { home } = one
    // The one that is killed in a backlog has other lanes in every life.
    if (one === backlog) home.change({ lanes: laneCounts[started.length % laneCounts.length] })
    const warden = home.run()
    started.push(warden)
    return warden
  }

  const kills = await killInEveryPhase(live, run, (line) => t.diagnostic(line))
  over.abort()
  const produced =
    (await feeding) + (await produceEvents(closingEvents(spec, hourMs), { bootstrap, topic }))
  const inBacklog = await killInBacklog(backlog, run)
  t.diagnostic(`${inBacklog} kills while it read all of that at full speed`)

  // Late for sure: the watermark that all of it gave is in a checkpoint.
  for (const one of [live, backlog]) {
    const warden = run(one)
    await untilCommitted(address, topic, one.group)
    await end(one, warden)
  }
  const late = await produceEvents(lateEvents(spec, lateCount), { bootstrap, topic })
  await readTopic(bootstrap, topic, (record) => {
    for (const { bruteForce } of [live, backlog]) bruteForce.add(record)
  })
  for (const one of [live, backlog]) {
    const expected = one.bruteForce.expected()
    assert.equal(expected.records, produced + late)
    assert.equal(expected.late.size, lateCount)
    const warden = run(one)
    await untilCommitted(address, topic, one.group)
    const figures = await figuresOf(warden, produced + late)
    await end(one, warden)
    const points = assertSamePoints(
      await readOpentsdb(opentsdb.service.url, one.prefix),
      expectedPoints(expected, one.prefix),
    )
    assertEveryRecordOnce(one.home, figures, expected)
    // Warnings tell of what cured itself, which a busy machine brings about.
    for (const line of one.complaints) t.diagnostic(JSON.stringify(line))
    assert.deepEqual(
      one.complaints.filter(({ level }) => level === 'error'),
      [],
    )
    const { records, counted, garbage } = expected
    t.diagnostic(
      `${one.prefix}: ${points} points equal; ${records} events = ${counted} counted + ${late} late + ${garbage.size} dead`,
    )
  }
  t.diagnostic(
    `${inBacklog + [...kills.values()].reduce((sum, n) => sum + n)} kills (${summary(kills)}, in a backlog: ${inBacklog})`,
  )
}

interface Job {
  readonly home: WardenHome
  readonly prefix: string
  readonly group: string
  readonly bruteForce: BruteForce
  /** Warnings and errors of all lives. */
  readonly complaints: LogLine[]
}

/** Until every phase has had its kills. */
async function killInEveryPhase(
  job: Job,
  run: (job: Job) => WardenProcess,
  report: (line: string) => void,
): Promise<ReadonlyMap<Phase, number>> {
  const kills = new Map<Phase, number>(phases.map((phase) => [phase, 0]))
  let durable = 0
  for (let round = 1; ; round++) {
    const aim = [...kills].sort(([, a], [, b]) => a - b).find(([, n]) => n < killsPerPhase)?.[0]
    if (aim === undefined) return kills
    assert.ok(round <= mostRounds, `${mostRounds} kills were not enough: ${summary(kills)}`)
    const begun = performance.now()
    const warden = run(job)
    const death = await killIn(aim, warden, proxy, kills.get(aim) ?? 0)
    job.complaints.push(...complaintsOf(warden))
    const { phase, firstCheckpoint, lastCheckpoint } = death
    assertProgress(durable, firstCheckpoint)
    durable = lastCheckpoint
    if (phase !== undefined) kills.set(phase, (kills.get(phase) ?? 0) + 1)
    const seconds = Math.round((performance.now() - begun) / 100) / 10
    const missed = phase === aim ? '' : `, aimed at: ${aim}`
    report(
      `kill ${round}: ${phase ?? 'ended by itself'}${missed}; checkpoints ${firstCheckpoint}–${lastCheckpoint} in ${seconds} s`,
    )
  }
}

/** Anywhere after its first checkpoint, until it has read to the end. @returns the kills */
async function killInBacklog(job: Job, run: (job: Job) => WardenProcess): Promise<number> {
  let durable = 0
  for (let kills = 0; kills < backlogKills; kills++) {
    const warden = run(job)
    await warden.until('a checkpoint', ({ msg }) => msg === 'checkpoint durable')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 200))
    await warden.kill()
    job.complaints.push(...complaintsOf(warden))
    const checkpoints = warden.lines.filter(({ msg }) => msg === 'checkpoint durable')
    assertProgress(durable, Number(checkpoints[0]?.checkpoint))
    durable = Number(checkpoints.at(-1)?.checkpoint)
  }
  return backlogKills
}

function assertProgress(durable: number, next: number): void {
  assert.ok(next > durable, `checkpoint ${durable} was durable, and the next life made ${next}`)
}

async function end(job: Job, warden: WardenProcess): Promise<void> {
  await warden.stop()
  job.complaints.push(...complaintsOf(warden))
}

function summary(kills: ReadonlyMap<Phase, number>): string {
  return [...kills].map(([phase, count]) => `${phase}: ${count}`).join(', ')
}

function complaintsOf(warden: WardenProcess): LogLine[] {
  return warden.lines.filter(({ level }) => level === 'warn' || level === 'error')
}
