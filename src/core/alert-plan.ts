import type { WindowPlan } from './plan.ts'
import type { DurationMs, EpochMs } from './time.ts'

/** What the alert section of a config means: rules, who is told, and when not. */
export interface AlertPlan {
  readonly job: string
  /** Time between evaluations where no window became due. */
  readonly intervalMs: DurationMs
  /** Windows that ended longer ago are judged, but no message begins with them. */
  readonly staleAfterMs: DurationMs
  readonly history: HistoryPlan
  readonly rules: readonly RulePlan[]
  /** In order; the last one matches everything. */
  readonly routes: readonly RoutePlan[]
  readonly inhibitions: readonly InhibitionPlan[]
  readonly silences: readonly SilencePlan[]
  readonly times: ReadonlyMap<string, TimesPlan>
  readonly calendars: ReadonlyMap<string, CalendarPlan>
}

export interface HistoryPlan {
  /** Event time that panes are kept for comparison. */
  readonly keepMs: DurationMs
  /** Series per metric that are judged; further ones are counted, not judged. */
  readonly maxSeries: number
}

/** Label → patterns, one of which must match. A pattern is a text with `*` for anything; `!` in front negates. */
export type Matchers = readonly { readonly label: string; readonly patterns: readonly string[] }[]

export type SeverityName = 'info' | 'warn' | 'crit'

/** What is good: min ≤ value ≤ max. */
export interface Bounds {
  readonly min: number | undefined
  readonly max: number | undefined
}

/** What an override may change for some series. */
export interface RuleSettings {
  readonly enabled: boolean
  /** Of kinds without `warn` and `crit`. */
  readonly severity: SeverityName
  readonly warn: Bounds | undefined
  readonly crit: Bounds | undefined
  /** A firing alert ends only inside these: hysteresis. */
  readonly clear: Bounds | undefined
  /** Bad windows in a row, complete ones, must add up to it; processing time for the pipeline kind. */
  readonly forMs: DurationMs
  readonly forWindows: number
  /** Good time after the last bad window before an alert ends. */
  readonly keepFiringMs: DurationMs
  readonly keepFiringWindows: number
  readonly minVolume: number
  /** Smallest absolute difference that counts. */
  readonly floor: number
}

interface RuleBase {
  readonly name: string
  readonly team: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly settings: RuleSettings
  readonly overrides: readonly {
    readonly match: Matchers
    readonly settings: Partial<RuleSettings>
  }[]
  /** Processing time after a window was due at which a rule that is held says so. */
  readonly maxWaitMs: DurationMs
  /** Rules by name; while one of them fires, this one is not evaluated. */
  readonly dependsOn: readonly string[]
  /** Names of times in which it says nothing. */
  readonly mute: readonly string[]
  /** Names of times outside which it says nothing; empty: always. */
  readonly active: readonly string[]
}

/** A rule that judges windows of a metric, series by series. */
export interface WindowRuleBase extends RuleBase {
  readonly metric: string
  /** Aggregate that is judged; undefined: the metric's first. */
  readonly aggregate: string | undefined
  /** Series that it judges. */
  readonly match: Matchers
  /** Held until every sink has the window. */
  readonly requireWritten: boolean
  /** Instead of the metric's. */
  readonly evaluationDelayMs: DurationMs | undefined
}

export type ZeroRule = WindowRuleBase & { readonly kind: 'zero' }
export type ThresholdRule = WindowRuleBase & { readonly kind: 'threshold' }

/** Either an aggregate of kind rate, or outcomes of a metric that splits by outcome. */
export type RateRule = WindowRuleBase & {
  readonly kind: 'rate'
  readonly outcomes:
    | { readonly success: readonly string[]; readonly of: readonly string[] | undefined }
    | undefined
  /** Aggregate that says how much stands behind a rate. */
  readonly volume: string | undefined
}

/** The judged number is (now − then) ÷ then. */
export type ChangeRule = WindowRuleBase & {
  readonly kind: 'change'
  readonly against: 'day' | 'week'
  readonly timezone: string
}

/** The judged number is the distance from the median in robust standard deviations. */
export type BaselineRule = WindowRuleBase & {
  readonly kind: 'baseline'
  readonly direction: 'below' | 'above' | 'both'
  readonly weeks: number
  readonly minSamples: number
  readonly timezone: string
  readonly calendar: string | undefined
  /** Spans that are left out of the baseline. */
  readonly masked: readonly { readonly from: EpochMs; readonly to: EpochMs }[]
}

