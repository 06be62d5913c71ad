/** The part of Grafana's dashboard model that Warden writes (schema version 39, Grafana 10 and newer). */
export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly panels: readonly Panel[]
  readonly [field: string]: unknown
}

export interface Panel {
  readonly title: string
  readonly type: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly targets?: readonly Target[]
  readonly [field: string]: unknown
}

export type Target = TsdbTarget | PromTarget

/** A query of Grafana's OpenTSDB data source. Tags are asked for by filters only: it takes one of the two. */
export interface TsdbTarget {
  readonly refId: string
  readonly datasource: DataSource
  readonly metric: string
  readonly aggregator: string
  readonly disableDownsampling: boolean
  readonly downsampleInterval?: string
  readonly downsampleAggregator?: string
  /** Never `zero`: a window without a point is no zero. `null` would become 0 in Grafana's backend, `nan` breaks it. */
  readonly downsampleFillPolicy?: 'none'
  readonly filters: readonly TsdbFilter[]
  readonly explicitTags: boolean
  readonly shouldComputeRate: false
  readonly alias?: string
}

export interface TsdbFilter {
  readonly tagk: string
  readonly type: string
  readonly filter: string
  readonly groupBy: boolean
}

export interface PromTarget {
  readonly refId: string
  readonly datasource: DataSource
  readonly expr: string
  readonly legendFormat: string
  /** One value, at the end of the range. */
  readonly instant: boolean
  readonly range: boolean
}

interface DataSource {
  readonly type: 'opentsdb' | 'prometheus'
  readonly uid: string
}

/** Chosen on the dashboard, so that one dashboard serves the embedded store and an OpenTSDB. */
export const tsdb: DataSource = { type: 'opentsdb', uid: '${tsdb}' }
export const prometheus: DataSource = { type: 'prometheus', uid: '${prometheus}' }

/** Width of a dashboard in grid columns. */
export const COLUMNS = 24

export const refIdOf = (index: number): string => String.fromCharCode(65 + index)

/** PromQL targets with legends; `A`, `B`, … in order. */
export function promTargets(
  queries: readonly (readonly [expr: string, legend: string])[],
  instant = false,
): PromTarget[] {
  return queries.map(([expr, legendFormat], index) => ({
    refId: refIdOf(index),
    datasource: prometheus,
    expr,
    legendFormat,
    instant,
    range: !instant,
  }))
}

export interface PanelOptions {
  readonly description?: string
  readonly unit?: string
  readonly defaults?: Readonly<Record<string, unknown>>
  readonly custom?: Readonly<Record<string, unknown>>
  readonly overrides?: readonly unknown[]
  readonly options?: Readonly<Record<string, unknown>>
  readonly more?: Readonly<Record<string, unknown>>
}

/** A panel without its place. */
export interface Unplaced {
  readonly title: string
  readonly type: string
  readonly targets?: readonly Target[]
  readonly w: number
  readonly h: number
  readonly [field: string]: unknown
}

export function panel(
  type: string,
  title: string,
  size: { readonly w: number; readonly h: number },
  targets: readonly Target[],
  options: PanelOptions = {},
): Unplaced {
  const { unit = 'short', defaults, custom, overrides = [], description } = options
  return {
    type,
    title,
    ...(description === undefined ? {} : { description }),
    ...size,
    datasource: targets[0]?.datasource ?? prometheus,
    targets,
    fieldConfig: {
      defaults: { unit, ...defaults, ...(custom === undefined ? {} : { custom }) },
      overrides,
    },
    options: options.options ?? {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
    ...options.more,
  }
}

export const row = (title: string): Unplaced => ({
  type: 'row',
  title,
  collapsed: false,
  panels: [],
  w: COLUMNS,
  h: 1,
})

/** Panels side by side until a line is full. */
export function placed(panels: readonly Unplaced[]): Panel[] {
  let x = 0
  let y = 0
  let lineHeight = 0
  return panels.map(({ title, type, w, h, ...rest }, index) => {
    if (x + w > COLUMNS) {
      x = 0
      y += lineHeight
      lineHeight = 0
    }
    const gridPos = { x, y, w, h }
    x += w
    lineHeight = Math.max(lineHeight, h)
    return { id: index + 1, title, type, ...rest, gridPos }
  })
}

/** Steps of a threshold: green below the first bound, then amber, then red. */
export const warnAt = (amber: number, red: number) => ({
  mode: 'absolute',
  steps: [
    { color: 'green', value: null },
    { color: 'orange', value: amber },
    { color: 'red', value: red },
  ],
})

export const dataSourceVariable = (name: string, type: string, label: string) => ({
  name,
  label,
  type: 'datasource',
  query: type,
  hide: 0,
  includeAll: false,
  multi: false,
  refresh: 1,
})

/** Prometheus adds the label `job`; one that scrapes several Wardens tells them apart by it. */
export const jobVariable = (metric: string) => ({
  name: 'job',
  label: 'Prometheus job',
  type: 'query',
  datasource: { type: 'prometheus', uid: '${prometheus}' },
  query: `label_values(${metric}, job)`,
  includeAll: true,
  allValue: '.+',
  multi: false,
  refresh: 1,
  current: { text: 'All', value: '$__all' },
})

export function dashboard(
  uid: string,
  title: string,
  panels: readonly Unplaced[],
  more: Readonly<Record<string, unknown>>,
): Dashboard {
  return {
    uid,
    title,
    tags: ['warden'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    timezone: 'browser',
    refresh: '1m',
    ...more,
    panels: placed(panels),
  }
}
