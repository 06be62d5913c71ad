import assert from 'node:assert/strict'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { type HeardMessage, HookServer } from '../support/hook-server.ts'
import { until } from '../support/until.ts'
import { WardenHome, type WardenProcess } from '../support/warden-process.ts'

/** A job over a file that grows, with windows of a second; a product that stops is told to a webhook at once. */
class ZeroJob {
  readonly hook: HookServer
  readonly home: WardenHome
  readonly #events: string
  readonly #running = new Set<string>()
  readonly #timer: NodeJS.Timeout
  warden: WardenProcess

  private constructor(hook: HookServer, products: readonly string[]) {
    this.hook = hook
    this.home = new WardenHome(config, { HOOK_URL: hook.url })
    this.#events = this.home.path('events.jsonl')
    writeFileSync(this.#events, '')
    for (const product of products) this.#running.add(product)
    this.#timer = setInterval(() => {
      const t = Date.now()
      const lines = [...this.#running].map((product) => `${JSON.stringify({ t, product })}\n`)
      appendFileSync(this.#events, lines.join(''))
    }, 50)
    this.warden = this.home.run()
  }

  static async start(t: TestContext, ...products: readonly string[]): Promise<ZeroJob> {
    const job = new ZeroJob(await HookServer.start(), products)
    t.after(() => job.#remove())
    await job.untilJudged()
    return job
  }

  stopProduct(product: string): void {
    this.#running.delete(product)
  }

  /** kill -9, and a new life. */
  async restart(): Promise<void> {
    await this.warden.kill()
    this.warden = this.home.run()
  }

  /** Resolves when the running products have a good window that began after now. */
  async untilJudged(): Promise<void> {
    const from = Date.now()
    await until('a new window is good', async () => {
      assert.ok(this.warden.isRunning, this.warden.output.slice(-4_000))
      const url = `${await this.warden.url()}/api/warden/verdicts?metric=logins&from=${from}`
      const { verdicts } = (await (await fetch(url)).json()) as { verdicts: { value: string }[] }
      return verdicts.filter(({ value }) => value === 'OK').length >= this.#running.size
    })
  }

  /** Resolves at the instant at which this life decides on its first message. */
  async untilDecided(): Promise<void> {
    await this.warden.until('a decision', ({ msg }) => msg === 'decided on a message')
  }

  async #remove(): Promise<void> {
    clearInterval(this.#timer)
    await this.warden.kill()
    await this.hook.stop().catch(() => {})
    this.home.remove()
  }
}

const config = {
  job: 'kills',
  stateDir: './state',
  sources: {
    app: {
      type: 'file',
      path: './events.jsonl',
      follow: true,
      watermark: { outOfOrderness: '0s', idleTimeout: '1h' },
      event: { time: 't' },
    },
  },
  metrics: {
    logins: {
      window: { size: '1s' },
      dimensions: ['product'],
      aggregates: ['count'],
      evaluationDelay: '0s',
    },
  },
  sinks: { local: { type: 'embedded' } },
  receivers: { hook: { type: 'webhook', url: '${HOOK_URL}', timeout: '30s' } },
  alerts: {
    interval: '1s',
    route: {
      receivers: ['hook'],
      groupBy: ['rule', 'product'],
      groupWait: '0s',
      repeat: { times: 0 },
    },
    rules: { dead: { kind: 'zero', metric: 'logins', maxWait: '1h' } },
  },
  checkpoint: { interval: '1s', minPause: '50ms' },
}

const shown = ({ mayBeRepeat, notifications }: HeardMessage): string[] =>
  notifications.map(
    ({ kind, alerts }) =>
      `${kind} ${alerts.map(({ tags }) => tags.product)}${mayBeRepeat ? ' (may be a repeat)' : ''}`,
  )

test('killed when a message is decided on and cannot leave yet: it leaves in the next life, once', async (t) => {
  const job = await ZeroJob.start(t, 'a', 'b')
  const { port } = job.hook
  await job.hook.stop()
  job.stopProduct('b')
  await until('an attempt failed', () =>
    readFileSync(job.home.path('state/audit.jsonl'), 'utf8').includes('ECONNREFUSED'),
  )
  await job.restart()
  await job.hook.listen(port)
  await until('it is heard', () => job.hook.messages.length > 0)
  await job.untilJudged()
  assert.deepEqual(
    job.hook.heard.map(({ kind, alerts }) => `${kind} ${alerts.map(({ tags }) => tags.product)}`),
    ['firing b'],
  )
})

test('killed between sending and the answer: it comes once more, and says that it may be a repeat', async (t) => {
  const job = await ZeroJob.start(t, 'a', 'b')
  const { answer } = job.hook
  job.hook.answer = () => {}
  job.stopProduct('b')
  await until('it is taken', () => job.hook.messages.length > 0)
  job.hook.answer = answer
  await job.restart()
  await until('it comes again', () => job.hook.messages.length > 1)
  await job.untilJudged()
  assert.deepEqual(job.hook.messages.flatMap(shown), ['firing b', 'firing b (may be a repeat)'])
  assert.equal(new Set(job.hook.messages.map(({ id }) => id)).size, 1)
})

test('killed again and again right after a decision: every message comes, at most one of each kill twice, marked', async (t) => {
  const victims = ['b', 'c', 'd']
  const job = await ZeroJob.start(t, 'a', ...victims)
  for (const victim of victims) {
    job.stopProduct(victim)
    await job.untilDecided()
    await job.restart()
    await job.untilJudged()
  }
  await until('all are told', () => job.hook.messages.flatMap(shown).length >= victims.length)
  await job.untilJudged()
  const lines = job.hook.messages.flatMap(shown)
  const plain = lines.map((line) => line.replace(' (may be a repeat)', ''))
  const wanted = victims.map((victim) => `firing ${victim}`)
  assert.deepEqual([...new Set(plain)].sort(), wanted)
  for (const line of wanted) {
    assert.ok(lines.filter((one) => one === line).length <= 1, lines.join('\n'))
    assert.ok(plain.filter((one) => one === line).length <= 2, lines.join('\n'))
  }
  t.diagnostic(lines.join(', '))
})
