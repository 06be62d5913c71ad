import {
  type Dashboard,
  dashboard,
  dataSourceVariable,
  type PanelOptions,
  panel,
  promTargets,
  row,
  type Unplaced,
  warnAt,
} from './grafana.ts'

type Queries = readonly (readonly [expr: string, legend: string])[]

const of = '{job=~"$job"}'
const per = '[$__rate_interval]'

/** Is the number on the other dashboard true? From Warden's own metrics only: it still speaks when the store is away. */
export function trustDashboard(): Dashboard {
  const panels = [
    ...answers(),
    row('Reading'),
    ...reading(),
    row('Counting'),
    ...counting(),
    row('Writing'),
    ...writing(),
    row('State'),
    ...state(),
  ]
  return dashboard('warden-trust', 'Can I trust it?', panels, {
    time: { from: 'now-6h', to: 'now' },
    templating: {
      list: [
        dataSourceVariable('prometheus', 'prometheus', 'Warden’s metrics'),
        {
          name: 'job',
          label: 'Prometheus job',
          type: 'query',
          datasource: { type: 'prometheus', uid: '${prometheus}' },
          query: 'label_values(warden_checkpoint_age_seconds, job)',
          includeAll: true,
          allValue: '.+',
          multi: false,
          refresh: 1,
          current: { text: 'All', value: '$__all' },
        },
      ],
    },
  })
}

function answers(): Unplaced[] {
  return [
    stat('Complete up to', 6, `1000 * (time() - max(warden_event_time_lag_seconds${of}))`, {
      unit: 'dateTimeAsLocal',
      description:
        'Windows that end before it are closed. Of several sources, the one furthest behind.',
    }),
    stat('Watermark age', 3, `max(warden_event_time_lag_seconds${of})`, {
      unit: 's',
      defaults: { thresholds: warnAt(300, 3_600) },
    }),
    stat('Records behind', 3, `sum(warden_lag_records${of})`, {
      defaults: { thresholds: warnAt(100_000, 10_000_000) },
      description: 'Not read yet. Bytes for files and HTTP.',
    }),
    stat('Oldest unwritten pane', 3, `max(warden_oldest_unwritten_pane_seconds${of})`, {
      unit: 's',
      defaults: { thresholds: warnAt(60, 300) },
      description: 'Counted, but not in the store.',
    }),
    stat('Checkpoint age', 3, `max(warden_checkpoint_age_seconds${of})`, {
      unit: 's',
      defaults: { thresholds: warnAt(60, 120) },
    }),
    stat('Dead letters, 1 h', 3, `sum(increase(warden_dead_letters_total${of}[1h])) or vector(0)`, {
      defaults: { decimals: 0, thresholds: warnAt(1, 1_000) },
    }),
    stat('Late events, 1 h', 3, `sum(increase(warden_late_events_total${of}[1h])) or vector(0)`, {
      defaults: { decimals: 0, thresholds: warnAt(1, 1_000) },
    }),
  ]
}

function reading(): Unplaced[] {
  return [
    lines(
      'Records read',
      [[`sum by (source) (rate(warden_records_total${of}${per}))`, '{{source}}']],
      {
        unit: 'cps',
      },
    ),
    lines(
      'Watermark age by partition',
      [
        [`warden_watermark_lag_seconds${of}`, '{{source}} {{partition}}'],
        [`warden_event_time_lag_seconds${of}`, '{{source}}, all'],
      ],
      { unit: 's' },
    ),
    lines('Lag', [[`warden_lag_records${of}`, '{{source}} {{partition}}']]),
    lines(
      'Not reading',
      [
        [`rate(warden_backpressure_seconds_total${of}${per})`, 'backpressure'],
        [`max by (source) (warden_partition_troubled${of})`, '{{source}}: partition in trouble'],
      ],
      {
        unit: 'percentunit',
        description:
          'Share of the time in which nothing was read because the outbox or a side output was full; 1: a partition is not being read.',
      },
    ),
  ]
}

