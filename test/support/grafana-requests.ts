import type { TsdbTarget } from '../../src/dashboards/grafana.ts'
import type { StoreRequest } from './http-answer.ts'

/** What a version of Grafana's OpenTSDB data source sends for a target. */
export interface GrafanaRequest extends StoreRequest {
  readonly sender: string
}

/**
 * The requests of both generations of the data source: the backend one (Go: seconds, one query a request, `arrays` since tsdbVersion 4)
 * and the browser one before it (ms, more flags, `showQuery` for tsdbVersion 3).
 * @param startS seconds
 */
export function grafanaRequests(
  target: TsdbTarget,
  startS: number,
  endS: number,
): GrafanaRequest[] {
  const backend = { start: startS, end: endS, queries: [subQuery(target)] }
  const browser = {
    start: startS * 1_000,
    end: endS * 1_000,
    msResolution: false,
    globalAnnotations: true,
    queries: [subQuery(target)],
  }
  return [
    { sender: 'Grafana, version 2.4', path: '/api/query?arrays=true', body: backend },
    { sender: 'Grafana, version 2.3', path: '/api/query', body: backend },
    { sender: 'an old Grafana, version 2.4', path: '/api/query?arrays=true', body: browser },
    { sender: 'an old Grafana, version 2.3', path: '/api/query', body: browser },
  ]
}

function subQuery(target: TsdbTarget): object {
  const { downsampleInterval, downsampleAggregator, downsampleFillPolicy = 'none' } = target
  const fill = downsampleFillPolicy === 'none' ? '' : `-${downsampleFillPolicy}`
  return {
    metric: target.metric,
    aggregator: target.aggregator,
    ...(target.disableDownsampling
      ? {}
      : { downsample: `${downsampleInterval}-${downsampleAggregator}${fill}` }),
    ...(target.filters.length > 0 ? { filters: target.filters } : {}),
    ...(target.explicitTags ? { explicitTags: true } : {}),
  }
}
