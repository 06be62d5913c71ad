import type { Tenure } from '../../core/tenure.ts'
import type { Notification } from '../notification.ts'
import type { Message, Notifier, SendResult } from './notifier.ts'

/** A notifier that sends nothing once the right to is over; the message waits, for whoever acts then. */
export class FencedNotifier implements Notifier {
  readonly receiver: string
  readonly #notifier: Notifier
  readonly #tenure: Tenure

  constructor(notifier: Notifier, tenure: Tenure) {
    this.receiver = notifier.receiver
    this.#notifier = notifier
    this.#tenure = tenure
  }

  batch(waiting: readonly Notification[], room: number): number {
    return this.#notifier.batch(waiting, room)
  }

  async send(message: Message, attempt: number, signal: AbortSignal): Promise<SendResult> {
    if (this.#tenure.held()) return await this.#notifier.send(message, attempt, signal)
    const reason = 'another Warden may hold the lease: nothing is sent'
    return { kind: 'again', reason, unknown: false }
  }

  close(): Promise<void> {
    return this.#notifier.close()
  }
}
