import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Notifier } from '../../../src/alert/notify/notifier.ts'
import { AlertmanagerNotifier } from '../../../src/alert/notify/senders/alertmanager-notifier.ts'
import { FeishuNotifier } from '../../../src/alert/notify/senders/feishu-notifier.ts'
import { WebhookNotifier } from '../../../src/alert/notify/senders/http-webhook-notifier.ts'
import { SmtpNotifier } from '../../../src/alert/notify/senders/smtp-notifier.ts'
import {
  type NotifierMedium,
  notifierContract,
  type ReceiverMood,
  timeoutIn,
} from '../../contract/notifier.ts'
import { FakeSmtp } from '../../support/fake-smtp.ts'
import { plainStyle } from '../../support/message-style.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const clock = new VirtualClock(Date.UTC(2026, 10, 20, 7))
const common = (mood: ReceiverMood) => ({
  receiver: 'ops',
  timeoutMs: timeoutIn(mood),
  style: plainStyle,
})
const secret = 'token-of-the-address'

/** Status and body of an answer. */
type Answer = readonly [status: number, body: string]

/** A receiver by HTTP. @param answers of the moods in which it answers */
async function http(
  mood: ReceiverMood,
  answers: Readonly<Record<Exclude<ReceiverMood, 'hangs' | 'closes'>, Answer>>,
  make: (url: string) => Notifier,
): Promise<NotifierMedium> {
  const taken: string[] = []
  const answer = (response: ServerResponse) => {
    if (mood === 'hangs') return
    if (mood === 'closes') {
      response.destroy()
      return
    }
    const [status, body] = answers[mood]
    response.writeHead(status).end(body)
  }
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += String(part)
    taken.push(body)
    answer(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    notifier: make(`http://127.0.0.1:${port}/${secret}`),
    taken: () => taken,
    secret,
    dispose: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const plain = {
  well: [204, ''],
  refuses: [400, 'no'],
  unknown: [404, 'who'],
  busy: [429, 'later'],
  fails: [500, 'ouch'],
} as const

const code = (number: number): Answer => [200, JSON.stringify({ code: number, msg: 'm' })]

notifierContract('Feishu', {
  tellsRepeatBy: 'mark',
  medium: (mood) =>
    http(
      mood,
      {
        well: code(0),
        refuses: code(9499),
        unknown: code(19024),
        busy: code(11232),
        fails: [502, 'bad gateway'],
      },
      (url) =>
        new FeishuNotifier(
          { ...common(mood), url, secret: undefined, format: 'card', mention: [] },
          clock,
        ),
    ),
})

notifierContract('a webhook', {
  tellsRepeatBy: 'mark',
  medium: (mood) =>
    http(
      mood,
      plain,
      (url) => new WebhookNotifier({ ...common(mood), url, secret: undefined, headers: {} }, clock),
    ),
})

notifierContract('Alertmanager', {
  // An alert with the same labels is the same alert there.
  tellsRepeatBy: 'identity',
  medium: (mood) =>
    http(
      mood,
      plain,
      (url) =>
        new AlertmanagerNotifier(
          { ...common(mood), url, headers: {}, watchdogMs: undefined },
          clock,
        ),
    ),
})

const replies: Readonly<Record<ReceiverMood, Readonly<Record<string, string>>>> = {
  well: {},
  refuses: { mail: '552 too large' },
  unknown: { MAIL: '530 log in first' },
  busy: { RCPT: '450 busy' },
  hangs: { mail: 'hang' },
  closes: { mail: 'take-and-close' },
  // A reply of 4xx says that it was not taken: what is left of a server that fails is that it is gone.
  fails: { mail: 'take-and-close' },
}

notifierContract('e-mail', {
  tellsRepeatBy: 'mark',
  medium: async (mood) => {
    const smtp = await FakeSmtp.start(replies[mood])
    const server = { host: '127.0.0.1', port: smtp.port, tls: 'never' } as const
    const login = { username: undefined, password: undefined }
    const addresses = { from: 'warden@example.com', to: ['ops@example.com'] }
    return {
      notifier: new SmtpNotifier({ ...common(mood), ...server, ...login, ...addresses }, clock),
      taken: () => smtp.mails,
      secret,
      dispose: () => smtp.stop(),
    }
  },
})
