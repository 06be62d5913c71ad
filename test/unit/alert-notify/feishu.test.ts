import assert from 'node:assert/strict'
import { after, afterEach, test } from 'node:test'
import type { Notification } from '../../../src/alert/notification.ts'
import type { MessageStyle } from '../../../src/alert/notify/message/message-style.ts'
import { TimeText } from '../../../src/alert/notify/message/time-text.ts'
import { wordsOf } from '../../../src/alert/notify/message/words.ts'
import { afterPressure } from '../../../src/alert/notify/pressure.ts'
import {
  FeishuNotifier,
  type FeishuOptions,
} from '../../../src/alert/notify/senders/feishu-notifier.ts'
import { feishuSignature } from '../../../src/alert/notify/senders/feishu-signature.ts'
import { SlidingLimit } from '../../../src/alert/notify/sliding-limit.ts'
import { FakeFeishu, type FakeFeishuOptions } from '../../support/fake-feishu.ts'
import { fact, notification } from '../../support/notifications.ts'
import { NotifyRig } from '../../support/notify-rig.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const fakes: FakeFeishu[] = []
const rigs: NotifyRig[] = []
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.desk.stop()
})
after(async () => {
  for (const fake of fakes) await fake.stop()
})

const style: MessageStyle = {
  job: 'lending',
  words: wordsOf.en,
  times: new TimeText('Asia/Shanghai'),
  title: undefined,
  summary: undefined,
  dashboard: undefined,
  links: undefined,
  keyword: undefined,
}

interface Bot {
  readonly fake: FakeFeishu
  readonly rig: NotifyRig
  readonly clock: VirtualClock
}

async function bot(
  server: FakeFeishuOptions = {},
  options: Partial<FeishuOptions> = {},
  startAt = Date.UTC(2026, 10, 20, 6, 10),
): Promise<Bot> {
  const clock = new VirtualClock(startAt)
  const fake = await FakeFeishu.start({ now: () => clock.now(), ...server })
  fakes.push(fake)
  const notifier = new FeishuNotifier(
    {
      receiver: 'ops',
      url: fake.url,
      secret: server.secret,
      format: 'card',
      mention: [],
      timeoutMs: 1_000,
      style: { ...style, keyword: server.keyword },
      ...options,
    },
    clock,
  )
  const limit = new SlidingLimit([
    { messages: 5, perMs: 1_000 },
    { messages: 100, perMs: 60_000 },
  ])
  const rig = new NotifyRig([notifier], {
    clock,
    options: { limit, leaveAt: (now, jitter) => afterPressure(now, jitter) },
  })
  rigs.push(rig)
  return { fake, rig, clock }
}

const many = (count: number, make: (i: number) => Partial<Notification> = () => ({})) =>
  Array.from({ length: count }, (_, i) => notification({ id: `alert-${i}-`, ...make(i) }))

/** Ids of notifications that no message tells of. */
const untold = (fake: FakeFeishu, all: readonly Notification[]) => {
  const text = fake.messages.map((message) => message.text).join('\n')
  return all.map(({ id }) => id).filter((id) => !text.includes(id))
}

test('the signature is that of the documents', () => {
  const expected = 'l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8='
  assert.equal(feishuSignature(1599360473, 'demo'), expected)
})

test('1,000 alerts in a second: 0 lost, 0 refused for rate, every one of them named', async () => {
  const { fake, rig } = await bot({ secret: 's', keyword: 'warden' })
  const all = many(1_000)
  for (let i = 0; i < 10; i++) {
    await rig.decide(...all.slice(i * 100, i * 100 + 100))
    await rig.run(100)
  }
  await rig.run(60_000)
  assert.deepEqual(untold(fake, all), [])
  assert.deepEqual(new Set(fake.codes), new Set([0]))
  assert.ok(fake.messages.length < 40, `${fake.messages.length} messages`)
  assert.equal(
    rig.metrics.value('warden_notifications_total', { receiver: 'ops', outcome: 'sent' }),
    1_000,
  )
})

test('130 alerts, one every 550 ms, are more than 100 a minute: 0 refused for rate', async () => {
  const { fake, rig } = await bot()
  const all = many(130)
  for (const one of all) {
    await rig.decide(one)
    await rig.run(550)
  }
  await rig.run(120_000)
  assert.deepEqual(untold(fake, all), [])
  assert.deepEqual(new Set(fake.codes), new Set([0]))
})

