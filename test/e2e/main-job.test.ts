import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { KafkaCluster } from '../support/kafka-cluster.ts'
import { type Shared, sharedKafka, sharedOpentsdb } from '../support/shared-services.ts'
import { WardenHome } from '../support/warden-process.ts'
import { countTopic } from './brute-force.ts'
import { assertEveryRecordOnce, assertSamePoints, expectedPoints } from './compare-points.ts'
import { closingEvents, defaultSpec, eventStream, lateEvents } from './event-stream.ts'
import { figuresOf, lendingConfig, lendingJobMapping, untilCommitted } from './lending-job.ts'
import { produceEvents } from './make-events.ts'
import { readOpentsdb } from './read-opentsdb.ts'

const hourMs = 3_600_000
const lateCount = 2_000

let kafka: Shared<KafkaCluster>
let opentsdb: Shared<{ readonly url: string }>

before(async () => {
  kafka = await sharedKafka()
  opentsdb = await sharedOpentsdb()
})
after(async () => {
  await kafka?.release()
  await opentsdb?.release()
})

test('a million events on four partitions: every point in OpenTSDB equals a count by brute force', async (t) => {
  const spec = defaultSpec
  const id = randomBytes(3).toString('hex')
  const topic = `main-${id}`
  const prefix = `main.${id}.`
  const group = `warden-${id}`
  const { address, bootstrap } = kafka.service
  await kafka.service.createTopic(topic, spec.partitions)
  const seconds = stopwatch()
  const produced =
    (await produceEvents(eventStream(spec), { bootstrap, topic })) +
    (await produceEvents(closingEvents(spec, hourMs), { bootstrap, topic }))
  const producedIn = seconds()

  const home = new WardenHome(
    lendingConfig({
      bootstrap,
      topic,
      group,
      sinks: { tsdb: { type: 'opentsdb', url: opentsdb.service.url, prefix } },
    }),
  )
  const warden = home.run()
  t.after(async () => {
    await warden.kill()
    home.remove()
  })
  await untilCommitted(address, topic, group)
  const countedIn = seconds()
  // Late for sure: the watermark that all of it gave is in a checkpoint.
  const late = await produceEvents(lateEvents(spec, lateCount), { bootstrap, topic })
  await untilCommitted(address, topic, group)
  const figures = await figuresOf(warden, produced + late)
  await warden.stop()
  assert.deepEqual(complaints(warden.lines), [])
  const stoppedIn = seconds()

  const expected = await countTopic(bootstrap, topic, lendingJobMapping)
  assert.equal(expected.records, produced + late)
  assert.equal(expected.late.size, lateCount)
  assert.equal(expected.records, expected.counted + expected.late.size + expected.garbage.size)
  const points = assertSamePoints(
    await readOpentsdb(opentsdb.service.url, prefix),
    expectedPoints(expected, prefix),
  )
  assertEveryRecordOnce(home, figures, expected)
  t.diagnostic(
    `${expected.records} events = ${expected.counted} counted + ${late} late + ${expected.garbage.size} dead; ${points} points equal; ` +
      `produced in ${producedIn} s, counted in ${countedIn} s, late and stopped in ${stoppedIn} s, compared in ${seconds()} s`,
  )
})

/** Seconds since the last call. */
function stopwatch(): () => number {
  let since = performance.now()
  return () => {
    const now = performance.now()
    const seconds = Math.round((now - since) / 100) / 10
    since = now
    return seconds
  }
}

/** Nothing here is a reason to complain. */
function complaints(lines: readonly { readonly level: string; readonly msg: string }[]): string[] {
  return lines
    .filter(({ level }) => level === 'warn' || level === 'error')
    .map((line) => JSON.stringify(line))
}
