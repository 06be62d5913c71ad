import type { Notification } from '../../src/alert/notification.ts'
import type { AuditEntry } from '../../src/alert/notify/audit-log.ts'
import { NoticeDesk } from '../../src/alert/notify/notice-desk.ts'
import { NoticeOutbox } from '../../src/alert/notify/notice-outbox.ts'
import type { Message, Notifier, SendResult } from '../../src/alert/notify/notifier.ts'
import { defaultReceiverCircuit } from '../../src/alert/notify/receiver-circuit.ts'
import { ReceiverDelivery, type ReceiverOptions } from '../../src/alert/notify/receiver-delivery.ts'
import { SlidingLimit } from '../../src/alert/notify/sliding-limit.ts'
import { Watchdog, type WatchdogOptions } from '../../src/alert/notify/watchdog.ts'
import type { StateStore } from '../../src/core/state-store.ts'
import { MemoryStateStore } from '../../src/state/memory-state-store.ts'
import { RecordingLogger } from './recording-logger.ts'
import { RecordingMetrics } from './recording-metrics.ts'
import { settle, VirtualClock } from './virtual-clock.ts'

/** A receiver that takes everything, until told otherwise. */
export class ScriptedNotifier implements Notifier {
  readonly receiver: string
  readonly sent: Message[] = []
  /** What the next sends give; when there are no more: sent. A promise is an answer that takes its time. */
  readonly answers: (SendResult | Promise<SendResult>)[] = []
  digest: boolean

  constructor(receiver: string, digest = false) {
    this.receiver = receiver
    this.digest = digest
  }

  batch(waiting: readonly Notification[]): number {
    return this.digest ? waiting.length : 1
  }

  async send(message: Message): Promise<SendResult> {
    this.sent.push(message)
    return await (this.answers.shift() ?? { kind: 'sent' })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Ids of all notifications in what was sent, in order. */
  get ids(): string[] {
    return this.sent.flatMap(({ notifications }) => notifications.map(({ id }) => id))
  }
}

export interface RigOptions {
  readonly clock?: VirtualClock
  readonly store?: StateStore
  readonly watchdog?: WatchdogOptions
  readonly options?: Partial<ReceiverOptions>
}

/** Between two checkpoints, at least. */
const checkpointMs = 200
/** How often the pipeline asks what is due. */
const tickMs = 1_000

/** A desk with its checkpoints, on a virtual clock. Several, one after the other, on one store are lives of a process. */
export class NotifyRig {
  readonly clock: VirtualClock
  readonly store: StateStore
  readonly logger = new RecordingLogger()
  readonly metrics = new RecordingMetrics()
  readonly audit: AuditEntry[] = []
  readonly desk: NoticeDesk

  constructor(notifiers: readonly Notifier[], rig: RigOptions = {}) {
    this.clock = rig.clock ?? new VirtualClock()
    this.store = rig.store ?? new MemoryStateStore()
    const ports = {
      clock: this.clock,
      logger: this.logger,
      metrics: this.metrics,
      random: () => 0.5,
      audit: { append: (entry: AuditEntry) => void this.audit.push(entry) },
    }
    const outbox = new NoticeOutbox(
      this.store,
      notifiers.map(({ receiver }) => receiver),
    )
    const options: ReceiverOptions = {
      circuit: defaultReceiverCircuit,
      limit: new SlidingLimit([]),
      leaveAt: (now) => now,
      maxWaiting: 10_000,
      maxBytes: 64 * 2 ** 20,
      ...rig.options,
    }
    const deliveries = notifiers.map((one) => new ReceiverDelivery(outbox, one, options, ports))
    const watchdog = rig.watchdog && new Watchdog(this.store, rig.watchdog)
    this.desk = new NoticeDesk(outbox, deliveries, watchdog, ports)
    this.desk.start()
  }

  /** Decides and makes it durable. */
  async decide(...notifications: readonly Notification[]): Promise<void> {
    await this.store.commit(this.desk.collect(notifications, this.clock.now()))
    this.desk.committed()
    await settle()
  }

  /** Time passes, with checkpoints where they are asked for; a request on its way is waited for without time passing. */
  async run(ms: number): Promise<void> {
    const end = this.clock.now() + ms
    for (;;) {
      while (this.desk.isSending) await settle()
      const now = this.clock.now()
      const isDue = this.desk.isDue(now)
      if (isDue) await this.decide()
      if (this.desk.isSending) continue
      if (now >= end) {
        if (!isDue) return
        continue
      }
      const step = isDue ? checkpointMs : tickMs
      await this.clock.advanceTo(Math.min(end, now + step, this.clock.nextDueAt() ?? end))
    }
  }
}