export type NewSeriesRule = WindowRuleBase & {
  readonly kind: 'new-series'
  /** Event time from the first complete window of the metric in which every series is simply learnt. */
  readonly learnMs: DurationMs
}

export type MissingSeriesRule = WindowRuleBase & {
  readonly kind: 'missing-series'
  /** Complete windows without an event of the series must add up to it. */
  readonly afterMs: DurationMs
  /** Event time after which a missing series is forgotten. */
  readonly forgetMs: DurationMs
}

export type CompositeRule = RuleBase & {
  readonly kind: 'composite'
  readonly condition: RuleCondition
  /** Labels that the alerts of its parts must share; empty: any alert of a part will do. */
  readonly on: readonly string[]
}

/** True for a rule that fires. */
export type RuleCondition =
  | { readonly kind: 'rule'; readonly rule: string }
  | { readonly kind: 'and' | 'or'; readonly of: readonly RuleCondition[] }
  | { readonly kind: 'not'; readonly of: RuleCondition }

export const pipelineSignals = [
  'lag',
  'watermark-age',
  'source-rate',
  'unreachable',
  'sink-failing',
  'oldest-unwritten',
  'dead-letter-rate',
  'late-rate',
  'late-events',
  'checkpoint-age',
] as const
export type PipelineSignal = (typeof pipelineSignals)[number]

export type PipelineRule = RuleBase & {
  readonly kind: 'pipeline'
  readonly signal: PipelineSignal
  /** Names of sources, sinks or metrics; empty: all. */
  readonly names: readonly string[]
  /** Span that rates are taken over. */
  readonly overMs: DurationMs
}

export type WindowRule =
  | ZeroRule
  | ThresholdRule
  | RateRule
  | ChangeRule
  | BaselineRule
  | NewSeriesRule
  | MissingSeriesRule

export type RulePlan = WindowRule | CompositeRule | PipelineRule

export interface RoutePlan {
  readonly name: string
  readonly match: Matchers
  readonly receivers: readonly string[]
  /** Look at the routes after it too. */
  readonly proceed: boolean
  readonly groupBy: readonly string[]
  /** Wait for more of the same before the first message of a group. */
  readonly groupWaitMs: DurationMs
  /** Least time between messages of a group about new alerts. */
  readonly groupIntervalMs: DurationMs
  readonly repeat: {
    readonly everyMs: DurationMs
    readonly factor: number
    readonly maxMs: DurationMs
    /** Repeats at most. */
    readonly times: number
  }
  readonly escalate: readonly {
    readonly afterMs: DurationMs
    readonly receivers: readonly string[]
  }[]
  readonly mute: readonly string[]
  readonly active: readonly string[]
  readonly sendResolved: boolean
}

/** While an alert matches `source`, those that match `target` and share the labels `equal` say nothing. */
export interface InhibitionPlan {
  readonly source: Matchers
  readonly target: Matchers
  readonly equal: readonly string[]
}

export interface SilencePlan {
  readonly id: string
  readonly match: Matchers
  readonly from: EpochMs
  readonly until: EpochMs
  readonly owner: string
  readonly reason: string
}

/** Recurring times. Every condition that is given must hold. */
export interface TimesPlan {
  readonly timezone: string
  /** Minutes of the day, [from, to); `to` < `from` goes over midnight and belongs to the day it began on. Empty: all day. */
  readonly hours: readonly { readonly from: number; readonly to: number }[]
  /** 1 Monday … 7 Sunday; empty: every day. */
  readonly weekdays: readonly number[]
  /** `workdays` and `restdays` follow the calendar. */
  readonly days: 'all' | 'workdays' | 'restdays'
  readonly calendar: string | undefined
}

/** Days since 1970-01-01 in the zone's own calendar. */
export interface CalendarPlan {
  readonly holidays: ReadonlySet<number>
  /** Days of a weekend that are worked. */
  readonly workdays: ReadonlySet<number>
}

/** What judging needs to know of a metric. */
export interface JudgedMetric {
  readonly name: string
  /** Name under which it was remembered before; left out: this one. */
  readonly renamedFrom?: string
  readonly source: string
  readonly window: WindowPlan
  readonly outOfOrdernessMs: DurationMs
  readonly evaluationDelayMs: DurationMs
  readonly aggregates: readonly { readonly name: string; readonly kind: string }[]
  /** Tags of the series that are known from the start. */
  readonly declared: readonly Readonly<Record<string, string>>[]
  /** Event time after which a silent series is no longer known. */
  readonly expireAfterMs: DurationMs
}
