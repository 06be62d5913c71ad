import type { Logger } from '../../core/telemetry.ts'
import type { EpochMs } from '../../core/time.ts'
import type { AuditLog } from './audit-log.ts'
import type { Message } from './notifier.ts'
import type { ReceiverState } from './receiver-circuit.ts'
import type { ReceiverMetrics } from './receiver-metrics.ts'

interface Attempt {
  readonly message: Message
  readonly attempt: number
}

interface Ports {
  readonly logger: Logger
  readonly audit: AuditLog
  readonly metrics: ReceiverMetrics
}

/** What is told of the attempts of one receiver: log lines where its state changes, a count and an audit line for each. */
export class ReceiverJournal {
  readonly #receiver: string
  readonly #ports: Ports
  #lastError: string | undefined

  constructor(receiver: string, ports: Ports) {
    this.#receiver = receiver
    this.#ports = ports
  }

  /** The last failure since the last success, in words. */
  get lastError(): string | undefined {
    return this.#lastError
  }

  sent(plan: Attempt, before: ReceiverState, at: EpochMs): void {
    this.#lastError = undefined
    if (before !== 'ok') {
      this.#ports.logger.info({ id: plan.message.id }, 'the receiver takes messages again')
    }
    this.#note('sent', plan, undefined, at)
  }

  failed(
    plan: Attempt,
    reason: string,
    states: { readonly before: ReceiverState; readonly after: ReceiverState },
    at: EpochMs,
  ): void {
    this.#lastError = reason
    const { before, after } = states
    const fields = { id: plan.message.id, reason, state: after }
    if (before !== after) {
      if (after === 'blocked') {
        this.#ports.logger.error(fields, 'the receiver is set up wrongly; its messages wait')
      } else this.#ports.logger.warn(fields, 'a message did not go out; it is tried again')
    }
    this.#note(after === 'blocked' ? 'blocked' : 'retried', plan, reason, at)
  }

  /** Refused in this form; another one is tried. */
  reshaped(plan: Attempt, reason: string, at: EpochMs): void {
    this.#lastError = reason
    const fields = { id: plan.message.id, reason }
    this.#ports.logger.warn(fields, 'a message was refused; it is tried in a simpler form')
    this.#note('retried', plan, reason, at)
  }

  lost(plan: Attempt, reason: string, at: EpochMs): void {
    this.#lastError = reason
    const [notification] = plan.message.notifications
    this.#ports.logger.error(
      { id: plan.message.id, reason, notification },
      'a notification is lost: the receiver refuses it in every form',
    )
    this.#note('refused', plan, reason, at)
  }

  dropped(ids: readonly string[], at: EpochMs): void {
    const { logger, metrics, audit } = this.#ports
    logger.error(
      { notifications: ids.length, oldest: ids[0] },
      'too many wait: the oldest notifications are given up',
    )
    metrics.count('dropped', ids.length)
    audit.append({
      at,
      event: 'dropped',
      receiver: this.#receiver,
      message: '',
      notifications: ids,
      attempt: 0,
      mayBeRepeat: false,
      reason: 'too many waited',
    })
  }

  superseded(): void {
    this.#ports.metrics.count('superseded', 1)
  }

  #note(
    event: 'sent' | 'retried' | 'blocked' | 'refused',
    { message, attempt }: Attempt,
    reason: string | undefined,
    at: EpochMs,
  ): void {
    this.#ports.metrics.count(event, message.notifications.length)
    this.#ports.audit.append({
      at,
      event,
      receiver: this.#receiver,
      message: message.id,
      notifications: message.notifications.map(({ id }) => id),
      attempt,
      mayBeRepeat: message.mayBeRepeat,
      reason,
    })
  }
}
