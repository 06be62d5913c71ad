import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { FakeFeishu } from '../support/fake-feishu.ts'
import { FakeOpentsdb, storedKey } from '../support/fake-opentsdb.ts'
import { type HeardNotification, HookServer } from '../support/hook-server.ts'
import type { KafkaCluster } from '../support/kafka-cluster.ts'
import { until } from '../support/until.ts'
import { WardenHome, type WardenProcess } from '../support/warden-process.ts'
import { Business } from './business.ts'

export const windowMs = 5_000
export const outOfOrdernessMs = 1_000
export const evaluationDelayMs = 1_000
const prefix = 'incident.'
const secret = 'feishu-secret'
const keyword = 'warden'
export const products = ['a', 'b', 'c'] as const

interface ShownVerdict {
  readonly tags: Readonly<Record<string, string>>
  readonly windowStart: string | number
  readonly value: string
  readonly delivery: string
  readonly reason: string
}

/** Warden as a process between a real Kafka, a store that misbehaves on demand, Feishu's rules and a webhook. */
export class IncidentJob {
  readonly business: Business
  readonly store: FakeOpentsdb
  readonly feishu: FakeFeishu
  readonly hook: HookServer
  readonly home: WardenHome
  warden: WardenProcess

  private constructor(parts: Pick<IncidentJob, 'business' | 'store' | 'feishu' | 'hook' | 'home'>) {
    this.business = parts.business
    this.store = parts.store
    this.feishu = parts.feishu
    this.hook = parts.hook
    this.home = parts.home
    this.warden = parts.home.run()
  }

  /** Resolves when all products have had two good windows that are written, and nobody was told of anything. */
  static async start(kafka: KafkaCluster): Promise<IncidentJob> {
    const topic = `incident-${randomBytes(3).toString('hex')}`
    await kafka.createTopic(topic, 2)
    const business = await Business.open(kafka.bootstrap, topic, windowMs)
    const [store, feishu, hook] = [
      new FakeOpentsdb(),
      await FakeFeishu.start({ secret, keyword }),
      await HookServer.start(),
    ]
    await store.start()
    const home = new WardenHome(configOf(kafka.bootstrap, topic, store.url), {
      BOT_URL: feishu.url,
      BOT_SECRET: secret,
      HOOK_URL: hook.url,
    })
    business.run(...products)
    const job = new IncidentJob({ business, store, feishu, hook, home })
    try {
      await job.untilGood()
    } catch (cause) {
      await job.remove()
      throw cause
    }
    assert.deepEqual(job.said(), [])
    return job
  }

  /** Resolves when the two newest due windows are good and written for all products. */
  async untilGood(): Promise<void> {
    const isGood = async () => {
      if (!this.warden.isRunning) return true
      const verdicts = await this.verdicts(2 * products.length)
      const good = verdicts.filter(
        ({ value, delivery }) => value === 'OK' && delivery === 'written',
      )
      return good.length === 2 * products.length
    }
    // Four start at once, which takes a busy machine a minute; whoever asks often makes it longer.
    await until('two windows are good and written', isGood, 240_000, 250)
    assert.ok(this.warden.isRunning, this.warden.output.slice(-4_000))
  }

