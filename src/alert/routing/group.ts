import type { RoutePlan } from '../../core/alert-plan.ts'
import type { EpochMs } from '../../core/time.ts'
import type { Alert } from '../lifecycle/alert.ts'
import type { AlertCause, AlertFact, Severity } from '../notification.ts'
import type { LabelSet } from './matchers.ts'

/** An alert that fires, or a rule that has been held for too long, as routing sees it. */
export interface Live {
  /** `held`: a rule that cannot be judged. */
  readonly kind: 'firing' | 'held'
  /** What it is about, the same over incidents. */
  readonly id: string
  readonly incident: string
  readonly labels: LabelSet
  readonly severity: Severity
  readonly cause: AlertCause
  readonly startedAt: EpochMs
  /** Which routes were told, with which severity. */
  readonly told: Alert['told']
  readonly acknowledged: boolean
  /** Why nothing is said of it now; undefined: it is. */
  readonly suppressed: string | undefined
  /** Writes what a message says of it. */
  readonly fact: () => AlertFact
}

/** Something that was told and has ended. */
export interface Ended {
  readonly id: string
  readonly incident: string
  /** Time of the end, which a message of a route that is muted tells later. */
  readonly fact: AlertFact
}

/** A conversation: what is said on one route about alerts that share its labels. Part of the state. */
export interface Group {
  readonly key: string
  readonly route: string
  readonly kind: 'firing' | 'held'
  readonly labels: LabelSet
  /** Since when something waits to be said. */
  pendingSince: EpochMs | undefined
  /** Last message about something new or ended. */
  sentAt: EpochMs | undefined
  /** First message of the outage that goes on: what escalation counts from. */
  firstSentAt: EpochMs | undefined
  /** Last message that said that something fires. */
  firingSentAt: EpochMs | undefined
  repeats: number
  escalated: number
  /** Receivers that were told by escalation: they hear of the end too. */
  further: readonly string[]
  ended: Ended[]
  /** Messages so far. */
  messages: number
}

export function newGroup(
  key: string,
  route: RoutePlan,
  kind: Group['kind'],
  labels: LabelSet,
): Group {
  return {
    key,
    route: route.name,
    kind,
    labels,
    pendingSince: undefined,
    sentAt: undefined,
    firstSentAt: undefined,
    firingSentAt: undefined,
    repeats: 0,
    escalated: 0,
    further: [],
    ended: [],
    messages: 0,
  }
}

const ranks = { info: 0, warn: 1, crit: 2 } as const

export const rankOf = (severity: Severity): number => ranks[severity]

/** Does the route not know of it yet, or only of something milder? */
export function isNews(live: Live, route: string): boolean {
  const told = live.told[route]
  return told === undefined || rankOf(told.severity) < rankOf(live.severity)
}

/** Wait before the n-th repeat (0 = first). */
export function repeatWaitMs(route: RoutePlan, repeats: number): number {
  const { everyMs, factor, maxMs } = route.repeat
  return Math.min(maxMs, everyMs * factor ** Math.min(repeats, 60))
}
