import { type PanelOptions, panel, promTargets, type Unplaced } from './grafana.ts'

type Queries = readonly (readonly [expr: string, legend: string])[]

/** Labels of every query. */
export const of = '{job=~"$job"}'
/** Range of rates: four scrapes. */
export const per = '[$__rate_interval]'

/** One figure, coloured where it has thresholds. */
export function stat(title: string, w: number, expr: string, options: PanelOptions = {}): Unplaced {
  return panel('stat', title, { w, h: 4 }, promTargets([[expr, title]], true), {
    ...options,
    options: {
      colorMode: options.defaults?.thresholds === undefined ? 'none' : 'background',
      graphMode: 'none',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
  })
}

/** Lines over time, legend by label. */
export function lines(title: string, queries: Queries, options: PanelOptions = {}): Unplaced {
  return panel('timeseries', title, { w: 12, h: 7 }, promTargets(queries), {
    ...options,
    defaults: { min: 0, ...options.defaults },
    custom: { drawStyle: 'line', fillOpacity: 5, spanNulls: false },
  })
}
