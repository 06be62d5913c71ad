import type { SeverityName } from '../../core/alert-plan.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'
import type { Tags } from '../history/series-names.ts'
import type { AlertCause } from '../notification.ts'

/** What somebody who takes an alert on says. */
export interface Acknowledgement {
  readonly by: string
  readonly at: EpochMs
  readonly reason: string
}

/**
 * One alert: a rule and what it is about. inactive → pending → firing → inactive. `pending` waits for the rule's `for`; it ends without a
 * word. `firing` ends on good windows that were observed (told as resolved), or because late data took back what it rests on (told as a
 * correction). What cannot be judged leaves every state as it is.
 */
export interface Alert {
  readonly rule: string
  /** What it is about, unambiguous within the rule. */
  readonly key: string
  readonly tags: Tags
  state: 'inactive' | 'pending' | 'firing'
  severity: SeverityName
  cause: AlertCause
  /** Names the incident from its first bad window on. */
  incident: string
  /** Start of the first bad window, or processing time where there is none. */
  startedAt: EpochMs
  firedAt: EpochMs | undefined
  /** Bad windows of this incident by start, the latest `maxStreak`, with what was read. */
  bad: { readonly start: EpochMs; readonly value: number }[]
  /** Bad windows in a row in all, and how long they are together. */
  badCount: number
  badMs: number
  /** Good ones since the last bad one, while it fires. */
  goodCount: number
  goodMs: number
  /** Processing time since when it is good; only of rules without windows. */
  goodSince: EpochMs | undefined
  /** The last window that was judged. */
  windowStart: EpochMs
  windowEnd: EpochMs
  value: number
  reason: string
  /** Why it was not judged the last time; undefined: it was. */
  held: AlertCause | undefined
  acknowledged: Acknowledgement | undefined
  /** Route → severity and time of the message that told of it. */
  told: Record<string, { readonly severity: SeverityName; readonly at: EpochMs }>
  /** Windows in which it was found bad lately: [start of the first, end of the last]. */
  episodes: (readonly [EpochMs, EpochMs])[]
}

/** Bad windows that one incident remembers by themselves. */
export const maxStreak = 200
/** Incidents that are remembered to be left out of baselines. */
export const maxEpisodes = 50

export function newAlert(rule: string, key: string, tags: Tags): Alert {
  return {
    rule,
    key,
    tags,
    state: 'inactive',
    severity: 'info',
    cause: 'ZERO',
    incident: '',
    startedAt: epochMs(0),
    firedAt: undefined,
    bad: [],
    badCount: 0,
    badMs: 0,
    goodCount: 0,
    goodMs: 0,
    goodSince: undefined,
    windowStart: epochMs(0),
    windowEnd: epochMs(0),
    value: 0,
    reason: '',
    held: undefined,
    acknowledged: undefined,
    told: {},
    episodes: [],
  }
}

/** What a step of the lifecycle did. */
export type Transition =
  | 'none'
  /** Something that is kept changed. */
  | 'changed'
  | 'fired'
  /** It fires worse than before: whoever took it on is asked again. */
  | 'worse'
  | 'resolved'
  | 'corrected'
