import type { EpochMs } from '../../core/time.ts'
import type { Notification } from '../notification.ts'

/** A line of the audit log: who did what, on which grounds, and what became of it. */
export type AuditEntry =
  /** Warden decided to tell people: the whole notification, with what was judged. */
  | { readonly at: EpochMs; readonly event: 'decided'; readonly notification: Notification }
  /** One attempt to send a message. */
  | {
      readonly at: EpochMs
      readonly event: 'sent' | 'retried' | 'blocked' | 'refused' | 'dropped'
      readonly receiver: string
      readonly message: string
      readonly notifications: readonly string[]
      readonly attempt: number
      readonly mayBeRepeat: boolean
      readonly reason: string | undefined
    }
  /** A person did something through a link or the API. */
  | {
      readonly at: EpochMs
      readonly event: 'silenced' | 'acknowledged'
      readonly who: string
      readonly target: string
      readonly reason: string
      readonly until: EpochMs | undefined
    }

/** Port: append-only, never thrown from; what can't be written is logged and counted. */
export interface AuditLog {
  append(entry: AuditEntry): void
}

export const noAudit: AuditLog = { append: () => {} }