test('30 alerts in a second: all of them delivered, in a digest, and none refused (complaints 1 and 24)', async () => {
  const { fake, rig } = await bot()
  const all = many(30)
  await rig.decide(...all)
  await rig.run(30_000)
  assert.deepEqual(untold(fake, all), [])
  assert.deepEqual(fake.codes, [0])
  assert.match(fake.messages[0]?.text ?? '', /30 messages/)
})

test('five alerts are five cards', async () => {
  const { fake, rig } = await bot()
  await rig.decide(...many(5))
  await rig.run(5_000)
  assert.equal(fake.messages.length, 5)
})

test('a refusal in an HTTP 200, or 9499 for too many requests, is no success: the message is sent again (complaint 1)', async () => {
  for (const [status, body] of [
    [400, '{"code":9499,"msg":"too many request","data":{}}'],
    [200, '{"code":11232,"msg":"frequency limited"}'],
    [400, '{"code":99991400,"msg":"request trigger frequency limit"}'],
    [429, ''],
    [502, '<html>bad gateway</html>'],
    [200, 'not JSON'],
    [200, '{}'],
  ] as const) {
    const { fake, rig } = await bot()
    fake.misbehaviours.push({ kind: 'status', status, body, taken: false })
    await rig.decide(notification())
    await rig.run(5_000)
    assert.equal(fake.messages.length, 1, `${status} ${body}`)
    const outcome = { receiver: 'ops', outcome: 'retried' }
    assert.equal(rig.metrics.value('warden_notifications_total', outcome), 1)
  }
})

test('a message without an answer is sent again and says that it may be a repeat', async () => {
  for (const kind of ['taken-without-answer', 'hang', 'reset'] as const) {
    const { fake, rig } = await bot()
    fake.misbehaviours.push({ kind })
    await rig.decide(notification())
    await rig.run(5_000)
    assert.match(fake.messages.at(-1)?.text ?? '', /may be a repeat/, kind)
    assert.equal(fake.messages.length, kind === 'taken-without-answer' ? 2 : 1)
  }
})

test('nothing leaves around :00 and :30, and what waited there does not leave all at once', async () => {
  for (const minute of [0, 30]) {
    const mark = Date.UTC(2026, 10, 20, 7, minute)
    const { fake, rig } = await bot({}, {}, mark - 1_500)
    await rig.decide(...many(3))
    await rig.run(60_000)
    assert.deepEqual(fake.codes, [0, 0, 0])
    assert.ok(fake.messages.every(({ at }) => at >= mark + 15_000))
  }
  const left = [0, 0.25, 0.5, 0.99].map((jitter) => afterPressure(3_600_000, jitter) - 3_600_000)
  assert.deepEqual(left, [15_000, 18_750, 22_500, 29_850])
  assert.equal(afterPressure(3_590_000, 0.5), 3_590_000)
})

test('a clock that is off by hours is put right by the server’s own, once, and the message is signed anew', async () => {
  const clock = new VirtualClock(Date.UTC(2026, 10, 20, 6, 10))
  const { fake, rig } = await bot({ secret: 's', now: () => clock.now() + 3 * 3_600_000 })
  await rig.decide(notification())
  await rig.run(1_000)
  assert.deepEqual(fake.codes, [19021, 0])
})

test('a wrong secret, address or keyword blocks the receiver: a person is told, nothing is lost, and it goes on when put right', async () => {
  for (const [server, wrong] of [
    [{ secret: 'right' }, { secret: 'wrong' }],
    [{ allowedIps: ['10.0.0.1'] }, {}],
    [{ keyword: 'lending-alert' }, { style }],
  ] as const) {
    const { fake, rig } = await bot(server, wrong)
    await rig.decide(notification({ id: 'first' }), notification({ id: 'second' }))
    await rig.run(3_600_000)
    assert.equal(fake.messages.length, 0)
    assert.ok(fake.codes.length < 40, 'a receiver that is set up wrongly is tried seldom')
    assert.match(rig.logger.messages('error').join(), /set up wrongly/)
    assert.equal(rig.desk.health()[0]?.state, 'blocked')
    fake.options = { now: () => rig.clock.now() }
    await rig.run(400_000)
    assert.deepEqual(
      untold(fake, many(0).concat(notification({ id: 'first' }), notification({ id: 'second' }))),
      [],
    )
  }
})

