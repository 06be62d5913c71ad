import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type KafkaService, startKafka } from '../support/kafka-service.ts'
import { type OpentsdbService, startOpentsdb } from '../support/opentsdb-service.ts'
import { until } from '../support/until.ts'
import { WardenHome, type WardenProcess } from '../support/warden-process.ts'
import { countTopic } from './brute-force.ts'
import { assertEveryRecordOnce, assertSamePoints, expectedPoints } from './compare-points.ts'
import {
  closingEvents,
  defaultSpec,
  type EventSpec,
  eventStream,
  lateEvents,
} from './event-stream.ts'
import {
  figuresOf,
  lendingConfig,
  lendingJobMapping,
  sidePositions,
  untilCommitted,
  whileOpen,
} from './lending-job.ts'
import { produceEvents } from './make-events.ts'
import { readOpentsdb } from './read-opentsdb.ts'
import { readTopic } from './records.ts'

const hourMs = 3_600_000
const outageMs = 60_000
const lateCount = 300
const perSecond = 1_500

/** A window closes every 3,000 events, which is every two seconds; as much is sent as the outages take. */
const spec: EventSpec = {
  ...defaultSpec,
  seed: 11,
  count: 1_500_000,
  spanMs: 500 * hourMs,
  users: 3_000,
}

const topic = 'outages'
const prefix = 'outages.'
const group = 'warden-outages'
const oldestUnwritten = 'warden_oldest_unwritten_pane_seconds{sink="tsdb"}'

// Both are stopped, so they are this file's own.
let kafka: KafkaService
let opentsdb: OpentsdbService

before(async () => {
  kafka = await startKafka()
  opentsdb = await startOpentsdb()
})
after(async () => {
  await kafka?.stop()
  await opentsdb?.stop()
})

test('a broker that restarts and an OpenTSDB that is away for a minute: nothing is missing, nothing doubled', async (t) => {
  const { bootstrap } = kafka
  await kafka.createTopic(topic, spec.partitions)
  const home = new WardenHome(
    lendingConfig({
      bootstrap,
      topic,
      group,
      checkpointInterval: '1s',
      sinks: { tsdb: { type: 'opentsdb', url: opentsdb.url, prefix } },
    }),
  )
  const over = new AbortController()
  const feeding = produceEvents(whileOpen(eventStream(spec), over.signal), {
    bootstrap,
    topic,
    perSecond,
  })
  const warden = home.run()
  t.after(async () => {
    over.abort()
    await warden.kill()
    await feeding.catch(() => {})
    home.remove()
  })
  await untilWritten(warden, 2)

  await t.test('the broker restarts while events are read', async () => {
    const before = await records(warden)
    await kafka.restart()
    await until('Warden reads again', async () => (await records(warden)) > before + perSecond)
    assert.ok(warden.isRunning)
    await untilWritten(warden, 2)
  })

  await t.test(
    'while OpenTSDB is away Warden counts on, is ready, and names the sink',
    async () => {
      await opentsdb.stopTsd()
      const away = performance.now()
      await until('the sink is in trouble', async () => (await warden.health()).troubles.length > 0)
      const { code, troubles } = await warden.health()
      assert.equal(code, 200, troubles.join('\n'))
      assert.match(troubles.join('\n'), /sink tsdb is (open|half-open|retrying): .*ECONNREFUSED/)
      const before = await warden.metrics()
      await sleep(outageMs - (performance.now() - away))
      const atEnd = await warden.metrics()
      const grown = age(atEnd) - age(before)
      assert.ok(grown > 0, `${oldestUnwritten} went from ${age(before)} to ${age(atEnd)}`)
      assert.ok(count(atEnd) > count(before), 'Warden counts on')
      assert.equal((await warden.health()).code, 200)
    },
  )

  await t.test('when OpenTSDB is back everything is written by itself', async () => {
    await opentsdb.startTsd()
    await untilWritten(warden, 1)
    await until('no trouble is left', async () => (await warden.health()).troubles.length === 0)
  })

  over.abort()
  const produced =
    (await feeding) + (await produceEvents(closingEvents(spec, hourMs), { bootstrap, topic }))
  await untilCommitted(kafka.address, topic, group)
  const late = await produceEvents(lateEvents(spec, lateCount), { bootstrap, topic })
  await untilCommitted(kafka.address, topic, group)

  const expected = await countTopic(bootstrap, topic, lendingJobMapping)
  // Where an acknowledgement was lost, the producer has sent its batch again.
  assert.ok(expected.records >= produced + late)
  assert.equal(expected.late.size, lateCount)
  const figures = await figuresOf(warden, expected.records)
  await warden.stop()
  const errors = warden.lines.filter(({ level }) => level === 'error')
  assert.deepEqual(errors, [])
  const points = assertSamePoints(
    await readOpentsdb(opentsdb.url, prefix),
    expectedPoints(expected, prefix),
  )
  assertEveryRecordOnce(home, figures, expected)
  t.diagnostic(
    `${expected.records} events = ${expected.counted} counted + ${late} late + ${expected.garbage.size} dead, ` +
      `${expected.records - produced - late} of them sent twice by the producer; ${points} points equal`,
  )
})

