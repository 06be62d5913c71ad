import type { AggregatePlan, MetricPlan } from '../core/plan.ts'
import { formatDuration } from '../core/time.ts'
import { completenessExpr, completenessStates, hasCompleteness } from './completeness.ts'
import {
  type Dashboard,
  dashboard,
  dataSourceVariable,
  jobVariable,
  panel,
  promTargets,
  refIdOf,
  row,
  tsdb,
  type Unplaced,
} from './grafana.ts'
import { readableNames } from './readable-names.ts'
import { groupBy, tsdbTarget } from './tsdb-target.ts'

const DAY_MS = 86_400_000

/** Prometheus adds `job`; a Prometheus that scrapes several Wardens tells them apart by it. */
const jobMatcher = 'job=~"$job"'

export interface BusinessOptions {
  readonly job: string
  readonly metrics: readonly MetricPlan[]
  /** The point's name of a metric and aggregate, as the sinks write it. */
  readonly nameOf: (metric: string, aggregate: string) => string
  /** The value of a tag, as the sinks write it. */
  readonly tagOf: (value: string) => string
}

type Name = (one: AggregatePlan) => string

/** Counts, rates and completeness of every metric. */
export function businessDashboard(options: BusinessOptions): Dashboard {
  const panels = options.metrics.flatMap((metric) => {
    const transformations = readableNames(metric, options.tagOf)
    return metricPanels(metric, options).map((one) =>
      one.datasource === tsdb && transformations.length > 0 ? { ...one, transformations } : one,
    )
  })
  const [first] = options.metrics
  return dashboard(`warden-business-${slug(options.job)}`, `Business: ${options.job}`, panels, {
    time: { from: 'now-24h', to: 'now' },
    templating: {
      list: [
        dataSourceVariable('tsdb', 'opentsdb', 'Points'),
        dataSourceVariable('prometheus', 'prometheus', 'Warden’s metrics'),
        jobVariable('warden_event_time_lag_seconds'),
      ],
    },
    annotations: {
      list:
        first === undefined
          ? []
          : [
              {
                name: 'Verdicts',
                datasource: tsdb,
                enable: true,
                iconColor: 'red',
                target: options.nameOf(first.name, volumeOf(first)?.name ?? ''),
                isGlobal: true,
              },
            ],
    },
  })
}

function metricPanels(metric: MetricPlan, { nameOf }: BusinessOptions): Unplaced[] {
  const size = formatDuration(metric.window.sizeMs)
  const volume = volumeOf(metric)
  const rates = metric.aggregates.filter(({ kind }) => kind === 'rate')
  const others = metric.aggregates.filter((one) => one !== volume && one.kind !== 'rate')
  const name: Name = (one) => nameOf(metric.name, one.name)
  return [
    row(`${metric.name}, windows of ${size}`),
    ...(volume === undefined
      ? []
      : [
          volumeBars(metric, `${metric.name}: ${volume.name}`, { w: 24, h: 8 }, volume, name),
          ...days(metric, volume, name),
          ...byDimension(metric, name(volume)),
        ]),
    ...(hasCompleteness(metric) ? [completenessStrip(metric)] : []),
    ...(rates.length === 0 ? [] : [ratesPanel(metric, rates, volume, name)]),
    ...others.map((one) => otherPanel(metric, one, name(one))),
  ]
}

/** What the size of the business is read from. */
function volumeOf(metric: MetricPlan): AggregatePlan | undefined {
  for (const kind of ['count', 'users', 'events'] as const) {
    const found = metric.aggregates.find((one) => one.kind === kind)
    if (found !== undefined) return found
  }
  return undefined
}

/** Bars of the sum over all series; `zimsum`, as `sum` would make up values where a series has none. */
function volumeBars(
  metric: MetricPlan,
  title: string,
  size: { readonly w: number; readonly h: number },
  volume: AggregatePlan,
  name: Name,
  more: Readonly<Record<string, unknown>> = {},
): Unplaced {
  const split = metric.splitByOutcome && volume.kind !== 'users'
  const targets = split
    ? [tsdbTarget(metric, 0, name(volume), 'zimsum', [groupBy('outcome')], '$tag_outcome')]
    : [tsdbTarget(metric, 0, name(volume), 'zimsum', [], metric.name)]
  return panel('timeseries', title, size, targets, {
    defaults: { min: 0 },
    custom: bars(split),
    more,
  })
}

/** Today, the whole of yesterday, and the same day a week ago, side by side. */
function days(metric: MetricPlan, volume: AggregatePlan, name: Name): Unplaced[] {
  if (metric.window.sizeMs >= DAY_MS) return []
  const shown = [
    ['today', {}],
    ['yesterday', { timeShift: '1d/d' }],
    ['the same day last week', { timeShift: '7d/d' }],
  ] as const
  return shown.map(([title, shift]) =>
    volumeBars(metric, `${metric.name}: ${title}`, { w: 8, h: 6 }, volume, name, {
      timeFrom: 'now/d',
      ...shift,
    }),
  )
}

