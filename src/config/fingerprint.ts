import {
  type DimensionPlan,
  type EventPlan,
  type JobPlan,
  type MetricPlan,
  needsOutcome,
  needsUser,
} from '../core/plan.ts'
import { canonicalCondition, conditionText } from './condition-text.ts'
import type { Config } from './config.ts'

/**
 * What a metric's state was built with. `state`: with another value the state means something else. `free`: may change
 * under the same state. Part name → canonical JSON; it is kept in the checkpoint and compared at the next start.
 */
export interface MetricFingerprint {
  readonly metric: string
  readonly state: Readonly<Record<StatePart, string>>
  readonly free: Readonly<Record<FreePart, string>>
}

const stateParts = [
  'source',
  'event time',
  'user',
  'outcome',
  'filter of the source',
  'filter',
  'dimensions',
  'window',
  'keep',
  'outcomes',
  'outcome dimension',
  'summed fields',
] as const
type StatePart = (typeof stateParts)[number]

const freeParts = [
  'aggregates',
  'lateness',
  'zero fill',
  'declared series',
  'accumulation',
  'early points',
  'partial windows',
  'series limit',
] as const
type FreePart = (typeof freeParts)[number]

/** What becomes of a metric's state under a new config. */
export type MetricChange =
  | { readonly kind: 'same'; readonly metric: string; readonly from: string }
  /** `parts`: what changed, e.g. `aggregates`. */
  | {
      readonly kind: 'free'
      readonly metric: string
      /** Name the state is kept under now; another one than `metric` after `renamedFrom`. */
      readonly from: string
      readonly parts: readonly FreePart[]
    }
  /** Starts without state: what lies under its name is dropped, and its first windows are partial. */
  | { readonly kind: 'new'; readonly metric: string }
  /** State of a metric that the config no longer has; it is dropped. */
  | { readonly kind: 'removed'; readonly metric: string }
  /** The state does not fit. `reason` names what changed and the way on. */
  | {
      readonly kind: 'refused'
      readonly metric: string
      readonly from: string
      readonly reason: string
    }

/** Fingerprints of all metrics of a job, in its order. */
export function fingerprintsOf(plan: JobPlan): readonly MetricFingerprint[] {
  return plan.metrics.map((metric) => {
    const event = plan.sources.find((one) => one.source === metric.source)
    if (event === undefined) throw new RangeError(`metric ${metric.name} has no source`)
    return fingerprintOf(metric, event)
  })
}

export function fingerprintOf(metric: MetricPlan, event: EventPlan): MetricFingerprint {
  const user = needsUser(metric)
  const outcome = needsOutcome(metric) || metric.outcomes.length > 0
  return {
    metric: metric.name,
    state: {
      source: text(metric.source),
      'event time': text([
        event.time.format === 'record' ? [] : event.time.path,
        event.time.format,
      ]),
      user: text(user ? event.user : undefined),
      outcome: text(outcome ? [event.outcome, [...event.outcomeNames].sort()] : undefined),
      'filter of the source': filterText(event.where),
      filter: filterText(metric.where),
      dimensions: text(metric.dimensions.map(dimensionParts)),
      window: text([metric.window.sizeMs, metric.window.slideMs, metric.window.alignment]),
      keep: keepText(metric),
      outcomes: text(metric.outcomes),
      'outcome dimension': text(metric.splitByOutcome),
      'summed fields': text(metric.values.map(({ path }) => path)),
    },
    free: {
      aggregates: text(metric.aggregates),
      lateness: text(metric.allowedLateness),
      'zero fill': text(metric.zeroFill),
      'declared series': text(metric.declaredSeries),
      accumulation: text(metric.accumulation),
      'early points': text(metric.earlyAfter),
      'partial windows': text(metric.emitPartial),
      'series limit': text(metric.maxSeries),
    },
  }
}

/** New name → former name, of the metrics that take over a state. */
export function renamesOf(config: Pick<Config, 'metrics'>): ReadonlyMap<string, string> {
  return new Map(
    config.metrics.flatMap(({ name, renamedFrom }) =>
      renamedFrom === undefined ? [] : [[name, renamedFrom] as const],
    ),
  )
}

/**
 * Judges a config against the state of an earlier one, before anything is touched: one verdict per new metric, in its
 * order, then the removed ones. A metric that is in `dropped` (`--drop-metric`) starts anew.
 */
export function compareMetrics(
  old: readonly MetricFingerprint[],
  next: readonly MetricFingerprint[],
  renames: ReadonlyMap<string, string> = new Map(),
  dropped: ReadonlySet<string> = new Set(),
): readonly MetricChange[] {
  const known = new Map(old.map((one) => [one.metric, one]))
  const taken = new Set<string>()
  const changes: MetricChange[] = next.map((one) => {
    const renamed = renames.get(one.metric)
    // After the first start under the new name the state is there, and renamedFrom may stay in the config.
    const from = known.has(one.metric) || renamed === undefined ? one.metric : renamed
    const before = known.get(from)
    if (before === undefined || dropped.has(one.metric)) {
      return { kind: 'new', metric: one.metric }
    }
    taken.add(from)
    return compare(before, one)
  })
  const gone = old.filter(({ metric }) => !taken.has(metric) && !isReplaced(metric, changes))
  return [...changes, ...gone.map(({ metric }) => ({ kind: 'removed' as const, metric }))]
}

const isReplaced = (metric: string, changes: readonly MetricChange[]): boolean =>
  changes.some((one) => one.kind === 'new' && one.metric === metric)

function compare(before: MetricFingerprint, now: MetricFingerprint): MetricChange {
  const { metric } = now
  const from = before.metric
  const state = stateParts.filter((part) => before.state[part] !== now.state[part])
  if (state.length > 0) {
    const what = state
      .map((part) => `${part} ${before.state[part]} → ${now.state[part]}`)
      .join(', ')
    const reason = `metric ${metric}: its state does not fit the new config (${what}); go back to the old one, give the metric a new name, or lose its state with --drop-metric ${metric}`
    return { kind: 'refused', metric, from, reason }
  }
  const parts = freeParts.filter((part) => before.free[part] !== now.free[part])
  return parts.length === 0 ? { kind: 'same', metric, from } : { kind: 'free', metric, from, parts }
}

/** A value that is looked up is another series by another table, field or word for what is unknown; where the table is does not matter. */
const dimensionParts = ({ name, path, missing, lookup }: DimensionPlan): unknown[] =>
  lookup === undefined
    ? [name, path, missing]
    : [name, path, missing, lookup.from, lookup.field, lookup.unknown]

/** What is remembered of users. */
function keepText(metric: MetricPlan): string {
  // Without dedup distinct users are kept only where an aggregate asks for them.
  const keep = metric.keep ?? (needsUser(metric) ? 'users' : undefined)
  const { backend, horizon } = metric
  if (backend === undefined && horizon === undefined) return text(keep)
  // Which Redis it is does not matter: its keys may have moved with it.
  const stored = backend?.type === 'redis' ? { type: 'redis' } : (backend ?? { type: 'exact' })
  return text([keep, stored, ...(horizon === undefined ? [] : [horizon])])
}

const filterText = (filter: MetricPlan['where']): string =>
  filter === undefined ? 'none' : conditionText(canonicalCondition(filter))

/** JSON; `none` for what is not there. */
const text = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value))
