import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Leadership, takeTurns } from '../../../src/app/take-turns.ts'
import { WardenError } from '../../../src/core/errors.ts'
import { PrometheusMetrics } from '../../../src/prometheus-metrics.ts'
import { SystemClock } from '../../../src/system-clock.ts'
import { configOf, configText } from '../../support/config-text.ts'
import { FakeKubernetes } from '../../support/fake-kubernetes.ts'
import { ask } from '../../support/http-answer.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { until } from '../../support/until.ts'

const account = mkdtempSync(join(tmpdir(), 'warden-turns-'))
const api = new FakeKubernetes()
let url = ''
let names = 0

before(async () => {
  writeFileSync(join(account, 'token'), 'good\n')
  url = await api.listen()
})
after(async () => {
  await api.close()
  rmSync(account, { recursive: true })
})

/** One of several Wardens of a job, with a job that does nothing until it has to end. */
class Turn {
  readonly logger = new RecordingLogger()
  readonly metrics = new PrometheusMetrics({ processMetrics: false })
  readonly stop = new AbortController()
  readonly done: Promise<'ended' | 'stopped'>
  /** Aborted when the job fails by itself. */
  readonly broken = new AbortController()
  leads = 0

  constructor(name: string) {
    const config = configOf(
      configText({
        rest: `sinks: { tsdb: { type: opentsdb, url: 'http://127.0.0.1:1' } }
state: { replica: /mnt/warden }
server: { listen: '127.0.0.1:0' }
ha: { lease: { type: kubernetes, name: ${name}, namespace: shop, duration: 3s, url: '${url}', account: ${account} } }`,
      }),
    )
    assert.ok(config.ha !== undefined)
    const telemetry = { clock: new SystemClock(), logger: this.logger, metrics: this.metrics }
    this.done = takeTurns(
      { config, version: 'test', dropMetrics: new Set(), telemetry },
      config.ha,
      this.stop.signal,
      (leadership) => this.#lead(leadership),
    )
    this.done.catch(() => {})
  }

  said(message: string): number {
    return this.logger.lines.filter((line) => line.message === message).length
  }

  /** Of the standby. */
  get url(): string {
    const listening = this.logger.lines.filter(({ message }) => message === 'listening').at(-1)
    const [address] = (listening?.fields.addresses ?? []) as readonly { readonly port: number }[]
    return `http://127.0.0.1:${address?.port}`
  }

  async figures(): Promise<string> {
    return await this.metrics.exposition()
  }

  async #lead({ lost, held }: Leadership): Promise<'stopped'> {
    this.leads++
    this.metrics.gauge('warden_series', 'Of the job').set(5)
    assert.ok(held())
    const over = AbortSignal.any([lost, this.stop.signal, this.broken.signal])
    await new Promise<void>((resolve) => over.addEventListener('abort', () => resolve()))
    if (lost.aborted || this.broken.signal.aborted) throw over.reason
    return 'stopped'
  }
}

test('one leads, the other stands by and says so; it leads when the first one stops', async () => {
  const name = `job-${names++}`
  const first = new Turn(name)
  await until('the first leads', () => first.leads === 1)
  const second = new Turn(name)
  await until('the second knows the leader', () => {
    return second.said('another process holds the lease; waiting') === 1
  })
  const ready = await ask(second.url, { path: '/health/ready' })
  assert.equal(ready.status, 200)
  const health = ready.body as { readonly status: string; readonly leader: string }
  assert.equal(health.status, 'standby')
  assert.match(health.leader, new RegExp(`/${process.pid}/`))
  assert.equal((await ask(second.url, { path: '/health/live' })).status, 200)
  assert.equal((await ask(second.url, { path: '/health/leader' })).status, 503)
  assert.equal((await ask(second.url, { path: '/api/alerts' })).status, 503)
  const metrics = String((await ask(second.url, { path: '/metrics' })).body)
  assert.match(metrics, /^warden_role\{role="standby"\} 1$/m)
  assert.match(await first.figures(), /^warden_role\{role="leader"\} 1$/m)
  assert.match(await first.figures(), /^warden_lease_held 1$/m)
  first.stop.abort()
  assert.equal(await first.done, 'stopped')
  await until('the second leads', () => second.leads === 1)
  second.stop.abort()
  assert.equal(await second.done, 'stopped')
})

test('a leader that loses the lease stands by, and its figures tell of no work; then it leads again', async () => {
  const one = new Turn(`job-${names++}`)
  await until('it leads', () => one.leads === 1)
  assert.match(await one.figures(), /^warden_series 5$/m)
  api.trouble = 'hang'
  await until('it stands by', () => one.said('standing by') === 2)
  const figures = await one.figures()
  assert.match(figures, /^warden_role\{role="leader"\} 0$/m)
  assert.match(figures, /^warden_lease_held 0$/m)
  assert.match(figures, /^warden_lease_losses_total 1$/m)
  assert.doesNotMatch(figures, /^warden_series 5$/m)
  api.trouble = undefined
  await until('it leads again', () => one.leads === 2)
  assert.match(await one.figures(), /^warden_takeovers_total 2$/m)
  one.stop.abort()
  await one.done
})

test('a job that fails for good gives the lease back and ends with its error', async () => {
  const name = `job-${names++}`
  const one = new Turn(name)
  await until('it leads', () => one.leads === 1)
  one.broken.abort(new WardenError('state_corrupt', 'the state is damaged'))
  await assert.rejects(one.done, { code: 'state_corrupt' })
  assert.equal(api.leases.get(`shop/${name}`)?.spec.holderIdentity, '')
})

test('one that stands by ends when it is told to', async () => {
  const name = `job-${names++}`
  const [first, second] = [new Turn(name), new Turn(name)]
  await until('one leads', () => first.leads + second.leads === 1)
  const standby = first.leads === 0 ? first : second
  await until('the other stands by', () => standby.said('standing by') === 1)
  standby.stop.abort()
  assert.equal(await standby.done, 'stopped')
  assert.equal(standby.leads, 0)
  for (const one of [first, second]) one.stop.abort()
  await Promise.all([first.done, second.done])
})
