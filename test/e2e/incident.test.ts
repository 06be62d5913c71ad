import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { type KafkaService, startKafka } from '../support/kafka-service.ts'
import { until } from '../support/until.ts'
import { WardenHome } from '../support/warden-process.ts'
import {
  evaluationDelayMs,
  IncidentJob,
  outOfOrdernessMs,
  products,
  windowMs,
} from './incident-job.ts'

/** What a busy machine may add to the delays of the config. */
const slackMs = 5_000

// Its clients are throttled, so it is this file's own.
let kafka: KafkaService

before(async () => {
  // What builds Warden holds this process up: before anything is waited for.
  new WardenHome({}).remove()
  kafka = await startKafka()
})
after(async () => {
  await kafka?.stop()
})

describe('the incident, with a real Kafka and a store that misbehaves', {
  concurrency: true,
}, () => {
  test('(b) a store that answers 500: one message, no zero, one when it is over, and its values are right', async (t) => {
    const job = await start(t)
    job.storeFails(true)
    await job.untilSaid('firing store SINK_FAILING')
    await job.windowsPass(3)
    job.storeFails(false)
    await job.untilSaid('resolved store SINK_FAILING')
    await ended(t, job, ['firing store SINK_FAILING', 'resolved store SINK_FAILING'])
  })

  test('(b2) the store fails and a product stops: its zero is told, and that the dashboard cannot show it', async (t) => {
    const job = await start(t)
    job.storeFails(true)
    job.business.run('a', 'c')
    const zero = await job.untilSaid('firing dead ZERO b')
    assert.equal(zero.alerts[0]?.verdict?.delivery, 'unwritten')
    const card = await until('the card', () =>
      job.feishu.messages.find(({ text }) => text.includes(zero.id)),
    )
    // Around :00 and :30 nothing leaves at once, and what waited is a digest without details.
    if (!card.text.includes('DIGEST')) {
      assert.match(card.text, /really zero/)
      assert.match(card.text, /The dashboard can't show it: the store has not taken the points/)
      assert.match(card.text, /tsdb: HTTP 500/)
    }
    job.business.run(...products)
    await job.untilSaid('resolved dead ZERO b')
    job.storeFails(false)
    await job.untilSaid('resolved store SINK_FAILING')
    const store = ['firing store SINK_FAILING', 'resolved store SINK_FAILING']
    await ended(t, job, [...store, 'firing dead ZERO b', 'resolved dead ZERO b'])
  })

  test('(c) a producer that stops is a silent source, and no zero', async (t) => {
    const job = await start(t)
    await job.business.pause()
    const held = await job.untilSaid('cannot-judge dead SOURCE_SILENT')
    assert.match(held.alerts[0]?.reason ?? '', /every partition stands at its end/)
    for (const { value } of await job.verdicts(products.length)) {
      assert.equal(value, 'SOURCE_SILENT')
    }
    job.business.run(...products)
    await job.untilSaid('resolved dead SOURCE_SILENT')
    await ended(t, job, ['cannot-judge dead SOURCE_SILENT', 'resolved dead SOURCE_SILENT'])
  })

  test('(d) one product stops while others go on: zero within a window and the delay', async (t) => {
    const job = await start(t)
    const stopped = Date.now()
    job.business.run('a', 'c')
    await job.untilSaid('firing dead ZERO b')
    const line = job.warden.lines.find(({ msg }) => msg === 'decided on a message')
    const firstEmpty = stopped - (stopped % windowMs) + windowMs
    const due = firstEmpty + windowMs + outOfOrdernessMs + evaluationDelayMs
    const decided = Number(new Date(line?.time as string | number))
    assert.ok(
      decided >= due && decided < due + slackMs,
      `decided ${decided - due} ms after it was due`,
    )
    t.diagnostic(`decided ${decided - due} ms after it was due`)
    job.business.run(...products)
    await job.untilSaid('resolved dead ZERO b')
    await ended(t, job, ['firing dead ZERO b', 'resolved dead ZERO b'])
  })
})

describe('the incident, with a Kafka that hands out records slower than they come', () => {
  test('(a) a backlog is late, and no zero', async (t) => {
    const job = await start(t)
    await throttle(true)
    const held = await job.untilSaid('cannot-judge dead LATE')
    t.diagnostic(`held: ${held.alerts[0]?.reason}`)
    for (const { value, reason } of await job.verdicts(products.length)) {
      assert.equal(value, 'LATE', reason)
    }
    await throttle(false)
    await job.untilSaid('resolved dead LATE')
    await ended(t, job, ['cannot-judge dead LATE', 'resolved dead LATE'])
  })

  test('(e) all of it at once, killed and restarted in the middle', async (t) => {
    const job = await start(t)
    await throttle(true)
    job.storeFails(true)
    job.business.run('a', 'c')
    await job.untilSaid('firing store SINK_FAILING')
    await job.untilSaid('cannot-judge dead LATE')
    await job.restart()
    await throttle(false)
    await job.untilSaid('resolved dead LATE')
    await job.untilSaid('firing dead ZERO b')
    await job.business.pause()
    await job.untilSaid('cannot-judge dead SOURCE_SILENT')
    await job.restart()
    job.business.run(...products)
    await job.untilSaid('resolved dead ZERO b')
    job.storeFails(false)
    await job.untilSaid('resolved store SINK_FAILING')
    await ended(t, job, [
      'firing store SINK_FAILING',
      'cannot-judge dead LATE',
      'resolved dead LATE',
      'firing dead ZERO b',
      'cannot-judge dead SOURCE_SILENT',
      'resolved dead SOURCE_SILENT',
      'resolved dead ZERO b',
      'resolved store SINK_FAILING',
    ])
  })
})

async function start(t: TestContext): Promise<IncidentJob> {
  const job = await IncidentJob.start(kafka)
  t.after(() => job.remove())
  return job
}

/** Nothing more is said, and the store has what the business did. */
async function ended(t: TestContext, job: IncidentJob, messages: readonly string[]): Promise<void> {
  await job.windowsPass(2)
  await job.untilGood()
  await job.assertExactly(...messages)
  const end = Date.now() - windowMs
  t.diagnostic(`${await job.assertStored(end)} points equal; ${job.said().length} messages`)
  const errors = job.warden.lines.filter(({ level }) => level === 'error')
  assert.deepEqual(errors, [])
}

/** A third of what comes, in bytes. */
const quota = 'consumer_byte_rate=1500'

async function throttle(on: boolean): Promise<void> {
  const change = on ? ['--add-config', quota] : ['--delete-config', 'consumer_byte_rate']
  const whom = ['--entity-type', 'clients', '--entity-name', 'warden']
  await kafka.cli('configs', ['--alter', ...change, ...whom])
}
