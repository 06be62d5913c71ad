import type { Alignment, FieldPath } from '../core/plan.ts'
import { type DurationMs, durationMs } from '../core/time.ts'
import { pathText } from './condition-text.ts'
import type {
  AggregateConfig,
  DedupBackendConfig,
  DimensionConfig,
  EventConfig,
  MetricConfig,
  WatermarkConfig,
} from './config.ts'
import type { EventDocument, MetricDocument, WatermarkDocument } from './schema.ts'

/** The dimension that stands for the outcome as the source maps it. */
export const outcomeDimension = 'outcome'

/** A metric with everything that the document leaves to defaults and shorthands. `source`: the one it reads. */
export function resolveMetric(
  name: string,
  document: MetricDocument,
  source: string,
): MetricConfig {
  const dimensions = document.dimensions.map(resolveDimension)
  const own = dimensions.filter((one) => one.name !== outcomeDimension)
  const { size, slide, offset, timezone } = document.window
  const alignment: Alignment =
    timezone === undefined ? { kind: 'offset', offsetMs: offset } : { kind: 'zone', timezone }
  const { enabled, expireAfter, whenSilent } = document.zeroFill
  return {
    name,
    source,
    where: document.where,
    window: { sizeMs: size, slideMs: slide ?? size, alignment },
    allowedLatenessMs: document.allowedLateness,
    evaluationDelayMs: document.evaluationDelay,
    dimensions: own,
    splitByOutcome: own.length < dimensions.length,
    outcomes: document.outcomes,
    keep: document.dedup?.keep,
    backend: resolveBackend(document.dedup),
    horizonMs: horizonOf(document.dedup),
    aggregates: document.aggregates.map(resolveAggregate),
    zeroFill: { enabled, expireAfter, whenSilent },
    series: document.series.map((values) => own.map((dimension) => values[dimension.name] ?? '')),
    accumulation: document.accumulation,
    earlyAfterMs: document.earlyAfter,
    emitPartial: document.emitPartial,
    maxSeries: document.maxSeries,
    maxKeys: document.maxKeys,
    renamedFrom: document.renamedFrom,
  }
}

function resolveBackend(dedup: MetricDocument['dedup']): DedupBackendConfig | undefined {
  const backend = dedup?.backend
  if (backend === undefined || backend === 'exact') return undefined
  if (backend === 'bitmap') return { type: 'bitmap' }
  if (backend === 'hyperloglog') return { type: 'hyperloglog', error: 0.01 }
  if (typeof backend === 'string')
    throw new TypeError(`the check lets no ${backend} without particulars through`)
  if (backend.type !== 'redis') return backend
  const { type, url, username, password, cacheKeys, timeout } = backend
  return { type, url, username, password, cacheKeys, timeoutMs: timeout }
}

const horizonOf = (dedup: MetricDocument['dedup']): DurationMs | undefined =>
  dedup === undefined || dedup.per === 'window' ? undefined : dedup.per

/** How events are read; a time of format `record` has an empty path. */
export function resolveEvent(document: EventDocument): EventConfig {
  const { time, outcome } = document
  return {
    time: resolveTime(time),
    user: document.user,
    outcome: outcome === undefined ? undefined : resolveOutcome(outcome),
    where: document.where,
    minEventTime: document.minEventTime,
    maxFutureSkewMs: document.maxFutureSkew,
  }
}

function resolveTime(time: EventDocument['time']): EventConfig['time'] {
  return 'format' in time
    ? { path: time.path ?? [], format: time.format }
    : { path: time, format: 'auto' }
}

export function resolveWatermark(document: WatermarkDocument): WatermarkConfig {
  const { strategy, mark, outOfOrderness, idleTimeout, maxDrift } = document
  const isPunctuated = strategy === 'punctuated' && mark !== undefined
  return {
    mark: isPunctuated ? { where: mark.where, time: resolveTime(mark.time) } : undefined,
    outOfOrdernessMs: isPunctuated ? durationMs(0) : outOfOrderness,
    idleTimeoutMs: idleTimeout,
    maxDriftMs: maxDrift,
  }
}

function resolveOutcome(
  outcome: NonNullable<EventDocument['outcome']>,
): NonNullable<EventConfig['outcome']> {
  if (!('path' in outcome)) return { path: outcome, names: new Map() }
  return { path: outcome.path, names: new Map(Object.entries(outcome.names)) }
}

export function resolveDimension(document: MetricDocument['dimensions'][number]): DimensionConfig {
  if (!('name' in document))
    return { name: dottedName(document), path: document, missing: undefined }
  const { name, missing, lookup } = document
  if (lookup === undefined) return { name, path: document.path ?? [name], missing }
  const { from, key, field = name, unknown } = lookup
  return { name, path: key, missing, lookup: { from, field, unknown } }
}

export function resolveAggregate(document: MetricDocument['aggregates'][number]): AggregateConfig {
  if (typeof document === 'string') return { kind: document, name: document }
  for (const kind of ['rate', 'rawRate'] as const) {
    const rate = document[kind]
    if (rate === undefined) continue
    const { name = kind, success, of } = rate
    return { kind: 'rate', name, raw: kind === 'rawRate', success, of }
  }
  for (const kind of ['sum', 'avg', 'min', 'max'] as const) {
    const value = document[kind]
    if (value === undefined) continue
    const { field, path } =
      'field' in value
        ? { field: value.field, path: value.path ?? [value.field] }
        : { field: dottedName(value), path: value }
    return { kind, name: `${kind}.${field}`, field, path }
  }
  throw new TypeError('the schema lets no aggregate without a key through')
}

/** The name a path gives: the path as it would be written, so that odd segments show as such and are refused as names. */
const dottedName = (path: FieldPath): string => path.map((one) => pathText([one])).join('.')
