import type { DedupBackend } from './dedup.ts'
import type { DurationMs, EpochMs } from './time.ts'

/**
 * What a config means, resolved and checked: the stages read plans, never YAML.
 * A metric's name is its uid: state is kept under it.
 */
export interface JobPlan {
  readonly job: string
  readonly metrics: readonly MetricPlan[]
  readonly sources: readonly EventPlan[]
}

/** A dotted path into a JSON document, outermost key first; never empty. */
export type FieldPath = readonly string[]

/** How the events of one source are read. */
export interface EventPlan {
  readonly source: string
  readonly time: TimePlan
  /** Field that identifies the user; strings and numbers, hashed as the UTF-8 bytes of their JSON text without quotes. */
  readonly user: FieldPath | undefined
  /** Field whose text is the outcome, e.g. `status`. */
  readonly outcome: FieldPath | undefined
  /** Renames of raw outcomes, e.g. `SUCC` → `success`; what is not named keeps its text. */
  readonly outcomeNames: ReadonlyMap<string, string>
  /** Events that do not match are no events of this source: they move the watermark, and nothing counts them. */
  readonly where: Condition | undefined
  /** Event times before it are quarantined. */
  readonly minEventTime: EpochMs
  /** Event times further than this ahead of min(wall clock, record timestamp) are quarantined. */
  readonly maxFutureSkew: DurationMs
  readonly watermark: WatermarkPlan
}

export interface WatermarkPlan {
  readonly outOfOrderness: DurationMs
  /** Silence after which a partition that is proved to stand at its end no longer holds the watermark back. */
  readonly idleTimeout: DurationMs
  /** A partition whose watermark is further ahead of the combined one waits; infinite: none does. */
  readonly maxDrift: DurationMs
  /** Records that say the watermark of their partition; then events do not move it. undefined: events do. */
  readonly marks?: MarkPlan | undefined
}

/** Records that are no events: their time is a watermark, before which nothing more comes in their partition. */
export interface MarkPlan {
  readonly where: Condition
  readonly time: TimePlan
}

/** `record`: Kafka's record timestamp (for other sources the arrival). Numbers below 1e11 are seconds under `auto`. */
export type TimeFormat = 'auto' | 'epoch-s' | 'epoch-ms' | 'iso8601' | 'record'

export interface TimePlan {
  /** Ignored for `record`. */
  readonly path: FieldPath
  readonly format: TimeFormat
}

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='

/** A filter, parsed. A missing field makes every comparison but `!=` false; `!=` is the negation of `==`. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'exists'; readonly path: FieldPath }
  | { readonly kind: 'in'; readonly path: FieldPath; readonly values: readonly Scalar[] }
  | { readonly kind: 'matches'; readonly path: FieldPath; readonly pattern: RegExp }
  | {
      readonly kind: 'compare'
      readonly path: FieldPath
      readonly op: Comparison
      readonly value: Scalar
    }

export type Scalar = string | number | boolean | null

/** A dimension becomes a tag of the point, under `name`. */
export interface DimensionPlan {
  readonly name: string
  readonly path: FieldPath
  /** Value where the field is missing or null; without one such an event is a dead letter. */
  readonly missing: string | undefined
  /** The field is a key, and the value is looked up. */
  readonly lookup?: LookupPlan | undefined
}

/** How a key becomes the value of a dimension. The value of a key is found once per window, and then stays. */
export interface LookupPlan {
  /** Name of the table it is looked up in. */
  readonly from: string
  /** Field of the entry; an entry that is a text has none, and is the value itself. */
  readonly field: string
  /** Value of a key that has none. */
  readonly unknown: string
}

export interface WindowPlan {
  readonly sizeMs: DurationMs
  /** Equal to `sizeMs` for tumbling windows. */
  readonly slideMs: DurationMs
  readonly alignment: Alignment
}

/** Windows start at `offsetMs` plus a multiple of the slide since the epoch, or at local midnights of an IANA zone. */
export type Alignment =
  | { readonly kind: 'offset'; readonly offsetMs: number }
  | { readonly kind: 'zone'; readonly timezone: string }

/** Which event of a user counts in a window: the earliest, the latest, or the one with the best outcome. */
export type Keep = 'first' | 'last' | 'best'

