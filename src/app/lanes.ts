import { availableParallelism } from 'node:os'
import type { Config, SourceConfig } from '../config/config.ts'
import type { EventPlan, MetricPlan } from '../core/plan.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { createDecoder } from '../ingest/create-decoder.ts'
import { kafkaCodecs } from '../ingest/kafka-codecs.ts'
import { kafkaPartitionCounts } from '../ingest/kafka-partition-counts.ts'
import { enricherOf } from '../pipeline/lanes/create-enricher.ts'
import { inProcessLanes } from '../pipeline/lanes/in-process-lane.ts'
import { type LaneLayout, oneLane } from '../pipeline/lanes/lane-layout.ts'
import type { LaneLink } from '../pipeline/lanes/lane-link.ts'
import type { MetricWindows } from '../pipeline/metric-windows.ts'
import type { RestoredSource } from '../pipeline/source-state.ts'
import { redisDedupOf, sharedDedupOf } from './shared-dedups.ts'
import { createSource, kafkaSourceOptions } from './sources.ts'
import { startThreadLanes } from './thread-lane.ts'

export interface PlannedLanes {
  readonly layout: LaneLayout
  /** See `RestoredSource.mixedUntil`. */
  readonly mixedUntil: number | undefined
}

/** How many lanes read a source, and whether they exchange rows. Rejects when no broker of a Kafka source answers. */
export async function planLanes(
  source: SourceConfig,
  config: Pick<Config, 'lanes'>,
  restored: RestoredSource | undefined,
  metrics: readonly MetricWindows[],
  telemetry: Telemetry,
): Promise<PlannedLanes> {
  if (source.type !== 'kafka') return { layout: oneLane, mixedUntil: undefined }
  const counts = await kafkaPartitionCounts(kafkaSourceOptions(source), source.topics)
  const known = counts.flatMap((count) => count ?? [])
  const total = known.reduce((sum, count) => sum + count, 0)
  const auto = Math.max(1, Math.min(availableParallelism(), total))
  const lanes = config.lanes === 'auto' ? auto : config.lanes
  const partitions =
    known.length === counts.length && new Set(known).size === 1 ? known[0] : undefined
  const changed = restored !== undefined && restored.positions.size !== total
  const now = telemetry.clock.now()
  // Whoever produced before the change is in the old partition, whatever the time of the newest event read.
  const mixedUntil =
    source.keyedByUser && changed ? Math.max(now, restored.newest) : restored?.mixedUntil
  const isMixed =
    mixedUntil !== undefined &&
    metrics.some(
      ({ operator }) =>
        !operator.lifetime.isAllGone(mixedUntil, restored?.combined ?? Number.NEGATIVE_INFINITY),
    )
  const keyed = source.keyedByUser && partitions !== undefined && !isMixed
  if (source.keyedByUser && !keyed && lanes > 1) {
    const until = mixedUntil === undefined ? undefined : new Date(mixedUntil).toISOString()
    const fields = { source: source.name, partitions: counts, until }
    telemetry.logger.warn(fields, 'users may be in several partitions: lanes exchange rows')
  }
  return {
    layout: { lanes, shuffled: lanes > 1 && !keyed, partitions },
    mixedUntil: isMixed ? mixedUntil : undefined,
  }
}

export interface LaneOptions {
  readonly source: SourceConfig
  readonly config: Pick<Config, 'stateDir' | 'job' | 'metrics'>
  readonly plan: EventPlan
  readonly metrics: readonly MetricPlan[]
  readonly layout: LaneLayout
  readonly hashKey: Uint8Array
  readonly telemetry: Telemetry
}

/** The lanes of a source: threads of their own for Kafka, in this thread for the others. */
export function createLanes(options: LaneOptions): readonly LaneLink[] {
  const { source, config, plan, metrics, layout, hashKey, telemetry } = options
  const dedup = redisDedupOf(config)
  const places = Array.from({ length: layout.lanes }, (_, lane) => ({
    lane,
    lanes: layout.lanes,
    shuffled: layout.shuffled,
  }))
  if (source.type === 'kafka') {
    const fixed = layout.lanes > 1 && !layout.shuffled
    return startThreadLanes(
      places.map((place) => {
        const share = { index: place.lane, of: layout.lanes, fixed }
        // A user who moved must not be read for long.
        const refresh = fixed ? { metadataRefreshMs: 5_000 } : {}
        const own = { ...kafkaSourceOptions(source), ...refresh, share }
        const from = { type: 'kafka', name: source.name, options: own } as const
        return { source: from, place, plan, metrics, hashKey, dedup }
      }),
      telemetry,
    )
  }
  return inProcessLanes(
    places.map((place) => ({
      place,
      plan,
      metrics,
      source: createSource(source, config, telemetry),
      createDecoder: (dictionaries) =>
        createDecoder('auto', {
          event: plan,
          metrics,
          dictionaries,
          hashKey,
          codecs: kafkaCodecs,
          checkCrc: true,
        }),
      createEnricher: enricherOf(metrics, hashKey, telemetry.metrics),
      shared: metrics.map((metric) => sharedDedupOf(metric, dedup.get(metric.name), telemetry)),
      clock: telemetry.clock,
      yieldToIo: () => new Promise((resolve) => setImmediate(resolve)),
      handOverMs: 0,
    })),
  )
}
