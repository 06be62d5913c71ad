import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { writeDashboards } from '../../src/app/write-dashboards.ts'
import { loadConfig } from '../../src/config/file-config.ts'
import type { PromTarget, TsdbTarget } from '../../src/dashboards/grafana.ts'
import { answerDifference } from '../support/compare-answers.ts'
import { type PlacedTarget, targetsOf, withVariables } from '../support/dashboard-targets.ts'
import { grafanaRequests } from '../support/grafana-requests.ts'
import { ask, type StoreRequest } from '../support/http-answer.ts'
import { PrometheusService } from '../support/prometheus-service.ts'
import { type Shared, sharedOpentsdb } from '../support/shared-services.ts'
import { until } from '../support/until.ts'
import { WardenHome, type WardenProcess } from '../support/warden-process.ts'

const HOUR_MS = 3_600_000
const HOURS = 5

/** Names of its own: other tests may use the same OpenTSDB. */
const prefix = `dash${Date.now().toString(36)}.`
const now = Date.now()
const firstHour = Math.floor(now / HOUR_MS) * HOUR_MS - HOURS * HOUR_MS

/** Users who try twice, the second time with luck or not; hour 2 has none at all. */
function events(): string {
  const lines: string[] = []
  for (let time = firstHour; time < now; time += 60_000) {
    const hour = Math.floor((time - firstHour) / HOUR_MS)
    if (hour === 2) continue
    const user = `u${time % 7}-${lines.length}`
    const common = { user, shop: lines.length % 3 === 0 ? 'north' : 'south', amount: hour * 10.5 }
    lines.push(JSON.stringify({ ...common, at: time, status: 'fail' }))
    const status = lines.length % 4 === 0 ? 'fail' : 'success'
    lines.push(JSON.stringify({ ...common, at: time + 1_000, status }))
  }
  return `${lines.join('\n')}\n`
}

/** Warden leaves its verdicts in its own store only. */
const ignored = ['annotations', 'globalAnnotations']

const aggregates = [
  'count',
  'events',
  'users',
  { rate: { success: ['success'] } },
  { rawRate: { success: ['success'] } },
  { sum: 'amount' },
  { avg: 'amount' },
]

const config = (opentsdb: string, file: string) => ({
  job: 'dashboards',
  sources: {
    tries: {
      type: 'file',
      path: file,
      follow: true,
      event: { time: 'at', user: 'user', outcome: 'status' },
    },
  },
  metrics: {
    loan: {
      window: { size: '1h' },
      dimensions: ['shop'],
      outcomes: ['fail', 'success'],
      dedup: { keep: 'best' },
      emitPartial: true,
      aggregates,
    },
    split: {
      window: { size: '30m' },
      dimensions: ['outcome'],
      outcomes: ['fail', 'success'],
      emitPartial: true,
      aggregates: ['count', 'users', { max: 'amount' }, { min: 'amount' }],
    },
    total: { window: { size: '1h' }, emitPartial: true, aggregates: ['events'] },
  },
  sinks: {
    local: { type: 'embedded', prefix },
    tsdb: { type: 'opentsdb', url: opentsdb, prefix, settle: '0s' },
  },
  checkpoint: { interval: '1s' },
})

