import type { AlertFact, Notification } from '../../src/alert/notification.ts'
import { durationMs, epochMs } from '../../src/core/time.ts'

const hour = 3_600_000
const start = Date.UTC(2026, 10, 20, 6)

/** An alert on a series that is really zero. */
export function fact(overrides: Partial<AlertFact> = {}): AlertFact {
  const tags = overrides.tags ?? { product: 'loan' }
  return {
    incident: 'inc-1',
    rule: 'login-zero',
    ruleKind: 'zero',
    severity: 'crit',
    cause: 'ZERO',
    state: 'firing',
    metric: 'login',
    aggregate: 'count',
    tags,
    labels: { team: 'growth' },
    annotations: {},
    windowStart: epochMs(start),
    windowEnd: epochMs(start + hour),
    verdict: { value: 'ZERO', delivery: 'written' },
    numbers: { now: 0, yesterday: 1_234, lastWeek: 1_190 },
    history: [1_200, 1_100, null, 1_240, 0],
    reason: '0 < 1',
    correction: undefined,
    evidence: {
      source: 'orders',
      records: 81_000,
      sourceRate: 12.5,
      watermark: epochMs(start + hour + 5_000),
      watermarkAgeMs: 65_000,
      lag: 12,
      partitions: [{ name: 'orders-0', lag: 12, idle: false, trouble: undefined }],
      events: 0,
      deduplicated: 0,
      oldestUnwritten: undefined,
      sinkErrors: [],
    },
    startedAt: epochMs(start + hour + 80_000),
    endedAt: undefined,
    acknowledgedBy: undefined,
    series: 1,
    dashboard: {
      job: 'lending',
      metric: 'login',
      aggregate: 'count',
      tags,
      from: epochMs(start - hour),
      to: epochMs(start + 2 * hour),
    },
    ...overrides,
  }
}

/** A message about one alert, for the receiver `ops`. */
export function notification(overrides: Partial<Notification> = {}): Notification {
  const alerts = overrides.alerts ?? [fact()]
  return {
    id: 'n-1',
    decidedAt: epochMs(start + hour + 80_000),
    kind: 'firing',
    receivers: ['ops'],
    severity: 'crit',
    group: { key: 'login-zero/growth', rule: 'login-zero', team: 'growth', cause: 'ZERO' },
    alerts,
    total: alerts.length,
    firing: alerts.length,
    step: 0,
    age: durationMs(0),
    ...overrides,
  }
}
