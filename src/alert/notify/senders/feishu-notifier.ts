import type { Clock } from '../../../core/telemetry.ts'
import type { Notification } from '../../notification.ts'
import { feishuCard, feishuPost, feishuText } from '../message/bot-messages.ts'
import { compose } from '../message/compose.ts'
import { bytesOf, type Extent, fit, most } from '../message/fit.ts'
import type { ComposedMessage, MessageStyle } from '../message/message-style.ts'
import { whole } from '../message/plain-text.ts'
import type { Message, Notifier, SendResult } from '../notifier.ts'
import { feishuVerdict } from './feishu-answer.ts'
import { feishuSignature } from './feishu-signature.ts'
import { HttpPost, timeoutFor } from './http-post.ts'

export interface FeishuOptions {
  readonly receiver: string
  /** `https://open.feishu.cn/open-apis/bot/v2/hook/<token>`. */
  readonly url: string
  /** undefined: the bot asks for no signature. */
  readonly secret: string | undefined
  readonly format: 'card' | 'post' | 'text'
  /** Who is called by name when it is critical or escalated: open ids, or `all`. */
  readonly mention: readonly string[]
  readonly timeoutMs: number
  readonly style: MessageStyle
}

/** Of the 20 KB that a body may have, what is left for the time and the signature, whichever a KB is. */
const maxBodyBytes = 19_800

/** A custom bot of Feishu or Lark. It signs each attempt anew, believes the `code` of the answer only, and keeps within 20 KB. */
export class FeishuNotifier implements Notifier {
  readonly receiver: string
  readonly #options: FeishuOptions
  readonly #clock: Clock
  readonly #http: HttpPost
  /** The server's clock minus ours, ms, once it has refused our time. */
  #skewMs = 0

  constructor(options: FeishuOptions, clock: Clock) {
    this.receiver = options.receiver
    this.#options = options
    this.#clock = clock
    this.#http = new HttpPost(options.url)
  }

  batch(waiting: readonly Notification[], room: number): number {
    if (waiting.length <= room) return 1
    return most(waiting.length, (count) => {
      const composed = this.#compose(digestOf(waiting.slice(0, count)))
      return count < 2 || bytesOf(this.#render(composed, brief(composed), false)) <= maxBodyBytes
    })
  }

  async send(message: Message, attempt: number, signal: AbortSignal): Promise<SendResult> {
    const body = this.#body(message)
    const timeoutMs = timeoutFor(this.#options.timeoutMs, attempt)
    const first = await this.#post(body, timeoutMs, signal)
    if (first.kind !== 'clock') return first
    // Signed anew, by the server's own clock where it told it.
    const second = await this.#post(body, timeoutMs, signal)
    if (second.kind !== 'clock') return second
    const reason = `${second.reason}; the secret is wrong, or the clock (off by ${Math.round(this.#skewMs / 1_000)} s)`
    return { kind: 'blocked', reason }
  }

  close(): Promise<void> {
    return this.#http.close()
  }

  async #post(body: string, timeoutMs: number, signal: AbortSignal) {
    const now = this.#clock.now()
    const answer = await this.#http.post(this.#signed(body, now), {}, timeoutMs, signal)
    const verdict = feishuVerdict(answer)
    if (verdict.kind === 'clock' && answer.kind === 'answer') {
      const told = Date.parse(answer.header('date') ?? '')
      if (Number.isFinite(told)) this.#skewMs = told - now
    }
    return verdict
  }

  #signed(body: string, now: number): string {
    const { secret } = this.#options
    if (secret === undefined) return body
    const seconds = Math.floor((now + this.#skewMs) / 1_000)
    const sign = feishuSignature(seconds, secret)
    return `${JSON.stringify({ timestamp: String(seconds), sign }).slice(0, -1)},${body.slice(1)}`
  }

  #body(message: Message): string {
    const composed = this.#compose(message)
    return fit(composed, maxBodyBytes, (one, extent) =>
      this.#render(one, extent, this.#mentions(message), message.plain),
    ).body
  }

  #render(composed: ComposedMessage, extent: Extent, mentions: boolean, plain = false): string {
    const { format, style, mention } = this.#options
    const called = mentions ? mention : []
    if (plain || format === 'text') return feishuText(composed, style.words, extent, called)
    return format === 'post'
      ? feishuPost(composed, style.words, extent, called)
      : feishuCard(composed, style.words, extent, called)
  }

  #mentions({ notifications, plain }: Message): boolean {
    return (
      !plain &&
      notifications.some(
        ({ kind, severity }) =>
          kind === 'escalation' ||
          (severity === 'crit' && (kind === 'firing' || kind === 'repeat')),
      )
    )
  }

  #compose(message: Message): ComposedMessage {
    return compose(message, this.#options.style, this.#clock.now())
  }
}

const brief = (composed: ComposedMessage): Extent => ({ ...whole(composed), detailed: 0 })

function digestOf(notifications: readonly Notification[]): Message {
  const [first] = notifications
  const id = `${first?.id}+${notifications.length}`
  return { id, notifications, mayBeRepeat: true, dropped: 1, plain: false }
}