function byDimension(metric: MetricPlan, point: string): Unplaced[] {
  return metric.dimensions.map(({ name }) =>
    panel(
      'timeseries',
      `${metric.name} by ${name}`,
      { w: 12, h: 8 },
      [tsdbTarget(metric, 0, point, 'zimsum', [groupBy(name)], `$tag_${name}`)],
      { defaults: { min: 0 }, custom: bars(true) },
    ),
  )
}

/** Rates as lines with a gap where a window has none, the volume they stand on as bars behind them. */
function ratesPanel(
  metric: MetricPlan,
  rates: readonly AggregatePlan[],
  volume: AggregatePlan | undefined,
  name: Name,
): Unplaced {
  const series = metric.dimensions.map((one) => `$tag_${one.name}`).join(' ')
  const legend = (text: string): string => (series === '' ? text : `${text} ${series}`)
  // Rates of several series can't be added up: each is a line of its own.
  const lines = rates.map((one, index) =>
    tsdbTarget(
      metric,
      index,
      name(one),
      'none',
      metric.dimensions.map((dimension) => groupBy(dimension.name)),
      legend(rateTitle(one)),
    ),
  )
  const last =
    volume === undefined
      ? []
      : [tsdbTarget(metric, rates.length, name(volume), 'zimsum', [], `volume: ${volume.name}`)]
  return panel('timeseries', `${metric.name}: success rate`, { w: 24, h: 9 }, [...lines, ...last], {
    description:
      'Raw: attempts that succeeded ÷ attempts. Otherwise: users who succeeded ÷ users who tried. No point where nobody tried.',
    unit: 'percentunit',
    defaults: { min: 0, max: 1 },
    custom: {
      drawStyle: 'line',
      lineWidth: 2,
      showPoints: 'always',
      spanNulls: false,
      // A missing window is a gap, not a line through it.
      insertNulls: metric.window.slideMs * 1.5,
    },
    overrides: [
      {
        matcher: { id: 'byFrameRefID', options: refIdOf(rates.length) },
        properties: [
          { id: 'unit', value: 'short' },
          { id: 'max', value: null },
          { id: 'custom.axisPlacement', value: 'right' },
          { id: 'custom.drawStyle', value: 'bars' },
          { id: 'custom.fillOpacity', value: 15 },
          { id: 'custom.lineWidth', value: 0 },
        ],
      },
    ],
  })
}

const rateTitle = (one: AggregatePlan): string =>
  one.kind === 'rate' && one.raw ? `${one.name} (raw)` : one.name

/** Sums of sums and counts are sums; the least of minima is a minimum; the rest is shown series by series. */
function otherPanel(metric: MetricPlan, one: AggregatePlan, point: string): Unplaced {
  const aggregator =
    one.kind === 'min'
      ? 'mimmin'
      : one.kind === 'max'
        ? 'mimmax'
        : one.kind === 'avg'
          ? 'none'
          : 'zimsum'
  const filters =
    aggregator === 'none' ? metric.dimensions.map((dimension) => groupBy(dimension.name)) : []
  const alias =
    filters.length === 0 ? one.name : metric.dimensions.map((each) => `$tag_${each.name}`).join(' ')
  const isBars = aggregator === 'zimsum'
  return panel(
    'timeseries',
    `${metric.name}: ${one.name}`,
    { w: 12, h: 7 },
    [tsdbTarget(metric, 0, point, aggregator, filters, alias)],
    {
      custom: isBars
        ? bars(false)
        : { drawStyle: 'line', showPoints: 'always', insertNulls: metric.window.slideMs * 1.5 },
      ...(isBars ? { defaults: { min: 0 } } : {}),
    },
  )
}

function completenessStrip(metric: MetricPlan): Unplaced {
  const mappings = completenessStates.map(({ text, color }, index) => ({
    type: 'value',
    options: { [String(index)]: { text, color, index } },
  }))
  return panel(
    'state-timeline',
    `${metric.name}: completeness of each window`,
    { w: 24, h: 3 },
    promTargets([[completenessExpr(metric, jobMatcher), metric.name]]),
    {
      description:
        'From Warden’s own metrics, not from the store: it still speaks when the store is away.',
      defaults: { mappings, color: { mode: 'thresholds' } },
      custom: { fillOpacity: 80, lineWidth: 0 },
      options: {
        mergeValues: true,
        showValue: 'never',
        legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
        tooltip: { mode: 'single' },
      },
      // Finer than the window, so that `end()` is not long ago.
      more: { interval: '1m' },
    },
  )
}

const bars = (stacked: boolean) => ({
  drawStyle: 'bars',
  fillOpacity: 70,
  lineWidth: 0,
  barAlignment: 1,
  stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
})

/** Grafana's identifiers have at most 40 characters of these. */
function slug(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, 24)
}