test('the keyword is in every message: single, digest, heartbeat, recovery', async () => {
  const { fake, rig } = await bot({ keyword: 'lending-alert' })
  await rig.decide(notification())
  await rig.run(2_000)
  await rig.decide(notification({ kind: 'watchdog', alerts: [], severity: 'info' }))
  await rig.run(2_000)
  await rig.decide(...many(20, () => ({ kind: 'resolved' })))
  await rig.run(10_000)
  assert.deepEqual(new Set(fake.codes), new Set([0]))
  assert.equal(fake.messages.length, 3)
})

test('thousands of alerts in one notification are one message within 20 KB that says how many more there are (complaint 16)', async () => {
  for (const format of ['card', 'post', 'text'] as const) {
    const { fake, rig } = await bot({}, { format })
    const alerts = Array.from({ length: 50 }, (_, i) =>
      fact({
        incident: `inc-${i}`,
        rule: `rule-${i}-`,
        reason: '长'.repeat(500),
        tags: { product: `${i}`.padStart(200, 'p'), channel: '渠道'.repeat(100) },
      }),
    )
    await rig.decide(notification({ alerts, total: 3_000 }))
    await rig.run(5_000)
    assert.deepEqual(fake.codes, [0], format)
    const [message] = fake.messages
    assert.ok((message?.bytes ?? 0) <= 20_000)
    const [, more] = /and (\d+) more/.exec(message?.text ?? '') ?? []
    const shown = alerts.filter(({ rule }) => message?.text.includes(rule)).length
    assert.ok(shown > 5, `${shown} shown`)
    assert.equal(shown + Number(more), 3_000)
  }
})

test('a card that Feishu refuses is sent as plain text; a notification refused in every form is said to be lost, and the next one goes out', async () => {
  const { fake, rig } = await bot()
  const refusal = {
    kind: 'status',
    status: 400,
    body: '{"code":9499,"msg":"Bad Request"}',
    taken: false,
  } as const
  fake.misbehaviours.push(refusal)
  await rig.decide(notification({ id: 'first' }))
  await rig.run(1_000)
  assert.equal(fake.messages[0]?.body.msg_type, 'text')
  fake.misbehaviours.push(refusal, refusal)
  await rig.decide(notification({ id: 'second' }), notification({ id: 'third' }))
  await rig.run(5_000)
  assert.match(fake.messages[1]?.text ?? '', /third/)
  assert.match(rig.logger.messages('error').join(), /lost/)
  assert.ok(rig.audit.some(({ event }) => event === 'refused'))
})

test('a digest with one poisonous notification loses that one alone', async () => {
  const { fake, rig } = await bot({}, { format: 'text' })
  const all = many(20)
  // Refuses every body that names it.
  const poison = 'alert-13-'
  const original = fake.options
  fake.options = { ...original, poison }
  await rig.decide(...all)
  await rig.run(60_000)
  assert.deepEqual(untold(fake, all), [poison])
})

test('texts from outside call nobody: neither a tag value nor a reason is read as a mention', async () => {
  for (const format of ['card', 'post', 'text'] as const) {
    const { fake, rig } = await bot({}, { format, mention: ['ou_1'] })
    const evil = '<at user_id="all">all</at><at id=all></at>'
    const alerts = [fact({ reason: evil, tags: { product: evil } })]
    await rig.decide(notification({ alerts }))
    await rig.run(1_000)
    const json = JSON.stringify(fake.messages[0]?.body)
    assert.ok(json.includes('ou_1'), 'it is critical: the people named in the config are called')
    const marked = json.match(/"tag":"lark_md","content":"[^}]*/g) ?? []
    assert.ok(
      marked.every((one) => !one.includes('all')),
      format,
    )
    if (format === 'text') assert.ok(!/<at [^>]*all/.test(fake.messages[0]?.text ?? ''))
    if (format === 'post') assert.ok(!json.includes('"user_id":"all"'))
  }
})
