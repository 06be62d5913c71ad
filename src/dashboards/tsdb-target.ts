import type { MetricPlan } from '../core/plan.ts'
import { refIdOf, type TsdbFilter, type TsdbTarget, tsdb } from './grafana.ts'

const DAY_MS = 86_400_000

/**
 * The query for a point of a metric: one value per window, summed over nothing but its own interval.
 * @param filters tags whose values are told apart
 */
export function tsdbTarget(
  metric: MetricPlan,
  index: number,
  point: string,
  aggregator: string,
  filters: readonly TsdbFilter[],
  alias: string,
): TsdbTarget {
  const common = { refId: refIdOf(index), datasource: tsdb, metric: point, aggregator }
  const rest = { filters, explicitTags: false, shouldComputeRate: false as const, alias }
  const { slideMs, alignment } = metric.window
  // Such windows begin at no multiple of the interval, and Warden writes one point each anyhow.
  if (slideMs >= DAY_MS || alignment.kind === 'zone' || alignment.offsetMs % slideMs !== 0) {
    return { ...common, disableDownsampling: true, ...rest }
  }
  return {
    ...common,
    disableDownsampling: false,
    downsampleInterval: interval(slideMs),
    downsampleAggregator: 'sum',
    downsampleFillPolicy: 'none',
    ...rest,
  }
}

/** A duration of one unit, as Grafana and OpenTSDB take it. */
function interval(ms: number): string {
  const units = [
    [3_600_000, 'h'],
    [60_000, 'm'],
    [1_000, 's'],
  ] as const
  const [unitMs, unit] = units.find(([size]) => ms % size === 0) ?? [1, 'ms']
  return `${ms / unitMs}${unit}`
}

export const groupBy = (tagk: string): TsdbFilter => ({
  tagk,
  type: 'wildcard',
  filter: '*',
  groupBy: true,
})
