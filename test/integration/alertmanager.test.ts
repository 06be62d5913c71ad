import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Notification } from '../../src/alert/notification.ts'
import { AlertmanagerNotifier } from '../../src/alert/notify/senders/alertmanager-notifier.ts'
import { epochMs } from '../../src/core/time.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { AlertmanagerService } from '../support/alertmanager-service.ts'
import { messageOf, plainStyle } from '../support/message-style.ts'
import { fact, notification } from '../support/notifications.ts'
import { until } from '../support/until.ts'

let service: AlertmanagerService
let notifier: AlertmanagerNotifier
const clock = new SystemClock()

before(async () => {
  service = await AlertmanagerService.start()
  notifier = new AlertmanagerNotifier(
    {
      receiver: 'am',
      url: service.url,
      headers: {},
      watchdogMs: 60_000,
      timeoutMs: 10_000,
      style: plainStyle,
    },
    clock,
  )
})
after(async () => {
  await notifier?.close()
  await service?.stop()
})

const send = async (...notifications: readonly Notification[]) =>
  await notifier.send(messageOf(notifications), 0, new AbortController().signal)

const incident = async (id: string) => {
  const alerts = await service.alerts()
  return alerts.filter(({ labels }) => labels.incident === id)
}

const about = (incident: string, overrides: Parameters<typeof fact>[0] = {}) =>
  fact({ incident, startedAt: epochMs(clock.now() - 60_000), ...overrides })

test('a firing alert is one alert in Alertmanager, with its labels, its reason and its evidence', async () => {
  const one = about('inc-1', { tags: { product: 'loan', 'a-b/c': 'x', empty: '' } })
  assert.deepEqual(await send(notification({ alerts: [one] })), { kind: 'sent' })
  const [alert, ...others] = await until('it is there', async () => {
    const alerts = await incident('inc-1')
    return alerts.length > 0 && alerts
  })
  assert.deepEqual(others, [])
  assert.deepEqual(alert?.labels, {
    alertname: 'login-zero',
    a_b_c: 'x',
    aggregate: 'count',
    incident: 'inc-1',
    job: 'lending',
    metric: 'login',
    product: 'loan',
    severity: 'crit',
    team: 'growth',
  })
  assert.match(alert.annotations.reason ?? '', /0 < 1/)
  assert.match(alert.annotations.evidence ?? '', /watermark/)
  assert.equal(alert.annotations.numbers, '0 / 1,234 / 1,190')
  assert.ok(Date.parse(alert.endsAt) > clock.now() + 30 * 86_400_000, 'it does not end by itself')
})

test('a message sent twice is one alert', async () => {
  const one = notification({ alerts: [about('inc-2')] })
  await send(one)
  await send(one)
  assert.equal((await incident('inc-2')).length, 1)
})

test('a severity that rises takes the place of the lower one', async () => {
  await send(notification({ alerts: [about('inc-3', { severity: 'warn' })] }))
  await send(notification({ alerts: [about('inc-3', { severity: 'crit' })] }))
  await until('the lower one is gone', async () => {
    const alerts = await incident('inc-3')
    return alerts.length === 1 && alerts[0]?.labels.severity === 'crit'
  })
})

test('a recovery and a correction end it, and a digest holds the last word', async () => {
  for (const state of ['resolved', 'corrected'] as const) {
    const id = `inc-${state}`
    await send(notification({ alerts: [about(id)] }))
    assert.equal((await incident(id)).length, 1)
    const ended = about(id, { state, endedAt: epochMs(clock.now()) })
    await send(notification({ kind: 'resolved', alerts: [ended] }))
    await until('it is gone', async () => (await incident(id)).length === 0)
  }
  const fired = notification({ alerts: [about('inc-both')] })
  const ended = about('inc-both', { state: 'resolved', endedAt: epochMs(clock.now()) })
  await send(fired, notification({ id: 'n-2', kind: 'resolved', alerts: [ended] }))
  assert.deepEqual(await incident('inc-both'), [])
})

test('the heartbeat is an alert that ends by itself when heartbeats stay away', async () => {
  await send(notification({ kind: 'watchdog', alerts: [], severity: 'info' }))
  const alerts = await service.alerts()
  const beat = alerts.find(({ labels }) => labels.alertname === 'WardenHeartbeat')
  const left = Date.parse(beat?.endsAt ?? '') - clock.now()
  assert.ok(left > 60_000 && left <= 120_000, `${left} ms`)
})

test('a wrong address, and an Alertmanager that is not there, are no success', async () => {
  const options = { receiver: 'am', headers: {}, watchdogMs: undefined, style: plainStyle }
  const resultAt = async (url: string) => {
    const one = new AlertmanagerNotifier({ ...options, url, timeoutMs: 5_000 }, clock)
    const result = await one.send(messageOf([notification()]), 0, new AbortController().signal)
    await one.close()
    return result
  }
  assert.equal((await resultAt(`${service.url}/nowhere`)).kind, 'blocked')
  assert.deepEqual(await resultAt('http://127.0.0.1:1'), {
    kind: 'again',
    reason: 'no answer: ECONNREFUSED',
    unknown: false,
  })
})