function counting(): Unplaced[] {
  return [
    lines(
      'Dead letters',
      [
        [
          `sum by (source, reason) (rate(warden_dead_letters_total${of}${per})) or vector(0)`,
          '{{source}} {{reason}}',
        ],
      ],
      { unit: 'cps' },
    ),
    lines(
      'Late events',
      [[`sum by (metric) (rate(warden_late_events_total${of}${per})) or vector(0)`, '{{metric}}']],
      { unit: 'cps' },
    ),
    lines('Corrections and partial windows, 1 h', [
      [
        `sum by (metric) (increase(warden_panes_total{job=~"$job",firing="late"}[1h])) or vector(0)`,
        '{{metric}}: late panes',
      ],
      [
        `sum by (metric) (increase(warden_partial_windows_total${of}[1h])) or vector(0)`,
        '{{metric}}: partial windows',
      ],
    ]),
    lines(
      'Events of users that counted already',
      [
        [
          `sum by (metric) (rate(warden_dedup_hits_total${of}${per})) / sum by (metric) (rate(warden_rows_total${of}${per}))`,
          '{{metric}}',
        ],
      ],
      { unit: 'percentunit' },
    ),
  ]
}

function writing(): Unplaced[] {
  const write = 'warden_sink_write_seconds_bucket'
  const quantile = (q: number): string =>
    `histogram_quantile(${q}, sum by (sink, le) (rate(${write}${of}${per})))`
  return [
    lines(
      'Time to the answer of a sink',
      [
        [quantile(0.5), '{{sink}} median'],
        [quantile(0.99), '{{sink}} 99 %'],
      ],
      { unit: 's' },
    ),
    lines(
      'Batches',
      [
        [
          `sum by (sink, result) (rate(warden_sink_batches_total${of}${per}))`,
          '{{sink}} {{result}}',
        ],
      ],
      { unit: 'cps' },
    ),
    lines(
      'Points not written at once',
      [
        [
          `sum by (sink, outcome) (rate(warden_sink_points_total{job=~"$job",outcome!="written"}${per})) or vector(0)`,
          '{{sink}} {{outcome}}',
        ],
      ],
      {
        unit: 'cps',
        description:
          'retry: sent again. refused: now a dead letter. coalesced: a newer revision went instead. dropped: lost.',
      },
    ),
    lines('Oldest unwritten pane', [[`warden_oldest_unwritten_pane_seconds${of}`, '{{sink}}']], {
      unit: 's',
    }),
    lines('Outbox', [[`warden_outbox_points${of}`, '{{sink}}']]),
    lines('Outbox, bytes', [[`warden_outbox_bytes${of}`, 'bytes']], { unit: 'bytes' }),
    lines('Given up for now', [[`warden_sink_circuit_open${of}`, '{{sink}}']], {
      defaults: { min: 0, max: 1 },
      description: '1: the sink is only probed. 0.5: a probe is on its way.',
    }),
    lines(
      'Time until nothing waits',
      [[`warden_sink_drain_eta_seconds${of} < +Inf or vector(0)`, '{{sink}}']],
      { unit: 's' },
    ),
  ]
}

function state(): Unplaced[] {
  return [
    lines(
      'Checkpoints',
      [
        [
          `histogram_quantile(0.99, sum by (le) (rate(warden_checkpoint_duration_seconds_bucket${of}${per})))`,
          'duration, 99 %',
        ],
        [`warden_checkpoint_age_seconds${of}`, 'age'],
      ],
      { unit: 's' },
    ),
    lines('Failures, 1 h', [
      [`sum(increase(warden_checkpoint_failures_total${of}[1h])) or vector(0)`, 'checkpoints'],
      [`sum(increase(warden_restarts_total${of}[1h])) or vector(0)`, 'restarts'],
      [`sum by (code) (increase(warden_errors_total${of}[1h])) or vector(0)`, '{{code}}'],
    ]),
    lines(
      'On disk',
      [
        [`warden_state_bytes${of}`, 'state'],
        [`warden_store_bytes${of} or vector(0)`, 'points of the embedded store'],
      ],
      { unit: 'bytes' },
    ),
    lines('Users and series remembered', [
      [`warden_dedup_keys${of}`, '{{metric}}: users'],
      [`warden_series${of}`, '{{metric}}: series'],
    ]),
  ]
}

function stat(title: string, w: number, expr: string, options: PanelOptions = {}): Unplaced {
  return panel('stat', title, { w, h: 4 }, promTargets([[expr, title]], true), {
    ...options,
    options: {
      colorMode: options.defaults?.thresholds === undefined ? 'none' : 'background',
      graphMode: 'none',
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
  })
}

function lines(title: string, queries: Queries, options: PanelOptions = {}): Unplaced {
  return panel('timeseries', title, { w: 12, h: 7 }, promTargets(queries), {
    ...options,
    defaults: { min: 0, ...options.defaults },
    custom: { drawStyle: 'line', fillOpacity: 5, spanNulls: false },
  })
}
