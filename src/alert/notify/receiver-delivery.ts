import type { Telemetry } from '../../core/telemetry.ts'
import { type DurationMs, durationMs, type EpochMs } from '../../core/time.ts'
import type { Notification } from '../notification.ts'
import type { AuditLog } from './audit-log.ts'
import type { NoticeOutbox, Waiting } from './notice-outbox.ts'
import { type Message, maxBatch, type Notifier, type SendResult } from './notifier.ts'
import {
  ReceiverCircuit,
  type ReceiverCircuitOptions,
  type ReceiverState,
} from './receiver-circuit.ts'
import { ReceiverJournal } from './receiver-journal.ts'
import { ReceiverMetrics } from './receiver-metrics.ts'
import type { SlidingLimit } from './sliding-limit.ts'

export interface ReceiverOptions {
  readonly circuit: ReceiverCircuitOptions
  /** Shared by all receivers of the same bot. */
  readonly limit: SlidingLimit
  /** When what is ready at `now` may leave. @param jitter uniform in [0, 1) */
  readonly leaveAt: (now: number, jitter: number) => number
  /** Notifications that wait at most; beyond it the oldest are given up, and the next message says how many. */
  readonly maxWaiting: number
  /** The same in encoded bytes. */
  readonly maxBytes: number
}

export interface DeliveryPorts extends Telemetry {
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly audit: AuditLog
}

/** What is known of a receiver at an instant. */
export interface ReceiverHealth {
  readonly receiver: string
  readonly state: ReceiverState
  readonly waiting: number
  readonly oldestWaitingMs: DurationMs | undefined
  /** The last failure since the last success, in words. */
  readonly lastError: string | undefined
}

/** A message in the making: from choosing what is in it until it is acknowledged. */
interface Plan {
  readonly message: Message
  /** Position after the last notification in it. */
  readonly end: number
  readonly attempt: number
}

/** How soon a rate that only the answer of another receiver frees is looked at again. */
const sharedRateMs = 50

/**
 * Brings the notifications of one receiver out in order, one message at a time: choose → mark → (the mark is durable) → send →
 * acknowledge. A message that failed stays the same until it is through, so that a repeat can be told by its id.
 */
export class ReceiverDelivery {
  readonly name: string
  readonly #outbox: NoticeOutbox
  readonly #notifier: Notifier
  readonly #options: ReceiverOptions
  readonly #ports: DeliveryPorts
  readonly #circuit: ReceiverCircuit
  readonly #metrics: ReceiverMetrics
  readonly #journal: ReceiverJournal
  readonly #stop = new AbortController()
  #plan: Plan | undefined
  #sending: Promise<void> | undefined
  #leaveAt: number | undefined
  /** The next message holds so many at most: halved while a digest is refused. */
  #most = maxBatch
  /** The receiver may have those before this position already. */
  #suspectEnd = 0
  #cancelWake: (() => void) | undefined

  constructor(
    outbox: NoticeOutbox,
    notifier: Notifier,
    options: ReceiverOptions,
    ports: DeliveryPorts,
  ) {
    this.name = notifier.receiver
    this.#outbox = outbox
    this.#notifier = notifier
    this.#options = options
    this.#ports = ports
    this.#circuit = new ReceiverCircuit(options.circuit, ports.random)
    this.#metrics = new ReceiverMetrics(ports.metrics, this.name)
    const logger = ports.logger.child({ receiver: this.name })
    this.#journal = new ReceiverJournal(this.name, { ...ports, logger, metrics: this.#metrics })
    this.#plan = this.#interrupted()
  }

  /** A request is on its way. */
  get isSending(): boolean {
    return this.#sending !== undefined
  }

  /** Nothing waits, nothing is on its way. */
  get isIdle(): boolean {
    return this.#sending === undefined && this.#first() === undefined
  }

