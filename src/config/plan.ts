import type { DedupBackend } from '../core/dedup.ts'
import type { EventPlan, JobPlan, MetricPlan } from '../core/plan.ts'
import { durationMs } from '../core/time.ts'
import type {
  AggregateConfig,
  Config,
  DedupBackendConfig,
  MetricConfig,
  SourceConfig,
} from './config.ts'

/** What the stages read of a config. */
export function planOf(config: Pick<Config, 'job' | 'sources' | 'metrics'>): JobPlan {
  return {
    job: config.job,
    sources: config.sources.map(eventPlanOf),
    metrics: config.metrics.map(metricPlanOf),
  }
}

/** Without the connection: it belongs to the edge, and its password to nobody else. */
function backendPlanOf(backend: DedupBackendConfig): DedupBackend {
  return backend.type === 'redis' ? { type: 'redis', cacheKeys: backend.cacheKeys } : backend
}

/** How the events of a source are read. */
export function eventPlanOf(source: Pick<SourceConfig, 'name' | 'event' | 'watermark'>): EventPlan {
  const { event, watermark } = source
  return {
    source: source.name,
    time: event.time,
    user: event.user,
    outcome: event.outcome?.path,
    outcomeNames: event.outcome?.names ?? new Map(),
    where: event.where?.condition,
    minEventTime: event.minEventTime,
    maxFutureSkew: event.maxFutureSkewMs,
    watermark: {
      outOfOrderness: watermark.outOfOrdernessMs,
      idleTimeout: watermark.idleTimeoutMs,
      maxDrift: watermark.maxDriftMs ?? durationMs(Number.POSITIVE_INFINITY),
      ...(watermark.mark === undefined
        ? {}
        : { marks: { where: watermark.mark.where.condition, time: watermark.mark.time } }),
    },
  }
}

/** A metric with the numeric fields that its aggregates read put together: each field is read once. */
export function metricPlanOf(metric: MetricConfig): MetricPlan {
  const values: { name: string; path: readonly string[] }[] = []
  const indexOf = (one: Extract<AggregateConfig, { readonly field: string }>): number => {
    const key = JSON.stringify(one.path)
    const known = values.findIndex((value) => JSON.stringify(value.path) === key)
    if (known >= 0) return known
    return values.push({ name: one.field, path: one.path }) - 1
  }
  return {
    name: metric.name,
    source: metric.source,
    where: metric.where?.condition,
    dimensions: metric.dimensions,
    splitByOutcome: metric.splitByOutcome,
    outcomes: metric.outcomes,
    keep: metric.keep,
    ...(metric.backend === undefined ? {} : { backend: backendPlanOf(metric.backend) }),
    ...(metric.horizonMs === undefined ? {} : { horizon: metric.horizonMs }),
    window: metric.window,
    allowedLateness: metric.allowedLatenessMs,
    accumulation: metric.accumulation,
    earlyAfter: metric.earlyAfterMs,
    aggregates: metric.aggregates.map((one) =>
      'field' in one ? { kind: one.kind, name: one.name, value: indexOf(one) } : one,
    ),
    values,
    zeroFill: metric.zeroFill,
    emitPartial: metric.emitPartial,
    declaredSeries: metric.series,
    maxSeries: metric.maxSeries,
    ...(metric.dimensions.some(({ lookup }) => lookup !== undefined)
      ? { maxKeys: metric.maxKeys }
      : {}),
  }
}
