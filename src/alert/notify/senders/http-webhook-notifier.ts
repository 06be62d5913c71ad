import { createHmac } from 'node:crypto'
import type { Clock } from '../../../core/telemetry.ts'
import type { Notification } from '../../notification.ts'
import { titleOf } from '../message/compose.ts'
import type { MessageStyle } from '../message/message-style.ts'
import { type Message, maxBatch, type Notifier, type SendResult } from '../notifier.ts'
import { HttpPost, judgeByStatus, timeoutFor } from './http-post.ts'

export interface WebhookOptions {
  readonly receiver: string
  readonly url: string
  /** Key of the signature; undefined: none. */
  readonly secret: string | undefined
  /** Sent as they are, such as Authorization. */
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly style: MessageStyle
}

/** `t=<seconds>,v1=<hex HMAC-SHA256 of "<seconds>.<body>">`: the receiver can refuse what is old or was changed. */
export function webhookSignature(seconds: number, body: string, secret: string): string {
  const mac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
  return `t=${seconds},v1=${mac}`
}

/** Any system that takes JSON by POST. A message holds all that waits, up to `maxBatch`. 2xx is a success. */
export class WebhookNotifier implements Notifier {
  readonly receiver: string
  readonly #options: WebhookOptions
  readonly #clock: Clock
  readonly #http: HttpPost

  constructor(options: WebhookOptions, clock: Clock) {
    this.receiver = options.receiver
    this.#options = options
    this.#clock = clock
    this.#http = new HttpPost(options.url)
  }

  batch(waiting: readonly Notification[]): number {
    return Math.min(waiting.length, maxBatch)
  }

  async send(message: Message, attempt: number, signal: AbortSignal): Promise<SendResult> {
    const { secret, headers, timeoutMs } = this.#options
    const body = this.#body(message)
    const seconds = Math.floor(this.#clock.now() / 1_000)
    const signed =
      secret === undefined ? {} : { 'X-Warden-Signature': webhookSignature(seconds, body, secret) }
    const all = { ...headers, 'Idempotency-Key': headerText(message.id), ...signed }
    return judgeByStatus(await this.#http.post(body, all, timeoutFor(timeoutMs, attempt), signal))
  }

  close(): Promise<void> {
    return this.#http.close()
  }

  #body({ id, notifications, mayBeRepeat, dropped, plain }: Message): string {
    const { style } = this.#options
    return JSON.stringify({
      version: 1,
      job: style.job,
      id,
      mayBeRepeat,
      dropped,
      notifications: notifications.map((notification) => ({
        title: titleOf(notification, style),
        ...notification,
        // Refused with everything in it: what is needed to understand it.
        ...(plain ? { alerts: notification.alerts.slice(0, 1) } : {}),
      })),
    })
  }
}

/** A header takes visible ASCII only. */
const headerText = (text: string): string => encodeURIComponent(text)