export type AggregatePlan =
  /** Kept events (all events where the metric does not deduplicate). */
  | { readonly kind: 'count'; readonly name: string }
  /** All events, duplicates included. */
  | { readonly kind: 'events'; readonly name: string }
  /** Distinct users. */
  | { readonly kind: 'users'; readonly name: string }
  /** Kept events whose outcome is in `success` ÷ kept events whose outcome is in `of` (undefined: all). `raw`: over all events, duplicates included. */
  | {
      readonly kind: 'rate'
      readonly name: string
      readonly raw: boolean
      readonly success: readonly string[]
      readonly of: readonly string[] | undefined
    }
  /** Over the field `value` (index into `MetricPlan.values`) of kept events. */
  | {
      readonly kind: 'sum' | 'min' | 'max' | 'avg'
      readonly name: string
      readonly value: number
    }

/** How often a window speaks after its end. */
export type Accumulation = 'accumulating' | 'discarding'

export interface MetricPlan {
  readonly name: string
  /** Name of the source it reads. */
  readonly source: string
  readonly where: Condition | undefined
  readonly dimensions: readonly DimensionPlan[]
  /** The outcome is a tag of `count`, `events`, `sum`, `min`, `max` and `avg` too. */
  readonly splitByOutcome: boolean
  /** Worst first. Outcomes that are not named here rank below all and share the name `other`. */
  readonly outcomes: readonly string[]
  /** Numeric fields that the aggregates read; a missing one is NaN and left out. */
  readonly values: readonly { readonly name: string; readonly path: FieldPath }[]
  /** undefined: every event counts. */
  readonly keep: Keep | undefined
  /** Where users are remembered; undefined: exactly, in memory and checkpoint. */
  readonly backend?: DedupBackend | undefined
  /** Event time within which a user counts once, by arrival; undefined: the window. */
  readonly horizon?: DurationMs | undefined
  readonly window: WindowPlan
  readonly allowedLateness: DurationMs
  readonly accumulation: Accumulation
  /** Processing time from the first event of a pane to an early pane; undefined: no early panes. */
  readonly earlyAfter: DurationMs | undefined
  readonly aggregates: readonly AggregatePlan[]
  readonly zeroFill: ZeroFillPlan
  /** Partial windows are written all the same. */
  readonly emitPartial: boolean
  /** Series known from the start: one value per dimension each. */
  readonly declaredSeries: readonly (readonly string[])[]
  /** Bound of the series dictionary; events of further series are dead letters. */
  readonly maxSeries: number
  /** Combinations of the dimensions' own fields that are told apart where some are keys of a lookup; the keys of further ones are unknown. */
  readonly maxKeys?: number | undefined
}

export interface ZeroFillPlan {
  readonly enabled: boolean
  /** Event time after which a silent series is forgotten. */
  readonly expireAfter: DurationMs
  /** What a window is in which the whole source was silent. */
  readonly whenSilent: 'gap' | 'zero'
}

/** Code of an outcome that the metric does not name. Named outcomes have codes 1… in the order of `MetricPlan.outcomes`. */
export const OTHER_OUTCOME = 0
export const OTHER_OUTCOME_NAME = 'other'

/** Does the metric need to know who the user is? */
export function needsUser(metric: MetricPlan): boolean {
  return metric.keep !== undefined || metric.aggregates.some((one) => one.kind === 'users')
}

/** Does nothing that comes later take the place of a kept event? Then nothing is ever withdrawn. */
export function keepsByArrival(metric: Pick<MetricPlan, 'keep' | 'backend' | 'horizon'>): boolean {
  return metric.keep !== undefined && (metric.backend ?? metric.horizon) !== undefined
}

/** Are its users unsigned 32-bit integers? Then the lower half of a row's key is the user, not a hash. */
export function needsIntegerUser(metric: MetricPlan): boolean {
  return metric.backend?.type === 'bitmap'
}

/** Does the metric need an outcome? Without one every event has code `OTHER_OUTCOME`. */
export function needsOutcome(metric: MetricPlan): boolean {
  return (
    metric.keep === 'best' ||
    metric.splitByOutcome ||
    metric.aggregates.some((one) => one.kind === 'rate')
  )
}