test('checkpoints that a frozen broker holds up make the job start again by itself: nothing is missing, nothing doubled', async (t) => {
  const { bootstrap } = kafka
  const frozen = { topic: 'frozen', prefix: 'frozen.', group: 'warden-frozen', dead: 'frozen-dead' }
  await kafka.createTopic(frozen.topic, spec.partitions)
  await kafka.createTopic(frozen.dead, 1)
  const config = lendingConfig({
    bootstrap,
    topic: frozen.topic,
    group: frozen.group,
    sinks: { tsdb: { type: 'opentsdb', url: opentsdb.url, prefix: frozen.prefix } },
  })
  const home = new WardenHome({
    ...config,
    deadLetters: { type: 'kafka', brokers: [bootstrap], topic: frozen.dead },
    checkpoint: { interval: '500ms', minPause: '100ms', timeout: '1s', toleratedFailures: 1 },
  })
  const over = new AbortController()
  const feeding = produceEvents(whileOpen(eventStream(spec), over.signal), {
    bootstrap,
    topic: frozen.topic,
    perSecond,
  })
  const warden = home.run()
  t.after(async () => {
    over.abort()
    kafka.thaw()
    await warden.kill()
    await feeding.catch(() => {})
    home.remove()
  })
  await untilWritten(warden, 1)

  // A checkpoint waits for the broker when there are dead letters in it: nearly always.
  const lines = (text: string) => warden.lines.filter(({ msg }) => msg.includes(text)).length
  const gaveUp = () => lines('too many checkpoints failed') > 0
  const attempts = 5
  for (let attempt = 1; !gaveUp(); attempt++) {
    assert.ok(attempt <= attempts, 'no checkpoint waited for the frozen broker')
    await untilWritten(warden, 1)
    kafka.freeze()
    await until('the checkpoints are given up', gaveUp, 8_000).catch(() => {})
    kafka.thaw()
  }
  await warden.until('the job starts again', ({ msg }) => msg.includes('starts again'))
  await untilWritten(warden, 2)

  over.abort()
  const { topic, group } = frozen
  const produced =
    (await feeding) + (await produceEvents(closingEvents(spec, hourMs), { bootstrap, topic }))
  await untilCommitted(kafka.address, topic, group)
  const expected = await countTopic(bootstrap, topic, lendingJobMapping)
  await figuresOf(warden, expected.records)
  await warden.stop()
  const points = assertSamePoints(
    await readOpentsdb(opentsdb.url, frozen.prefix),
    expectedPoints(expected, frozen.prefix),
  )
  assert.deepEqual(sidePositions(home, 'late-events').positions, [])
  // A topic takes a dead letter at least once.
  const dead = new Set<string>()
  let letters = 0
  await readTopic(bootstrap, frozen.dead, ({ value }) => {
    letters++
    const { partition, offset } = JSON.parse(String(value))
    dead.add(`${partition.slice(partition.lastIndexOf('-') + 1)}-${offset}`)
  })
  assert.deepEqual([...dead].sort(), [...expected.garbage.keys()].sort())
  t.diagnostic(
    `${lines('starts again')} restarts; ${expected.records} events, ${expected.records - produced} of them sent twice by the producer; ` +
      `${points} points equal; ${letters} dead letters of ${dead.size} records`,
  )
})

const age = (figures: ReadonlyMap<string, number>): number => figures.get(oldestUnwritten) ?? -1
const count = (figures: ReadonlyMap<string, number>): number =>
  figures.get('warden_rows_total{metric="loan"}') ?? -1

async function records(warden: WardenProcess): Promise<number> {
  return (await warden.metrics()).get('warden_records_total{source="orders"}') ?? 0
}

/** Resolves when so many more windows were committed, and after that there was a time when the sink had written all. */
async function untilWritten(warden: WardenProcess, windows: number): Promise<void> {
  const from = warden.lines.length
  await until(
    `${windows} more windows are committed and written`,
    async () => {
      const committed = warden.lines.slice(from).filter(({ msg }) => msg === 'panes committed')
      if (committed.length < windows) return false
      const { sinks } = await warden.health()
      return sinks.every(({ oldestUnwrittenAt }) => oldestUnwrittenAt === undefined)
    },
    180_000,
  )
}