describe('every target of the dashboards is answered', () => {
  let opentsdb: Shared<{ readonly url: string }>
  let prometheus: PrometheusService
  let home: WardenHome
  let warden: WardenProcess
  let url: string
  const directory = (): string => home.path('grafana')
  const range = [firstHour / 1_000, Math.floor(now / 1_000)] as const

  before(async () => {
    opentsdb = await sharedOpentsdb()
    home = new WardenHome(config(opentsdb.service.url, './tries.jsonl'))
    writeFileSync(home.path('tries.jsonl'), events())
    writeDashboards(directory(), loadConfig(home.configFile, {}))
    warden = home.run()
    url = await warden.url()
    prometheus = await PrometheusService.start(scrapeConfig(new URL(url).host))
    const written = `${prefix}total.events`
    for (const store of [url, opentsdb.service.url]) {
      await until(`${store} has the closed hours`, async () => {
        const path = `/api/query?start=${range[0]}&end=${range[1]}&m=none:${written}`
        const { status, body } = await ask(store, { path })
        const dps = status === 200 ? (body as { dps: object }[])[0]?.dps : undefined
        return Object.keys(dps ?? {}).length >= HOURS - 1
      })
    }
    await until('Prometheus has several scrapes', async () => {
      const expr = 'count_over_time(warden_checkpoint_age_seconds[1m])'
      const at = Date.now() / 1_000
      const [series] = await prometheus.range(expr, at, at, 1)
      return Number(series?.values.at(-1)?.[1] ?? 0) >= 5
    })
  })

  after(async () => {
    await prometheus?.stop()
    await warden?.kill()
    home?.remove()
    await opentsdb?.release()
  })

  const targets = (name: string, type: 'opentsdb' | 'prometheus'): PlacedTarget[] =>
    targetsOf(`${directory()}/dashboards/${name}.json`).filter(
      ({ target }) => target.datasource.type === type,
    )

  it('by Warden and by OpenTSDB with the same numbers, for every version of the data source', async () => {
    const all = targets('business', 'opentsdb')
    assert.ok(all.length > 20, `${all.length} targets`)
    for (const { panel, target } of all) {
      for (const { sender, ...request } of grafanaRequests(target as TsdbTarget, ...range)) {
        const what = `${panel}, ${target.refId}, ${sender}`
        const ours = await ask(url, request)
        assert.equal(ours.status, 200, `${what}: ${JSON.stringify(ours.body)}`)
        assertNumbers(ours.body, what)
        const real = await ask(opentsdb.service.url, request)
        assert.equal(answerDifference(real, ours, ignored), undefined, what)
      }
    }
  })

  it('a window without events is a gap or an explicit zero of Warden, never one of the chart', async () => {
    const target = targets('business', 'opentsdb').find(({ panel }) => panel === 'total: events')
    assert.ok(target !== undefined)
    const [request] = grafanaRequests(target.target as TsdbTarget, ...range)
    const { body } = await ask(url, request as StoreRequest)
    const shown = new Map((body as { dps: [number, number][] }[])[0]?.dps)
    const raw = await ask(url, {
      path: `/api/query?start=${range[0]}&end=${range[1]}&arrays&m=none:${prefix}total.events`,
    })
    assert.deepEqual(shown, new Map((raw.body as { dps: [number, number][] }[])[0]?.dps))
  })

  for (const name of ['business', 'trust']) {
    it(`by Prometheus from a scraped Warden: ${name}.json`, async () => {
      const all = targets(name, 'prometheus')
      assert.ok(all.length > 0)
      const at = Math.floor(Date.now() / 1_000)
      for (const { panel, target } of all) {
        const { expr, refId } = target as PromTarget
        const series = await prometheus.range(withVariables(expr), at - 20, at, 5)
        assert.ok(series.length > 0, `${panel}, ${refId}: no series for ${expr}`)
      }
    })
  }

  it('the completeness strip says complete for written hours and open for the one that runs', async () => {
    const strip = targets('business', 'prometheus').find(({ panel }) =>
      panel.startsWith('loan: completeness'),
    )
    assert.ok(strip !== undefined)
    const expr = withVariables((strip.target as PromTarget).expr)
    const hour = 3_600
    /** Four moments of the closed hours but the last, and the state of the hour that is being written when the test began. */
    const states = async () => {
      const at = Math.floor(Date.now() / 60_000) * 60
      const [series] = await prometheus.range(expr, range[0], at, 60)
      const byTime = new Map(series?.values.map(([time, value]) => [time, Number(value)]))
      const first = range[0]
      const last = first + HOURS * hour
      return [first, first + hour - 60, first + 2 * hour, first + 3 * hour + 60, last].map((time) =>
        byTime.get(time),
      )
    }
    // The hour may have ended while the services started: then it is due, and nothing closes it.
    const running = () => (Date.now() < firstHour + (HOURS + 1) * HOUR_MS ? 0 : 1)
    await until(
      'the strip is up to date',
      async () => (await states()).join() === `3,3,3,3,${running()}`,
      90_000,
    ).catch(async () => assert.deepEqual(await states(), [3, 3, 3, 3, running()]))
  })

  it('the variables of the dashboards have values', async () => {
    for (const metric of ['warden_checkpoint_age_seconds', 'warden_event_time_lag_seconds']) {
      const values = await prometheus.get('/api/v1/label/job/values', { 'match[]': metric })
      assert.deepEqual(values, ['warden'])
    }
  })
})

const scrapeConfig = (target: string): string => `
global: { scrape_interval: 1s }
scrape_configs:
  - job_name: warden
    static_configs: [{ targets: ['${target}'] }]
`

/** Every series has a number at every point: Grafana's backend fails on texts and draws null as 0. */
function assertNumbers(body: unknown, what: string): void {
  const series = body as { dps: unknown }[]
  assert.ok(series.length > 0, `${what}: no series`)
  for (const { dps } of series) {
    const values = Array.isArray(dps)
      ? (dps as [number, unknown][]).map(([, value]) => value)
      : Object.values(dps as Record<string, unknown>)
    assert.ok(values.length > 0, `${what}: no points`)
    for (const value of values) assert.equal(typeof value, 'number', what)
  }
}
