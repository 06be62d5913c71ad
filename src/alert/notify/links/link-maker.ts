import type { DurationMs, EpochMs } from '../../../core/time.ts'

/** What a button asks for. The page behind it does nothing before a person confirms it. */
export interface LinkRequest {
  readonly action: 'silence' | 'acknowledge'
  /** Alerts with these labels; at least one label. */
  readonly labels: Readonly<Record<string, string>>
  /** Length of a silence; 0 for an acknowledgement. */
  readonly forMs: DurationMs
  /** The notification whose button it was. */
  readonly notification: string
  /** The link is good for nothing from here on. */
  readonly expiresAt: EpochMs
}

/** Port: makes a signed address of a request, and reads it back. */
export interface LinkMaker {
  link(request: LinkRequest): string
  /** The request of a token, or why it is none: forged, broken, or expired at `now`. */
  verify(token: string, now: EpochMs): LinkRequest | { readonly problem: string }
}
