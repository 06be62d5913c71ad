import type { MetricPlan } from '../../core/plan.ts'
import type { SeriesDictionary } from '../../core/series.ts'
import type { Metrics } from '../../core/telemetry.ts'
import { BatchEnricher, looksUp } from '../../enrich/batch-enricher.ts'
import { KeyHash } from '../../ingest/key-hash.ts'

/** What makes the enricher of a lane; undefined where no metric looks anything up. @param hashKey as the decoder has it */
export function enricherOf(
  metrics: readonly MetricPlan[],
  hashKey: Uint8Array,
  telemetry: Metrics,
): ((dictionaries: readonly SeriesDictionary[]) => BatchEnricher) | undefined {
  if (!metrics.some(looksUp)) return undefined
  const hash = new KeyHash(hashKey)
  return (dictionaries) =>
    new BatchEnricher(metrics, dictionaries, (values) => hash.seedOf(values), telemetry)
}
