import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { backtestState } from '../../src/app/alert-backtest.ts'
import { runJob } from '../../src/app/run-job.ts'
import { createTelemetry } from '../../src/app/telemetry.ts'
import { runBacktest } from '../../src/cli-alerts.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/file-config.ts'
import { MAX_TIME, MIN_TIME } from '../../src/core/time.ts'
import type { Verdict } from '../../src/core/verdict.ts'

const directory = mkdtempSync(join(tmpdir(), 'warden-alerting-'))
after(() => rmSync(directory, { recursive: true }))

const rules = (max: number) => `
interval: 1s
route: { receivers: [hook], groupWait: 0s, groupInterval: 0s }
rules:
  dead: { kind: zero, metric: logins, evaluationDelay: 0s }
  many: { kind: threshold, metric: logins, crit: { max: ${max} }, evaluationDelay: 0s }
`
const config = `
job: alerting
stateDir: ${directory}/state
server: { listen: 127.0.0.1:0 }
log: { level: error }
sources:
  app:
    type: file
    path: ${directory}/events.jsonl
    follow: true
    watermark: { outOfOrderness: 0s, idleTimeout: 1h }
    event: { time: t }
metrics:
  logins: { window: { size: 1s }, dimensions: [product], aggregates: [count], evaluationDelay: 0s }
sinks: { local: { type: embedded } }
receivers: { hook: { type: webhook, url: { file: ${directory}/hook } } }
alerts: { file: ${directory}/alerts.yaml }
`

interface Hook {
  readonly notifications?: readonly {
    readonly kind: string
    readonly alerts: readonly { readonly rule: string }[]
  }[]
  readonly kind?: string
  readonly alerts?: readonly { readonly rule: string }[]
}

test('a job tells a webhook of a zero, answers by API, and takes new rules while it runs', async () => {
  const heard: string[] = []
  const hook = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      const one = JSON.parse(body) as Hook
      for (const { kind = '', alerts = [] } of one.notifications ?? [one]) {
        for (const { rule } of alerts) heard.push(`${kind} ${rule}`)
      }
      response.end('{}')
    })
  })
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
  const file = join(directory, 'warden.yaml')
  writeFileSync(join(directory, 'alerts.yaml'), rules(1_000))
  writeFileSync(file, config)
  const { port } = hook.address() as AddressInfo
  writeFileSync(join(directory, 'hook'), `http://127.0.0.1:${port}/`)
  const events = join(directory, 'events.jsonl')
  writeFileSync(events, '')
  const write = (product: string) =>
    appendFileSync(events, `${JSON.stringify({ t: Date.now(), product })}\n`)
  const loaded = loadConfig(file, {})
  const stop = new AbortController()
  let url = ''
  const job = runJob(
    {
      config: loaded,
      version: 'test',
      dropMetrics: new Set(),
      telemetry: createTelemetry(loaded),
      onListening: (address) => {
        url = address
      },
    },
    stop.signal,
  )
  // Product b comes for two seconds, then only a goes on.
  const begun = Date.now()
  const writer = setInterval(() => {
    write('a')
    if (Date.now() - begun < 3_000) write('b')
  }, 50)
  try {
    await until(() => heard.includes('firing dead'))
    const alerts = (await (await fetch(`${url}/api/warden/alerts`)).json()) as {
      alerts: { labels: Record<string, string>; incident: string }[]
    }
    const [alert] = alerts.alerts
    assert.deepEqual(
      [alert?.labels.rule, alert?.labels.product, alert?.labels.metric],
      ['dead', 'b', 'logins'],
    )
    const verdicts = (await (
      await fetch(`${url}/api/warden/verdicts?metric=logins&product=b&limit=1`)
    ).json()) as { verdicts: Verdict[] }
    const [verdict] = verdicts.verdicts
    assert.equal(verdict?.value, 'ZERO')
    const { evidence } = verdict
    assert.equal(evidence.deduplicated, 0)
    assert.ok(evidence.records > 0 && (evidence.watermark ?? 0) >= verdict.windowEnd - 1)
    assert.ok(evidence.partitions.length > 0 && evidence.sinkErrors.length === 0)
    const preview = await fetch(`${url}/api/warden/silences/preview`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ match: { product: ['b', 'c'] } }),
    })
    assert.equal(((await preview.json()) as { alerts: unknown[] }).alerts.length, 1)
    const none = await (await fetch(`${url}/api/warden/silences`)).json()
    assert.deepEqual(none, { silences: [] }, 'a preview silences nothing')
    const silence = await fetch(`${url}/api/warden/silences`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ match: { product: 'b' }, for: '1h', owner: 'ann', reason: 'known' }),
    })
    assert.equal(silence.status, 200)
    assert.equal(((await silence.json()) as { alerts: unknown[] }).alerts.length, 1)
    const bare = await fetch(`${url}/api/warden/silences`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ match: { product: 'b' }, owner: 'ann', reason: 'for ever' }),
    })
    assert.equal(bare.status, 400)
    await until(async () => {
      const text = await (await fetch(`${url}/metrics`)).text()
      // Of the newest due window, which for a moment is late.
      return text.includes('warden_verdict_series{metric="logins",verdict="ZERO"} 1')
    })
    const created = await fetch(`${url}/api/savepoints`, { method: 'POST' })
    assert.ok(created.ok, await created.text())
    assert.deepEqual(await firedIn(loaded, 'latest'), ['dead b'])
    await assert.rejects(
      firedIn(loaded, undefined),
      /warden/i,
      'the state of a running job is its own',
    )
    writeFileSync(join(directory, 'alerts.yaml'), rules(1))
    await until(() => heard.includes('firing many'))
    writeFileSync(join(directory, 'alerts.yaml'), 'rules: { broken: { kind: zer } }')
  } finally {
    clearInterval(writer)
    stop.abort()
    await job
    hook.closeAllConnections()
    await new Promise((resolve) => hook.close(resolve))
  }
  assert.deepEqual(await firedIn(loaded, undefined), ['dead b'])
  // Another rule file beside that of the config: what each of the two alone would have said.
  const other = join(directory, 'other.yaml')
  writeFileSync(join(directory, 'alerts.yaml'), rules(1_000))
  writeFileSync(other, rules(1).replace(/^ {2}dead:.*\n/m, ''))
  let out = ''
  const io = { out: (text: string) => (out += text), env: {} }
  const load = (path: string) => loadConfig(path, {})
  await runBacktest(['-c', file, '--rule', other, '--json'], io, load)
  const { a, b, onlyA, onlyB } = JSON.parse(out) as Record<string, unknown[]> & {
    a: { intervals: unknown[] }
    b: { intervals: unknown[] }
  }
  assert.equal(a.intervals.length, 1)
  assert.deepEqual([onlyA?.length, onlyB?.length], [1, b.intervals.length])
  assert.match(String(onlyA?.[0]), /crit dead product=b/)
  assert.match(String(onlyB?.[0]), /crit many product=a/)
})

/** What a backtest says that would have fired. */
async function firedIn(config: Config, savepoint: string | undefined): Promise<string[]> {
  const plans = [config.alerts]
  const [result] = await backtestState(config, plans, MIN_TIME, MAX_TIME, savepoint)
  return result?.intervals.map(({ rule, tags }) => `${rule} ${tags.product}`) ?? []
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('it did not happen within 30 s')
}