  /** Everything that can be done now; then arms the timer for what time alone will bring. */
  pump(): void {
    if (this.#stop.signal.aborted || this.#sending !== undefined) return
    this.#cancelWake?.()
    this.#cancelWake = undefined
    if (this.#plan === undefined) this.#tidy()
    this.#show()
    if (this.#plan === undefined && this.#first() === undefined) return
    const { clock } = this.#ports
    const now = clock.now()
    const at = this.#mayLeaveAt(now)
    if (at > now) {
      const wait = Number.isFinite(at) ? at - now : sharedRateMs
      this.#cancelWake = clock.after(wait, () => this.pump())
      return
    }
    this.#plan ??= this.#choose(now)
    if (this.#outbox.marked(this.name) === undefined) return
    this.#sending = this.#send(this.#plan).finally(() => {
      this.#sending = undefined
      this.pump()
    })
  }

  /** Ends it; what is on its way is given up, and is sent again at the next start, as a message that may be a repeat. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#cancelWake?.()
    await this.#sending
    await this.#notifier.close()
  }

  health(): ReceiverHealth {
    let waiting = 0
    for (const _ of this.#outbox.waiting(this.name)) waiting++
    const first = this.#first()
    return {
      receiver: this.name,
      state: this.#circuit.state,
      waiting,
      oldestWaitingMs: first && durationMs(Math.max(0, this.#ports.clock.now() - first.decidedAt)),
      lastError: this.#journal.lastError,
    }
  }

  #first(): Waiting | undefined {
    for (const one of this.#outbox.waiting(this.name)) return one
    return undefined
  }

  #mayLeaveAt(now: number): number {
    const { limit, leaveAt } = this.#options
    // One draw for each wait, or a pump in between would draw until it wins.
    if (this.#leaveAt === undefined || this.#leaveAt <= now) {
      this.#leaveAt = leaveAt(now, this.#ports.random())
    }
    return Math.max(this.#circuit.notBefore, limit.freeAt(), this.#leaveAt)
  }

  /** The message that an earlier process was sending when it ended. */
  #interrupted(): Plan | undefined {
    const attempt = this.#outbox.marked(this.name)
    if (attempt === undefined) return undefined
    this.#suspectEnd = attempt.end
    const notifications: Notification[] = []
    for (const { position } of this.#outbox.waiting(this.name)) {
      if (position < attempt.end) notifications.push(this.#outbox.read(position))
    }
    if (notifications.length === 0) return undefined
    return { end: attempt.end, attempt: 0, message: this.#message(notifications, true) }
  }

  /** Gives up what is beyond the bounds, and heartbeats that a newer one stands for. */
  #tidy(): void {
    const waiting = [...this.#outbox.waiting(this.name)]
    const isBeat = ({ kind }: Waiting) => kind === 'watchdog'
    for (let first = waiting[0]; first !== undefined && isBeat(first); first = waiting[0]) {
      if (!waiting.slice(1).some(isBeat)) break
      this.#outbox.acknowledge(this.name, first.position + 1, 0)
      this.#journal.superseded()
      waiting.shift()
    }
    const { maxWaiting, maxBytes } = this.#options
    let bytes = waiting.reduce((sum, one) => sum + one.bytes, 0)
    let over = 0
    for (const one of waiting) {
      const left = waiting.length - over
      if (left <= maxWaiting && (bytes <= maxBytes || left === 1)) break
      bytes -= one.bytes
      over++
    }
    const given = waiting.slice(0, over)
    const last = given.at(-1)
    if (last === undefined) return
    const ids = given.map(({ position }) => this.#outbox.read(position).id)
    this.#outbox.drop(this.name, last.position + 1, over)
    this.#journal.dropped(ids, this.#ports.clock.now())
  }

  #choose(now: EpochMs): Plan {
    const positions: number[] = []
    const notifications: Notification[] = []
    for (const { position } of this.#outbox.waiting(this.name)) {
      if (notifications.length >= this.#most) break
      positions.push(position)
      notifications.push(this.#outbox.read(position))
    }
    const wanted = this.#notifier.batch(notifications, this.#options.limit.room(now))
    const chosen = notifications.slice(0, Math.max(1, wanted))
    const end = (positions[chosen.length - 1] ?? 0) + 1
    const [from = end] = positions
    this.#outbox.mark(this.name, end, now)
    return { end, attempt: 0, message: this.#message(chosen, from < this.#suspectEnd) }
  }

  #message(notifications: readonly Notification[], mayBeRepeat: boolean): Message {
    const [first] = notifications
    const more = notifications.length - 1
    return {
      id: more > 0 ? `${first?.id}+${more}` : `${first?.id}`,
      notifications,
      mayBeRepeat,
      dropped: this.#outbox.dropped(this.name),
      plain: false,
    }
  }

  async #send(plan: Plan): Promise<void> {
    const { clock } = this.#ports
    const startedAt = clock.now()
    const answered = this.#options.limit.start()
    const result = await this.#attempt(plan)
    const now = clock.now()
    answered(now)
    this.#metrics.took(now - startedAt)
    if (!this.#stop.signal.aborted || result.kind === 'sent') this.#settle(plan, result, now)
  }

  async #attempt({ message, attempt }: Plan): Promise<SendResult> {
    try {
      return await this.#notifier.send(message, attempt, this.#stop.signal)
    } catch (cause) {
      // A broken promise of the notifier: the alert is not lost for it.
      const reason = cause instanceof Error ? cause.message : String(cause)
      return { kind: 'again', reason: `sending failed: ${reason}`, unknown: true }
    }
  }

  #settle(plan: Plan, result: SendResult, now: EpochMs): void {
    const before = this.#circuit.state
    switch (result.kind) {
      case 'sent':
        this.#circuit.succeeded()
        this.#plan = undefined
        this.#most = maxBatch
        this.#outbox.acknowledge(this.name, plan.end, plan.message.dropped)
        this.#journal.sent(plan, before, now)
        break
      case 'refused':
        this.#refused(plan, result.reason, now)
        break
      case 'again':
      case 'blocked': {
        const unknown = result.kind === 'again' && result.unknown
        if (result.kind === 'again') this.#circuit.failed(now, result.afterMs ?? 0)
        else this.#circuit.blocked(now)
        if (unknown) this.#suspectEnd = plan.end
        const mayBeRepeat = plan.message.mayBeRepeat || unknown
        const message = { ...plan.message, mayBeRepeat }
        this.#plan = { ...plan, attempt: plan.attempt + 1, message }
        this.#journal.failed(plan, result.reason, { before, after: this.#circuit.state }, now)
      }
    }
    this.#show()
  }

  /** Half of a digest, then the plainest form, and only then it is lost. */
  #refused(plan: Plan, reason: string, now: EpochMs): void {
    const { message, end, attempt } = plan
    if (message.notifications.length > 1) {
      this.#most = Math.ceil(message.notifications.length / 2)
      this.#plan = undefined
      this.#journal.reshaped(plan, reason, now)
    } else if (!message.plain) {
      this.#plan = { end, attempt: attempt + 1, message: { ...message, plain: true } }
      this.#journal.reshaped(plan, reason, now)
    } else {
      this.#plan = undefined
      this.#outbox.acknowledge(this.name, end, message.dropped)
      this.#journal.lost(plan, reason, now)
    }
  }

  #show(): void {
    const { waiting, oldestWaitingMs, state } = this.health()
    this.#metrics.show(waiting, oldestWaitingMs ?? 0, state)
  }
}
