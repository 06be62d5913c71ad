import { WardenError } from '../../core/errors.ts'
import type { StateOperation, StateStore } from '../../core/state-store.ts'
import type { EpochMs } from '../../core/time.ts'
import type { Notification, NotificationKind } from '../notification.ts'
import {
  decodeNotice,
  decodeProgress,
  encodeNotice,
  encodeProgress,
  noticeEnd,
  noticeKey,
  noticePrefix,
  type Progress,
  positionOf,
  receiverEnd,
  receiverKey,
  receiverOf,
  receiverPrefix,
} from './notice-codec.ts'

/** A notification that waits for a receiver, as the index knows it. */
export interface Waiting {
  readonly position: number
  readonly decidedAt: EpochMs
  readonly kind: NotificationKind
  readonly bytes: number
}

interface IndexEntry extends Waiting {
  readonly receivers: ReadonlySet<string>
}

interface Receiver {
  progress: Progress
  /** What the store holds; undefined: nothing yet. */
  saved: Progress | undefined
  /** What the transaction under way makes it hold. */
  offered: Progress | undefined
}

/**
 * The log of notifications between deciding and sending. It is part of the state: a notification is written in the transaction that
 * holds the decision, and every receiver reads at its own pace. Before a message goes out, a mark that it is being sent is durable; so after
 * a kill at any instant nothing is lost, at most one message for each receiver is sent twice, and that one is known.
 *
 * Use: put what `collect` returns into a transaction and call `committed` when that is durable. If it failed, collect again.
 * What changed between the two calls is in the next collection.
 */
export class NoticeOutbox {
  readonly #store: StateStore
  /** Those that some receiver has not acknowledged, by position. */
  readonly #index = new Map<number, IndexEntry>()
  readonly #receivers = new Map<string, Receiver>()
  /** Receivers of an earlier config with what they had not got. They go with the first collection. */
  readonly removed: readonly { readonly receiver: string; readonly waiting: number }[]
  #staged: StateOperation[] = []
  #stagedOffered = 0
  #end: number
  #visible: number
  #offeredEnd: number
  /** Positions acknowledged by all, not yet removed from the store; with them those offered. */
  #gone: number[] = []
  #goneOffered = 0

