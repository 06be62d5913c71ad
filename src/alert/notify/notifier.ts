import type { Notification } from '../notification.ts'

/** What goes out in one piece: one notification, or several put together as a digest. */
export interface Message {
  /** Stable for the same notifications, so that a receiver that keeps ids can tell a repeat. */
  readonly id: string
  /** In the order in which they were decided on; at least one. */
  readonly notifications: readonly Notification[]
  /** An earlier attempt ended without an answer, or the process ended during it: the receiver may have it already. */
  readonly mayBeRepeat: boolean
  /** Older notifications for this receiver that were given up because too many waited. */
  readonly dropped: number
  /** The usual form was refused: leave out everything that is not needed to understand it. */
  readonly plain: boolean
}

/** What became of one attempt. */
export type SendResult =
  | { readonly kind: 'sent' }
  /** It may work later. `unknown`: the receiver may have it all the same. */
  | {
      readonly kind: 'again'
      readonly reason: string
      readonly unknown: boolean
      /** Least wait that the receiver asked for, ms. */
      readonly afterMs?: number
    }
  /** The receiver is set up wrongly (keyword, address, token): it is tried seldom, and a person is needed. */
  | { readonly kind: 'blocked'; readonly reason: string }
  /** The receiver will never take this message. */
  | { readonly kind: 'refused'; readonly reason: string }

/** Port of what brings messages to people or to other systems. Implementations never throw: they classify. */
export interface Notifier {
  /** Name of the receiver in the config. */
  readonly receiver: string
  /**
   * How many of those that wait, from the first on, go into the next message; at least 1.
   * @param room messages that its rate allows now; infinite without a rate
   */
  batch(waiting: readonly Notification[], room: number): number
  /** @param attempt 0 for the first one of this message; a notifier may wait longer for later ones */
  send(message: Message, attempt: number, signal: AbortSignal): Promise<SendResult>
  close(): Promise<void>
}

/** Notifications that a notifier is asked about at once, at most. */
export const maxBatch = 200
