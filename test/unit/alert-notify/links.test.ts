import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fastify } from 'fastify'
import type { AuditEntry } from '../../../src/alert/notify/audit-log.ts'
import type { ActionRequest, AlertActions } from '../../../src/alert/notify/links/alert-actions.ts'
import { HttpLinkMaker } from '../../../src/alert/notify/links/http-link-token.ts'
import type { LinkRequest } from '../../../src/alert/notify/links/link-maker.ts'
import { registerAlertLinks } from '../../../src/app/alert-links.ts'
import { durationMs, epochMs } from '../../../src/core/time.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const hour = 3_600_000
const key = new Uint8Array(32).fill(7)

function rig() {
  const clock = new VirtualClock()
  const links = new HttpLinkMaker('https://w.example.com', key)
  const acted: ActionRequest[] = []
  const audit: AuditEntry[] = []
  const actions: AlertActions = {
    preview: ({ rule }) =>
      rule === 'gone' ? [] : ['rule=login-zero product=<script>alert(1)</script>'],
    silence: (request) => {
      acted.push(request)
      return { done: 'Silenced.' }
    },
    acknowledge: (request) => {
      acted.push(request)
      return request.labels.rule === 'gone' ? { problem: 'None fires.' } : { done: 'Acknowledged.' }
    },
  }
  const server = fastify()
  const ready = registerAlertLinks(server, {
    links,
    actions,
    audit: { append: (entry) => void audit.push(entry) },
    telemetry: { clock, logger: new RecordingLogger(), metrics: new RecordingMetrics() },
  })
  const link = (overrides: Partial<LinkRequest> = {}) =>
    new URL(
      links.link({
        action: 'silence',
        labels: { rule: 'login-zero', product: 'loan' },
        forMs: durationMs(hour),
        notification: 'n-1',
        expiresAt: epochMs(clock.now() + 24 * hour),
        ...overrides,
      }),
    )
  const get = async (url: URL) => {
    await ready
    return await server.inject({ url: url.pathname + url.search })
  }
  const post = async (url: URL, fields: Readonly<Record<string, string>>) => {
    await ready
    const token = url.searchParams.get('token') ?? ''
    return await server.inject({
      method: 'POST',
      url: url.pathname,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams({ token, ...fields }).toString(),
    })
  }
  return { clock, links, acted, audit, link, get, post }
}

test('a GET shows what would be done and does nothing: chats and mail scanners open every link', async () => {
  const { acted, audit, link, get } = rig()
  const answer = await get(link())
  assert.equal(answer.statusCode, 200)
  assert.match(answer.body, /Silence these alerts for 1h\?/)
  assert.match(answer.body, /<form method="post"/)
  assert.match(answer.body, /&lt;script&gt;/)
  assert.doesNotMatch(answer.body, /<script/)
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.match(String(answer.headers['content-security-policy']), /frame-ancestors 'none'/)
  assert.deepEqual([acted, audit], [[], []])
})

test('a POST does it, with who and why in the audit log', async () => {
  const { clock, acted, audit, link, post } = rig()
  const answer = await post(link(), { who: ' Li Wei ', reason: 'planned move' })
  assert.equal(answer.statusCode, 200)
  assert.match(answer.body, /Silenced\./)
  assert.equal(acted.length, 1)
  assert.deepEqual(acted[0]?.labels, { rule: 'login-zero', product: 'loan' })
  assert.deepEqual(audit, [
    {
      at: clock.now(),
      event: 'silenced',
      who: 'Li Wei',
      reason: 'planned move',
      target: '{"rule":"login-zero","product":"loan"}',
      until: clock.now() + hour,
    },
  ])
})

test('without a name, or a silence without a reason, nothing is done and the form comes back', async () => {
  const { acted, link, post } = rig()
  for (const fields of [
    { who: '', reason: 'x' },
    { who: 'x', reason: ' ' },
    { who: 'x'.repeat(81), reason: 'x' },
  ]) {
    const answer = await post(link(), fields)
    assert.equal(answer.statusCode, 400)
    assert.match(answer.body, /<form/)
  }
  assert.deepEqual(acted, [])
  const answer = await post(link({ action: 'acknowledge', forMs: durationMs(0) }), {
    who: 'x',
    reason: '',
  })
  assert.equal(answer.statusCode, 200)
})

test('a link that was changed, is of another Warden, or has expired does nothing', async () => {
  const { clock, acted, link, get, post } = rig()
  const good = link()
  const token = good.searchParams.get('token') ?? ''
  const [payload = '', signature = ''] = token.split('.')
  const content = Buffer.from(payload, 'base64url').toString().replace('loan', 'all*')
  const forged = `${Buffer.from(content).toString('base64url')}.${signature}`
  const other = new HttpLinkMaker('https://w.example.com', new Uint8Array(32)).link({
    action: 'silence',
    labels: { rule: 'x' },
    forMs: durationMs(hour),
    notification: 'n-1',
    expiresAt: epochMs(clock.now() + hour),
  })
  const bad = [
    forged,
    '',
    'x',
    `${payload}.`,
    `${token}.x`,
    new URL(other).searchParams.get('token') ?? '',
  ]
  for (const one of bad) {
    const url = new URL(good)
    url.searchParams.set('token', one)
    assert.equal((await get(url)).statusCode, 410, one)
    assert.equal((await post(url, { who: 'x', reason: 'x' })).statusCode, 410, one)
  }
  await clock.advance(24 * hour)
  const late = await post(good, { who: 'x', reason: 'x' })
  assert.equal(late.statusCode, 410)
  assert.match(late.body, /expired/)
  assert.deepEqual(acted, [])
})

test('what could not be done is said, and is not in the audit log', async () => {
  const { audit, link, post } = rig()
  const gone = link({ action: 'acknowledge', labels: { rule: 'gone' } })
  const answer = await post(gone, { who: 'x', reason: '' })
  assert.equal(answer.statusCode, 409)
  assert.match(answer.body, /None fires\./)
  assert.deepEqual(audit, [])
})
