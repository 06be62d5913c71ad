import {
  type Dashboard,
  dashboard,
  dataSourceVariable,
  jobVariable,
  row,
  type Unplaced,
  warnAt,
} from './grafana.ts'
import { lines, of, per, stat } from './prom-panels.ts'

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
    row('Alerts'),
    ...alerts(),
    row('State'),
    ...state(),
  ]
  return dashboard('warden-trust', 'Can I trust it?', panels, {
    time: { from: 'now-6h', to: 'now' },
    templating: {
      list: [
        dataSourceVariable('prometheus', 'prometheus', 'Warden’s metrics'),
        jobVariable('warden_checkpoint_age_seconds'),
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
    stat(
      'Dead letters, 1 h',
      3,
      `sum(increase(warden_dead_letters_total${of}[1h])) or on() vector(0)`,
      {
        defaults: { decimals: 0, thresholds: warnAt(1, 1_000) },
      },
    ),
    stat(
      'Late events, 1 h',
      3,
      `sum(increase(warden_late_events_total${of}[1h])) or on() vector(0)`,
      {
        defaults: { decimals: 0, thresholds: warnAt(1, 1_000) },
      },
    ),
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
      'Lanes',
      [
        [
          `sum by (source, lane) (rate(warden_lane_busy_seconds_total${of}${per})) or on() vector(0)`,
          '{{source}} lane {{lane}}: busy',
        ],
        [
          `sum by (source, lane) (rate(warden_lane_back_pressured_seconds_total${of}${per})) or on() vector(0)`,
          '{{source}} lane {{lane}}: waiting for others',
        ],
      ],
      { unit: 'percentunit' },
    ),
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
          `sum by (source, reason) (rate(warden_dead_letters_total${of}${per})) or on() vector(0)`,
          '{{source}} {{reason}}',
        ],
      ],
      { unit: 'cps' },
    ),
    lines(
      'Late events',
      [
        [
          `sum by (metric) (rate(warden_late_events_total${of}${per})) or on() vector(0)`,
          '{{metric}}',
        ],
      ],
      { unit: 'cps' },
    ),
    lines('Corrections and partial windows, 1 h', [
      [
        `sum by (metric) (increase(warden_panes_total{job=~"$job",firing="late"}[1h])) or on() vector(0)`,
        '{{metric}}: late panes',
      ],
      [
        `sum by (metric) (increase(warden_partial_windows_total${of}[1h])) or on() vector(0)`,
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
          `sum by (sink, outcome) (rate(warden_sink_points_total{job=~"$job",outcome!="written"}${per})) or on() vector(0)`,
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
      [[`warden_sink_drain_eta_seconds${of} < +Inf or on() vector(0)`, '{{sink}}']],
      { unit: 's' },
    ),
  ]
}

/** 0 where the config has no alerts. */
function alerts(): Unplaced[] {
  const firing = 'warden_alerts{job=~"$job",state="firing"}'
  return [
    lines('Firing', [[`sum by (rule) (${firing}) or on() vector(0)`, '{{rule}}']]),
    lines('Series by verdict', [
      [
        `sum by (metric, verdict) (warden_verdict_series${of}) or on() vector(0)`,
        '{{metric}} {{verdict}}',
      ],
    ]),
    lines(
      'Notifications',
      [
        [
          `sum by (receiver, outcome) (rate(warden_notifications_total${of}${per})) or on() vector(0)`,
          '{{receiver}} {{outcome}}',
        ],
      ],
      { unit: 'cps' },
    ),
    lines(
      'Oldest notification that waits',
      [
        [
          `max by (receiver) (warden_notification_oldest_seconds${of}) or on() vector(0)`,
          '{{receiver}}',
        ],
      ],
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
      [`sum(increase(warden_checkpoint_failures_total${of}[1h])) or on() vector(0)`, 'checkpoints'],
      [`sum(increase(warden_restarts_total${of}[1h])) or on() vector(0)`, 'restarts'],
      [`sum by (code) (increase(warden_errors_total${of}[1h])) or on() vector(0)`, '{{code}}'],
    ]),
    lines(
      'On disk',
      [
        [`warden_state_bytes${of}`, 'state'],
        [`warden_store_bytes${of} or on() vector(0)`, 'points of the embedded store'],
      ],
      { unit: 'bytes' },
    ),
    lines('Users and series remembered', [
      [`warden_dedup_keys${of}`, '{{metric}}: users'],
      [`warden_series${of}`, '{{metric}}: series'],
    ]),
  ]
}
