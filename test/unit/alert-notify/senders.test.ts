import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { timeoutFor } from '../../../src/alert/notify/senders/http-post.ts'
import { WebhookNotifier } from '../../../src/alert/notify/senders/http-webhook-notifier.ts'
import { SmtpNotifier } from '../../../src/alert/notify/senders/smtp-notifier.ts'
import { FakeSmtp } from '../../support/fake-smtp.ts'
import { messageOf, plainStyle } from '../../support/message-style.ts'
import { notification } from '../../support/notifications.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const closing: (() => Promise<unknown>)[] = []
after(async () => {
  for (const close of closing) await close()
})
const signal = new AbortController().signal
const clock = new VirtualClock(Date.UTC(2026, 10, 20, 7))

interface Taken {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

type Answer =
  | { readonly status: number; readonly headers?: Record<string, string> }
  | 'hang'
  | 'drip'

async function hook(...answers: Answer[]): Promise<{ url: string; taken: Taken[] }> {
  const taken: Taken[] = []
  const server: Server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    taken.push({ headers: request.headers, body })
    const answer = answers.shift() ?? { status: 204 }
    if (answer === 'hang') return
    if (answer === 'drip') {
      response.writeHead(200)
      const timer = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(timer))
      return
    }
    response.writeHead(answer.status, answer.headers).end('why')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, taken }
}

function webhook(url: string, secret?: string, timeoutMs = 10_000): WebhookNotifier {
  const notifier = new WebhookNotifier(
    {
      receiver: 'hook',
      url,
      secret,
      headers: { Authorization: 'Bearer t' },
      timeoutMs,
      style: plainStyle,
    },
    clock,
  )
  closing.unshift(() => notifier.close())
  return notifier
}

test('a webhook gets everything that is known as JSON, signed with the time, under an id that stays', async () => {
  const { url, taken } = await hook()
  const message = messageOf([notification(), notification({ id: 'n-2' })], {
    id: 'n-1+1',
    mayBeRepeat: true,
  })
  assert.deepEqual(await webhook(url, 'key').send(message, 0, signal), { kind: 'sent' })
  const [request] = taken
  const body = JSON.parse(request?.body ?? '')
  assert.equal(body.version, 1)
  assert.equal(body.mayBeRepeat, true)
  assert.deepEqual(
    body.notifications.map((one: { id: string }) => one.id),
    ['n-1', 'n-2'],
  )
  assert.equal(body.notifications[0].alerts[0].evidence.lag, 12)
  assert.match(body.notifications[0].title, /really zero/)
  assert.equal(request?.headers['idempotency-key'], 'n-1%2B1')
  assert.equal(request?.headers.authorization, 'Bearer t')
  const seconds = clock.now() / 1_000
  const mac = createHmac('sha256', 'key').update(`${seconds}.${request?.body}`).digest('hex')
  assert.equal(request?.headers['x-warden-signature'], `t=${seconds},v1=${mac}`)
})

test('what a status means: later, never in this form, or a person is needed', async () => {
  const message = messageOf([notification()])
  const expected: readonly (readonly [number, string, boolean?])[] = [
    [200, 'sent'],
    [302, 'blocked'],
    [400, 'refused'],
    [401, 'blocked'],
    [404, 'blocked'],
    [413, 'refused'],
    [429, 'again', false],
    [500, 'again', true],
    [503, 'again', true],
  ]
  for (const [status, kind, unknown] of expected) {
    const { url } = await hook({ status })
    const result = await webhook(url).send(message, 0, signal)
    assert.equal(result.kind, kind, `${status}`)
    if (result.kind === 'again') assert.equal(result.unknown, unknown, `${status}`)
  }
  const { url } = await hook({ status: 429, headers: { 'retry-after': '7' } })
  const result = await webhook(url).send(message, 0, signal)
  assert.equal(result.kind === 'again' && result.afterMs, 7_000)
})

test('a hook that hangs, or answers a byte now and then, is given up in time; no address is in the reason (complaint 25)', async () => {
  for (const how of ['hang', 'drip'] as const) {
    const { url } = await hook(how)
    const startedAt = performance.now()
    const result = await webhook(`${url}token-in-the-path`, undefined, 150).send(
      messageOf([notification()]),
      0,
      signal,
    )
    assert.deepEqual(result, { kind: 'again', reason: 'no answer in 150 ms', unknown: true })
    assert.ok(performance.now() - startedAt < 2_000)
  }
  const nobody = await webhook('http://127.0.0.1:1/token').send(
    messageOf([notification()]),
    0,
    signal,
  )
  assert.deepEqual(nobody, { kind: 'again', reason: 'no answer: ECONNREFUSED', unknown: false })
})

test('a receiver that is slow but takes each message gets longer the next time, up to a minute', () => {
  assert.deepEqual(
    [0, 1, 2, 99].map((attempt) => timeoutFor(10_000, attempt)),
    [10_000, 30_000, 60_000, 60_000],
  )
})

async function smtp(replies: Readonly<Record<string, string>> = {}): Promise<FakeSmtp> {
  const fake = await FakeSmtp.start(replies)
  closing.push(() => fake.stop())
  return fake
}

const mailer = (port: number, tls: 'never' | 'starttls' = 'never') =>
  new SmtpNotifier(
    {
      receiver: 'mail',
      host: '127.0.0.1',
      port,
      tls,
      username: undefined,
      password: undefined,
      from: 'warden@example.com',
      to: ['ops@example.com', 'boss@example.com'],
      timeoutMs: 1_000,
      style: plainStyle,
    },
    clock,
  )

test('a mail has the title as its subject, an id that stays, and the thread of its group', async () => {
  const { port, mails } = await smtp()
  const evil = notification({ id: 'n-1\r\nBcc: all@example.com' })
  assert.deepEqual(await mailer(port).send(messageOf([evil]), 0, signal), { kind: 'sent' })
  const [mail = ''] = mails
  const [head = ''] = mail.split('\r\n\r\n', 1)
  assert.match(head, /^Subject: \[CRIT\] really zero: login\.count \(product=loan\)$/m)
  assert.match(head, /^To: ops@example\.com, boss@example\.com$/m)
  assert.match(head, /^Message-ID: <n-1%0D%0ABcc%3A%20all%40example\.com@warden>$/m)
  assert.match(head, /^References: <login-zero%2Fgrowth\.group@warden>$/m)
  assert.doesNotMatch(head, /^Bcc/m)
})

test('replies of a mail server: 4xx is for now, a refused log-in or address is the set-up, a refused mail is the mail', async () => {
  const expected: readonly (readonly [Record<string, string>, string])[] = [
    [{ mail: '451 later' }, 'again'],
    [{ RCPT: '450 busy' }, 'again'],
    [{ RCPT: '550 no such user' }, 'blocked'],
    [{ MAIL: '530 log in first' }, 'blocked'],
    [{ mail: '552 too large' }, 'refused'],
    [{ greeting: '421 too busy' }, 'again'],
    [{ greeting: 'hang' }, 'again'],
  ]
  for (const [replies, kind] of expected) {
    const { port } = await smtp(replies)
    const result = await mailer(port).send(messageOf([notification()]), 0, signal)
    assert.equal(result.kind, kind, JSON.stringify(replies))
  }
  const away = await mailer(1).send(messageOf([notification()]), 0, signal)
  assert.equal(away.kind, 'again')
})

test('starttls is never left out', async () => {
  const { port, mails } = await smtp()
  const result = await mailer(port, 'starttls').send(messageOf([notification()]), 0, signal)
  assert.notEqual(result.kind, 'sent')
  assert.deepEqual(mails, [])
})
