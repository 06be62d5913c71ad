import type { DurationMs, EpochMs } from '../core/time.ts'
import type { VerdictDelivery, VerdictEvidence, VerdictValue } from '../core/verdict.ts'

/**
 * What a message is about.
 * `firing`: alerts began. `resolved`: they ended, on an observed good and complete window. `correction`: late data took back what was
 * said; no recovery. `cannot-judge`: a rule is held longer than its `maxWait`; its end is a `resolved` with the same group.
 * `repeat`: still firing. `escalation`: nobody acknowledged. `digest`: several messages put together. `watchdog`: the heartbeat.
 */
export type NotificationKind =
  | 'firing'
  | 'resolved'
  | 'correction'
  | 'cannot-judge'
  | 'repeat'
  | 'escalation'
  | 'digest'
  | 'watchdog'

export type Severity = 'info' | 'warn' | 'crit'

/** Why a rule is not judged, or what an alert about the pipeline is about. */
export type AlertCause =
  | 'UNKNOWN'
  | 'LATE'
  | 'SOURCE_SILENT'
  | 'ZERO'
  | 'SINK_FAILING'
  | 'INSUFFICIENT'
  | 'DEPENDENCY'
  | 'THRESHOLD'
  | 'CHANGE'
  | 'BASELINE'
  | 'NEW_SERIES'
  | 'MISSING_SERIES'
  | 'COMPOSITE'
  | 'PIPELINE'

/** The numbers that a person compares; undefined where that window is not there or was not complete. */
export interface AlertNumbers {
  readonly now: number | undefined
  readonly yesterday: number | undefined
  readonly lastWeek: number | undefined
}

/** Which panel of a dashboard shows it: the link is fixed to the window, with one window before and after. */
export interface DashboardTarget {
  readonly job: string
  /** Empty where the alert is about the pipeline. */
  readonly metric: string
  readonly aggregate: string
  readonly tags: Readonly<Record<string, string>>
  readonly from: EpochMs
  readonly to: EpochMs
}

/** One alert in a message; JSON all the way, so that it can be stored and sent as it is. */
export interface AlertFact {
  /** Stable for the whole incident: what buttons and `acknowledge` name. */
  readonly incident: string
  readonly rule: string
  readonly ruleKind: string
  readonly severity: Severity
  readonly cause: AlertCause
  readonly state: 'firing' | 'resolved' | 'corrected' | 'held'
  /** Empty where the rule is about no metric. */
  readonly metric: string
  /** The aggregate or signal that was judged. */
  readonly aggregate: string
  /** Tags of the series; for alerts about the pipeline what they are about, such as `source`. */
  readonly tags: Readonly<Record<string, string>>
  /** The rule's own labels, `team` among them. */
  readonly labels: Readonly<Record<string, string>>
  /** The rule's own texts: `summary`, `runbook`, `dashboard`, … */
  readonly annotations: Readonly<Record<string, string>>
  /** The last window that was judged; for alerts about the pipeline the instant of the judgement twice. */
  readonly windowStart: EpochMs
  readonly windowEnd: EpochMs
  readonly verdict: { readonly value: VerdictValue; readonly delivery: VerdictDelivery } | undefined
  readonly numbers: AlertNumbers
  /** Values of the latest windows, oldest first, the judged one last; null: not complete. */
  readonly history: readonly (number | null)[]
  /** What was judged, in words: `0 < 1`, `-62 % against last week, more than 50 %`. */
  readonly reason: string
  /** Only in a `correction`: what was said, and what it is. */
  readonly correction: { readonly from: number; readonly to: number } | undefined
  readonly evidence: VerdictEvidence
  readonly startedAt: EpochMs
  /** undefined while it goes on. */
  readonly endedAt: EpochMs | undefined
  /** Who took it on; undefined: nobody. */
  readonly acknowledgedBy: string | undefined
  /** Series concerned: 1, or for `held` facts all that the rule judges. */
  readonly series: number
  readonly dashboard: DashboardTarget
}

/**
 * A message that was decided on. It is stored with the checkpoint that holds the decision and sent after that is durable.
 * Its `id` is stable: a message with the same id is the same message.
 */
export interface Notification {
  readonly id: string
  readonly decidedAt: EpochMs
  readonly kind: NotificationKind
  /** Names after routing; empty: it is only logged. */
  readonly receivers: readonly string[]
  /** The worst of its alerts. */
  readonly severity: Severity
  /** What the message is grouped by. The same `key` is the same conversation. */
  readonly group: {
    readonly key: string
    /** Set where all alerts of the group share it. */
    readonly rule: string | undefined
    readonly team: string | undefined
    readonly cause: AlertCause | undefined
  }
  /** At most `maxFacts`, the worst first. */
  readonly alerts: readonly AlertFact[]
  /** Alerts of this message in all, those that are not listed included. */
  readonly total: number
  /** Alerts of the group that fire, this message included. */
  readonly firing: number
  /** How many messages of this kind the group has had before: the n-th repeat, the n-th step of the escalation. */
  readonly step: number
  /** Since the group's first alert began. */
  readonly age: DurationMs
}

/** Alerts that one message lists at most: a message of thousands still is one message. */
export const maxFacts = 50