  /** Restores what the store holds. A receiver that is new starts at the end. @throws WardenError `state_corrupt` */
  constructor(store: StateStore, receivers: readonly string[]) {
    this.#store = store
    const saved = new Map<string, Progress>()
    for (const [key, value] of store.range(receiverPrefix, receiverEnd)) {
      saved.set(receiverOf(key), decodeProgress(value, key))
    }
    let end = Math.max(0, ...[...saved.values()].map(({ position }) => position))
    for (const [key, value] of store.range(noticePrefix, noticeEnd)) {
      const position = positionOf(key)
      this.#add(position, decodeNotice(value, key), value.length)
      end = Math.max(end, position + 1)
    }
    this.#end = end
    this.#visible = end
    this.#offeredEnd = end
    for (const name of receivers) {
      const progress = saved.get(name) ?? { position: end, attempt: undefined, dropped: 0 }
      this.#receivers.set(name, { progress, saved: saved.get(name), offered: undefined })
    }
    this.removed = [...saved.keys()]
      .filter((name) => !this.#receivers.has(name))
      .map((receiver) => {
        const { position } = saved.get(receiver) ?? { position: end }
        this.#staged.push({ kind: 'remove', key: receiverKey(receiver) })
        return { receiver, waiting: this.#countFor(receiver, position) }
      })
    for (const position of this.#index.keys()) this.#dropIfGone(position)
  }

  get receivers(): readonly string[] {
    return [...this.#receivers.keys()]
  }

  /** Something changed that is in no transaction yet. */
  get isDirty(): boolean {
    if (this.#staged.length > this.#stagedOffered) return true
    return [...this.#receivers.values()].some(
      ({ progress, saved, offered }) => progress !== (offered ?? saved),
    )
  }

  /** Takes notifications on (those for no known receiver are left out) and returns the operations that make them, and everything else that is not yet, durable. */
  collect(notifications: readonly Notification[]): StateOperation[] {
    for (const notification of notifications) {
      if (!notification.receivers.some((name) => this.#receivers.has(name))) continue
      const value = encodeNotice(notification)
      const position = this.#end++
      this.#add(position, notification, value.length)
      this.#staged.push({ kind: 'put', key: noticeKey(position), value })
    }
    const operations = [...this.#staged]
    for (const [name, receiver] of this.#receivers) {
      if (receiver.saved === receiver.progress) continue
      receiver.offered = receiver.progress
      operations.push({
        kind: 'put',
        key: receiverKey(name),
        value: encodeProgress(receiver.progress),
      })
    }
    for (const position of this.#gone) {
      operations.push({ kind: 'remove', key: noticeKey(position) })
    }
    this.#stagedOffered = this.#staged.length
    this.#goneOffered = this.#gone.length
    this.#offeredEnd = this.#end
    return operations
  }

  /** What the last collection held is durable: its notifications may be sent, its marks hold. */
  committed(): void {
    this.#staged = this.#staged.slice(this.#stagedOffered)
    this.#stagedOffered = 0
    this.#gone = this.#gone.slice(this.#goneOffered)
    this.#goneOffered = 0
    this.#visible = this.#offeredEnd
    for (const receiver of this.#receivers.values()) {
      receiver.saved = receiver.offered ?? receiver.saved
      receiver.offered = undefined
    }
  }

  /** Durable notifications for a receiver that it has not acknowledged, oldest first. */
  *waiting(receiver: string): Iterable<Waiting> {
    const { position } = this.#receiver(receiver).progress
    for (const entry of this.#index.values()) {
      if (entry.position >= this.#visible) return
      if (entry.position >= position && entry.receivers.has(receiver)) yield entry
    }
  }

  /** @throws WardenError `state_corrupt` */
  read(position: number): Notification {
    const key = noticeKey(position)
    const bytes = this.#store.get(key)
    if (bytes === undefined) throw new WardenError('state_corrupt', `${key} is missing`)
    return decodeNotice(bytes, key)
  }

  /** Says that those before `end` are about to be sent as one message. */
  mark(receiver: string, end: number, at: EpochMs): void {
    const one = this.#receiver(receiver)
    one.progress = { ...one.progress, attempt: { end, at } }
  }

  /** The message that is marked as being sent; undefined: none, or its mark is not durable yet. */
  marked(receiver: string): { readonly end: number; readonly at: EpochMs } | undefined {
    const { progress, saved } = this.#receiver(receiver)
    return saved === progress ? progress.attempt : undefined
  }

  /** Notifications that were given up since a message told of it. */
  dropped(receiver: string): number {
    return this.#receiver(receiver).progress.dropped
  }

  /** Those before `end` need no more sending to that receiver; the mark ends. @param told how many given up the message told of */
  acknowledge(receiver: string, end: number, told: number): void {
    const { progress } = this.#receiver(receiver)
    this.#move(receiver, end, Math.max(0, progress.dropped - told))
  }

  /** Gives up those before `end`, which the next message tells of. */
  drop(receiver: string, end: number, count: number): void {
    this.#move(receiver, end, this.#receiver(receiver).progress.dropped + count)
  }

  #move(receiver: string, end: number, dropped: number): void {
    const one = this.#receiver(receiver)
    const from = one.progress.position
    const position = Math.min(Math.max(from, end), this.#visible)
    one.progress = { position, attempt: undefined, dropped }
    for (let at = from; at < position; at++) this.#dropIfGone(at)
  }

  #add(position: number, notification: Notification, bytes: number): void {
    const { decidedAt, kind } = notification
    const receivers = new Set(notification.receivers)
    this.#index.set(position, { position, decidedAt, kind, bytes, receivers })
  }

  #dropIfGone(position: number): void {
    const entry = this.#index.get(position)
    if (entry === undefined) return
    for (const name of entry.receivers) {
      const receiver = this.#receivers.get(name)
      if (receiver !== undefined && receiver.progress.position <= position) return
    }
    this.#index.delete(position)
    this.#gone.push(position)
  }

  #countFor(receiver: string, from: number): number {
    let count = 0
    for (const entry of this.#index.values()) {
      if (entry.position >= from && entry.receivers.has(receiver)) count++
    }
    return count
  }

  #receiver(name: string): Receiver {
    const receiver = this.#receivers.get(name)
    if (receiver === undefined) throw new WardenError('internal', `there is no receiver ${name}`)
    return receiver
  }
}
