import type { StateOperation } from '../../core/state-store.ts'
import type { EpochMs } from '../../core/time.ts'
import type { Notification } from '../notification.ts'
import type { NoticeOutbox } from './notice-outbox.ts'
import type { DeliveryPorts, ReceiverDelivery, ReceiverHealth } from './receiver-delivery.ts'
import type { Watchdog } from './watchdog.ts'

/**
 * Where the alerts hand over what they decided: takes part in their checkpoints, and sends after those are durable.
 * A companion of the checkpoint asks `isDue`, puts `collect` into its own operations, and passes `committed` on.
 */
export class NoticeDesk {
  readonly #outbox: NoticeOutbox
  readonly #deliveries: readonly ReceiverDelivery[]
  readonly #watchdog: Watchdog | undefined
  readonly #ports: DeliveryPorts
  /** Operations of heartbeats that are not durable yet. */
  #beats: StateOperation[] = []
  #beatsOffered = 0
  /** Decided and not yet durable. */
  #undecided: Notification[] = []
  #undecidedOffered = 0
  #isStarted = false

  constructor(
    outbox: NoticeOutbox,
    deliveries: readonly ReceiverDelivery[],
    watchdog: Watchdog | undefined,
    ports: DeliveryPorts,
  ) {
    this.#outbox = outbox
    this.#deliveries = deliveries
    this.#watchdog = watchdog
    this.#ports = ports
    for (const { receiver, waiting } of outbox.removed) {
      ports.logger.warn(
        { receiver, notifications: waiting },
        'the receiver is no longer configured; what waited for it is dropped',
      )
    }
  }

  /** Begins to send what an earlier process left. */
  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#pump()
  }

  /** Something must be made durable now: a mark, an acknowledgement, a heartbeat. */
  isDue(now: EpochMs): boolean {
    return this.#outbox.isDirty || (this.#watchdog?.isDue(now) ?? false)
  }

  /**
   * Takes on what was decided at this checkpoint.
   * @returns what has to be in the same transaction, with everything before it that is not durable yet
   */
  collect(decided: readonly Notification[], now: EpochMs): StateOperation[] {
    const notifications = [...decided]
    if (this.#watchdog?.isDue(now)) {
      const { notification, operation } = this.#watchdog.beat(now)
      notifications.push(notification)
      this.#beats.push(operation)
    }
    const known = new Set(this.#outbox.receivers)
    for (const { id, receivers } of decided) {
      const unknown = receivers.filter((name) => !known.has(name))
      if (unknown.length > 0) {
        this.#ports.logger.error(
          { id, receivers: unknown },
          'a notification names unknown receivers',
        )
      }
    }
    this.#undecided.push(...decided)
    this.#undecidedOffered = this.#undecided.length
    this.#beatsOffered = this.#beats.length
    return [...this.#outbox.collect(notifications), ...this.#beats]
  }

  /** The last collection is durable. */
  committed(): void {
    this.#outbox.committed()
    this.#beats = this.#beats.slice(this.#beatsOffered)
    this.#beatsOffered = 0
    const at = this.#ports.clock.now()
    for (const notification of this.#undecided.splice(0, this.#undecidedOffered)) {
      this.#ports.audit.append({ at, event: 'decided', notification })
    }
    this.#undecidedOffered = 0
    if (this.#isStarted) this.#pump()
  }

  health(): readonly ReceiverHealth[] {
    return this.#deliveries.map((delivery) => delivery.health())
  }

  /** A message is on its way. */
  get isSending(): boolean {
    return this.#deliveries.some(({ isSending }) => isSending)
  }

  /** Nothing waits, and what was sent is in the state. */
  get isIdle(): boolean {
    return !this.#outbox.isDirty && this.#deliveries.every(({ isIdle }) => isIdle)
  }

  /**
   * Sends what waits, at most for `timeoutMs`; for the end of a job, when nobody else makes checkpoints any more.
   * @param checkpoint makes one and resolves when it is durable @returns nothing waits any more
   */
  async drain(timeoutMs: number, checkpoint: () => Promise<unknown>): Promise<boolean> {
    const { clock } = this.#ports
    const deadline = clock.now() + timeoutMs
    while (!this.isIdle && clock.now() < deadline) {
      if (this.#outbox.isDirty) await checkpoint()
      else await clock.sleep(Math.min(drainStepMs, deadline - clock.now()))
    }
    return this.isIdle
  }

  async stop(): Promise<void> {
    await Promise.all(this.#deliveries.map((delivery) => delivery.stop()))
  }

  #pump(): void {
    for (const delivery of this.#deliveries) delivery.pump()
  }
}

const drainStepMs = 50
