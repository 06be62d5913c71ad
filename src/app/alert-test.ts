import type { Notification } from '../alert/notification.ts'
import type { SendResult } from '../alert/notify/notifier.ts'
import type { Config } from '../config/config.ts'
import { WardenError } from '../core/errors.ts'
import type { Clock } from '../core/telemetry.ts'
import { durationMs, epochMs } from '../core/time.ts'
import { createNotifier } from './notifiers.ts'

export interface AlertTest {
  readonly receiver: string
  readonly type: string
  readonly result: SendResult
}

const hourMs = 3_600_000
const testLifeMs = 300_000

/**
 * Sends a real message, marked as a test, to one receiver of a config or to all, past the state and the job.
 * @throws WardenError `usage` when there is no such receiver
 */
export async function testAlerts(
  config: Config,
  name: string | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly AlertTest[]> {
  const known = config.receivers.map((one) => one.name)
  const chosen = config.receivers.filter((one) => name === undefined || one.name === name)
  if (chosen.length === 0) {
    const what = name === undefined ? 'the config has no receivers' : `no receiver ${name}`
    throw new WardenError('usage', `${what}; it has: ${known.join(', ') || 'none'}`)
  }
  return await Promise.all(
    chosen.map(async (receiver) => {
      const notifier = createNotifier(receiver, config, undefined, clock)
      try {
        const notification = testNotification(config.job, receiver.name, clock.now())
        const result = await notifier.send(
          {
            id: notification.id,
            notifications: [notification],
            mayBeRepeat: false,
            dropped: 0,
            plain: false,
          },
          0,
          signal,
        )
        return { receiver: receiver.name, type: receiver.type, result }
      } finally {
        await notifier.close()
      }
    }),
  )
}

/** Looks like an alert on a zero, with everything in it, and says that it is none. */
function testNotification(job: string, receiver: string, now: number): Notification {
  const start = epochMs(Math.floor(now / hourMs) * hourMs - hourMs)
  const end = epochMs(start + hourMs)
  const tags = { product: 'test' }
  const texts = {
    summary: `A test by \`warden alert test\`: nothing is wrong. Receiver ${receiver} works.`,
  }
  return {
    id: `test-${now}`,
    decidedAt: epochMs(now),
    kind: 'firing',
    receivers: [receiver],
    severity: 'info',
    group: { key: 'test', rule: 'test', team: undefined, cause: 'ZERO' },
    total: 1,
    firing: 1,
    step: 0,
    age: durationMs(0),
    alerts: [
      {
        incident: `test-${now}`,
        rule: 'TEST',
        ruleKind: 'zero',
        severity: 'info',
        cause: 'ZERO',
        state: 'firing',
        metric: 'TEST',
        aggregate: 'count',
        tags,
        labels: {},
        annotations: texts,
        windowStart: start,
        windowEnd: end,
        verdict: { value: 'ZERO', delivery: 'written' },
        numbers: { now: 0, yesterday: 1_234, lastWeek: 1_190 },
        history: [1_100, 1_180, null, 1_240, 1_160, 0],
        reason: 'test: 0 < 1',
        correction: undefined,
        evidence: {
          source: 'test',
          records: 0,
          sourceRate: 0,
          watermark: end,
          watermarkAgeMs: now - end,
          lag: 0,
          partitions: [],
          events: 0,
          deduplicated: 0,
          oldestUnwritten: undefined,
          sinkErrors: [],
        },
        startedAt: epochMs(now),
        // Alertmanager, which keeps alerts, forgets it soon.
        endedAt: epochMs(now + testLifeMs),
        acknowledgedBy: undefined,
        series: 1,
        dashboard: {
          job,
          metric: 'test',
          aggregate: 'count',
          tags,
          from: epochMs(start - hourMs),
          to: epochMs(end + hourMs),
        },
      },
    ],
  }
}