  /** The newest first. */
  async verdicts(limit: number): Promise<readonly ShownVerdict[]> {
    const url = `${await this.warden.url()}/api/warden/verdicts?metric=loan&limit=${limit}`
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) })
    return ((await response.json()) as { verdicts: readonly ShownVerdict[] }).verdicts
  }

  /** The store answers 500 from now on, or works again. */
  storeFails(fails: boolean): void {
    const answer = { kind: 'answer', status: 500, body: 'NoServerForRegion' } as const
    this.store.behave = () => (fails ? answer : undefined)
  }

  /** `firing dead ZERO b`: kind, rule or *, cause, products. What came twice around a kill, and says so, is there once. */
  said(): string[] {
    return this.#heard.map(lineOf)
  }

  get #heard(): readonly HeardNotification[] {
    const known = new Set<string>()
    return this.hook.messages.flatMap(({ mayBeRepeat, notifications }) =>
      notifications.filter(({ id }) => {
        const isRepeat = mayBeRepeat && known.has(id)
        known.add(id)
        return !isRepeat
      }),
    )
  }

  async untilSaid(line: string): Promise<HeardNotification> {
    return await until(
      `"${line}"; so far: ${JSON.stringify(this.said())}`,
      () => this.#heard.find((one) => lineOf(one) === line),
      120_000,
    ).catch((cause: unknown) => {
      throw new Error(`heard only ${JSON.stringify(this.said())}`, { cause })
    })
  }

  /** Lets so many windows pass and be judged. */
  async windowsPass(count: number): Promise<void> {
    const now = Date.now()
    const end = now - (now % windowMs) + (count + 1) * windowMs
    const due = end + outOfOrdernessMs + evaluationDelayMs
    await until(`${count} windows are over`, () => Date.now() > due, count * windowMs + 60_000)
  }

  /** kill -9, and a new life on the same state. */
  async restart(): Promise<void> {
    await this.warden.kill()
    this.warden = this.home.run()
    await this.warden.ready()
  }

  /** What people saw: these once each, by webhook and by Feishu, which refused nothing; what came twice around a kill says so. */
  async assertExactly(...expected: readonly string[]): Promise<void> {
    assert.deepEqual(this.said().toSorted(), expected.toSorted())
    const ids = this.#heard.map(({ id }) => id)
    await until('Feishu has all of them', () =>
      ids.every((id) => this.feishu.messages.some(({ text }) => text.includes(id))),
    )
    const times = (id: string) =>
      this.feishu.messages.filter(
        ({ text }) => text.includes(id) && !text.includes('may be a repeat'),
      ).length
    for (const id of ids) assert.ok(times(id) <= 1, `${id} came ${times(id)} times`)
    assert.deepEqual(
      this.feishu.codes.filter((code) => code !== 0),
      [],
    )
  }

  /**
   * Every window from the first that was written to the one that ends at `end` has the numbers of the business, and none had a zero at any time
   * that was none: 0 stands where others had users, nothing where nobody had.
   * @returns points that were compared
   */
  async assertStored(end: number): Promise<number> {
    const starts = [...this.store.stored.values()].map(({ timestamp }) => timestamp * 1_000)
    const first = Math.min(...starts)
    const last = end - (end % windowMs) - windowMs
    const expected = new Map<string, string>()
    for (let start = first; start <= last; start += windowMs) {
      const users = this.business.users(start)
      if (users.size === 0) continue
      for (const product of products) {
        expected.set(keyOf(product, start), `${users.get(product) ?? 0}`)
      }
    }
    const found = () =>
      [...this.store.stored]
        .filter(([, { timestamp }]) => timestamp * 1_000 <= last)
        .map(([key, { value }]) => `${key} ${Number(value)}`)
    const wanted = [...expected].map(([key, value]) => `${key} ${value}`).sort()
    await until('all windows are written', () => found().length >= wanted.length)
    assert.deepEqual(found().sort(), wanted)
    const zeros = this.store.requests.flatMap(({ points }) =>
      points.filter(({ value }) => Number(value) === 0),
    )
    for (const one of zeros) assert.equal(expected.get(storedKey(one)) ?? '0', '0', storedKey(one))
    return wanted.length
  }

  async remove(): Promise<void> {
    await this.business.close()
    await this.warden.kill()
    for (const one of [this.store, this.feishu, this.hook]) await one.stop()
    this.home.remove()
  }
}

function lineOf({ kind, group, alerts }: HeardNotification): string {
  const about = alerts.flatMap(({ tags }) => tags.product ?? []).sort()
  const [first] = alerts
  return [kind, group.rule ?? '*', first?.cause ?? group.cause ?? '*', ...about].join(' ')
}

const keyOf = (product: string, start: number): string =>
  storedKey({ metric: `${prefix}loan.count`, tags: { product }, timestamp: start / 1_000 })

function configOf(bootstrap: string, topic: string, store: string) {
  return {
    job: 'incident',
    stateDir: './state',
    sources: {
      orders: {
        type: 'kafka',
        brokers: bootstrap.split(','),
        topics: [topic],
        from: 'earliest',
        watermark: { outOfOrderness: `${outOfOrdernessMs}ms`, idleTimeout: '3s' },
        event: { time: { path: 't', format: 'epoch-ms' }, user: 'user' },
      },
    },
    metrics: {
      loan: {
        window: { size: `${windowMs}ms` },
        allowedLateness: '1m',
        evaluationDelay: `${evaluationDelayMs}ms`,
        dimensions: ['product'],
        dedup: { keep: 'first' },
        aggregates: ['count'],
      },
    },
    sinks: {
      tsdb: {
        type: 'opentsdb',
        url: store,
        prefix,
        batch: { maxAge: '100ms' },
        retry: { initial: '100ms', max: '1s' },
      },
    },
    receivers: {
      bot: { type: 'feishu', url: '${BOT_URL}', secret: '${BOT_SECRET}', keyword },
      hook: { type: 'webhook', url: '${HOOK_URL}' },
    },
    alerts: {
      interval: '1s',
      route: {
        receivers: ['bot', 'hook'],
        groupWait: '0s',
        groupInterval: '1s',
        repeat: { times: 0 },
      },
      rules: {
        dead: { kind: 'zero', metric: 'loan', maxWait: '10s' },
        store: { kind: 'pipeline', signal: 'sink-failing', for: '3s' },
      },
    },
    checkpoint: { interval: '1s', minPause: '100ms' },
    lanes: 1,
  }
}
