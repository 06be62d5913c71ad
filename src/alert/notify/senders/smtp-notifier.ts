import { createTransport } from 'nodemailer'
import type { Clock } from '../../../core/telemetry.ts'
import type { Notification } from '../../notification.ts'
import { compose } from '../message/compose.ts'
import type { MessageStyle } from '../message/message-style.ts'
import { textLines, whole } from '../message/plain-text.ts'
import { type Message, maxBatch, type Notifier, type SendResult } from '../notifier.ts'
import { timeoutFor } from './http-post.ts'

export interface SmtpOptions {
  readonly receiver: string
  readonly host: string
  readonly port: number
  /** `always`: TLS from the first byte; `starttls`: refused without it; `never`: for a relay on this machine. */
  readonly tls: 'always' | 'starttls' | 'never'
  readonly username: string | undefined
  readonly password: string | undefined
  readonly from: string
  readonly to: readonly string[]
  readonly timeoutMs: number
  readonly style: MessageStyle
}

/** More at once become one mail. */
const singleMails = 5

/** E-mail by SMTP, as plain text. Mails of one group form a thread. */
export class SmtpNotifier implements Notifier {
  readonly receiver: string
  readonly #options: SmtpOptions
  readonly #clock: Clock

  constructor(options: SmtpOptions, clock: Clock) {
    this.receiver = options.receiver
    this.#options = options
    this.#clock = clock
  }

  batch(waiting: readonly Notification[]): number {
    return waiting.length <= singleMails ? 1 : Math.min(waiting.length, maxBatch)
  }

  async send(message: Message, attempt: number, signal: AbortSignal): Promise<SendResult> {
    const { host, port, tls, username, password, from, to, style } = this.#options
    const timeoutMs = timeoutFor(this.#options.timeoutMs, attempt)
    const talk = new Talk()
    const transport = createTransport({
      host,
      port,
      secure: tls === 'always',
      requireTLS: tls === 'starttls',
      ignoreTLS: tls === 'never',
      ...(username === undefined ? {} : { auth: { user: username, pass: password ?? '' } }),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      logger: talk,
      transactionLog: true,
    })
    const composed = compose(message, style, this.#clock.now())
    const [first] = message.notifications
    const thread = `<${token(first?.group.key ?? '')}.group@warden>`
    const end = () => transport.close()
    // A server that answers a byte now and then resets the timeouts of the connection.
    const timer = setTimeout(end, timeoutMs)
    signal.addEventListener('abort', end, { once: true })
    try {
      await transport.sendMail({
        from,
        to: [...to],
        subject: composed.title,
        text: textLines(composed, style.words, whole(composed)).join('\n'),
        messageId: `<${token(message.id)}@warden>`,
        references: thread,
        inReplyTo: thread,
        headers: { 'Auto-Submitted': 'auto-generated' },
      })
      return { kind: 'sent' }
    } catch (cause) {
      return judge(cause, talk.mailBegan)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      transport.close()
    }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** Hears the server, which nodemailer's errors do not tell: only after its 354 the mail itself is handed over. Nothing is kept. */
class Talk {
  mailBegan = false

  debug(entry: unknown, ...words: readonly unknown[]): void {
    const isServer = typeof entry === 'object' && entry !== null && 'tnx' in entry
    if (isServer && entry.tnx === 'server' && String(words[0]).startsWith('354')) {
      this.mailBegan = true
    }
  }

  level(): void {}
  trace(): void {}
  info(): void {}
  warn(): void {}
  error(): void {}
  fatal(): void {}
}

/** By the server's reply: 4xx is for now; 5xx to the log-in or the addresses is the set-up, to the mail itself it is the mail. */
function judge(cause: unknown, mailBegan: boolean): SendResult {
  const { code, responseCode, message } = read(cause)
  const reason = message.split('\n', 1)[0]?.slice(0, 300) ?? ''
  const permanent = responseCode !== undefined && responseCode >= 500
  if (code === 'EAUTH' || (permanent && code === 'EENVELOPE')) return { kind: 'blocked', reason }
  if (permanent && code === 'EMESSAGE') return { kind: 'refused', reason }
  if (permanent) return { kind: 'blocked', reason }
  // Before the mail was handed over nothing can have been taken; a reply says that it was not.
  return { kind: 'again', reason, unknown: responseCode === undefined && mailBegan }
}

function read(cause: unknown) {
  const message = cause instanceof Error ? cause.message : String(cause)
  const field = (name: string): unknown =>
    typeof cause === 'object' && cause !== null ? Reflect.get(cause, name) : undefined
  const code = field('code')
  const responseCode = field('responseCode')
  return {
    code: typeof code === 'string' ? code : undefined,
    responseCode: typeof responseCode === 'number' ? responseCode : undefined,
    message,
  }
}

/** An id as it may stand in a mail header. */
const token = (text: string): string => encodeURIComponent(text).replaceAll(/[^\w.%-]/g, '_')
