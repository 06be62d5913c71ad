import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createClient } from '@redis/client'
import { startThreadLanes } from '../../src/app/thread-lane.ts'
import { durationMs } from '../../src/core/time.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { pointKey } from '../e2e/read-opentsdb.ts'
import { readPointFile } from '../e2e/read-point-file.ts'
import { eventPlan, metricPlan } from '../support/lane-rig.ts'
import { PipelineRig } from '../support/pipeline-rig.ts'
import { type RedisService, startRedis } from '../support/redis-service.ts'
import { ScriptedLog } from '../support/scripted-source.ts'
import { until } from '../support/until.ts'
import { totalOf, WardenHome, type WardenProcess } from '../support/warden-process.ts'

const files = 3
const hourMs = 3_600_000
const begin = Date.UTC(2026, 0, 5)

interface Event {
  readonly t: number
  readonly user: string
  readonly product: string
}

let redis: RedisService
before(async () => {
  redis = await startRedis()
})
after(async () => {
  await redis.close()
})

function config(interval: string) {
  return {
    job: 'claims',
    stateDir: './state',
    sources: {
      events: {
        type: 'file',
        path: ['events-*.jsonl'],
        follow: true,
        partitionPerFile: true,
        watermark: { outOfOrderness: '20s', idleTimeout: '1h' },
        event: { time: { path: 't', format: 'epoch-ms' }, user: 'user' },
      },
    },
    metrics: {
      loan: {
        window: { size: '1h' },
        // Nobody is late here, however the files are interleaved.
        allowedLateness: '3h',
        dimensions: ['product'],
        dedup: {
          keep: 'first',
          backend: { type: 'redis', url: redis.url, timeout: '500ms', cacheKeys: 64 },
        },
        zeroFill: { enabled: false },
        aggregates: ['count', 'events'],
      },
    },
    sinks: { out: { type: 'file', path: './points.jsonl' } },
    deadLetters: { type: 'file', path: './dead.jsonl' },
    lateEvents: { type: 'file', path: './late.jsonl' },
    checkpoint: { interval, minPause: '100ms', timeout: '30s', toleratedFailures: 0 },
    log: { level: 'debug' },
  }
}

/** Events of two hours; each user comes about six times, in any of the files. */
const events: readonly Event[] = Array.from({ length: 4_000 }, (_, index) => ({
  t: begin + Math.floor((index / 4_000) * 2 * hourMs),
  user: `u${(index * 7_919) % 613}`,
  product: index % 3 === 0 ? 'cash' : 'card',
}))

function write(home: WardenHome, some: readonly Event[]): void {
  for (let file = 0; file < files; file++) {
    const own = some.filter((_, index) => index % files === file)
    const text = own.map((event) => `${JSON.stringify(event)}\n`).join('')
    appendFileSync(home.path(`events-${file}.jsonl`), text)
  }
}

async function untilCounted(warden: WardenProcess, rows: number): Promise<void> {
  await until(`${rows} rows are counted`, async () => {
    const figures = await warden.metrics()
    return totalOf(figures, 'warden_rows_total') === rows
  })
}

/** Points of the two hours, by `pointKey`. */
function expected(): Map<string, number> {
  const users = new Map<string, Set<string>>()
  const points = new Map<string, number>()
  for (const { t, user, product } of events) {
    const start = Math.floor(t / hourMs) * 3_600
    const count = pointKey('warden.loan.count', { product }, start)
    const all = pointKey('warden.loan.events', { product }, start)
    const seen = (users.get(count) ?? new Set()).add(user)
    users.set(count, seen)
    points.set(count, seen.size)
    points.set(all, (points.get(all) ?? 0) + 1)
  }
  return points
}

test('two threads whose users are in both of their files count each once by claims in a Redis, and exchange no rows', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'warden-claims-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const users = new Map<string, Set<number>>()
  const paths = [0, 1].map((file) => {
    const lines = Array.from({ length: 6_000 }, (_, n) => {
      const user = (n * 7_919 + file * 31) % 997
      const key = `loan.count p${n % 3} ${Math.floor((10_000 + n) / 1_000)}`
      users.set(key, (users.get(key) ?? new Set()).add(user))
      return `{"t":${10_000 + n},"u":${user},"product":"p${n % 3}","o":"success"}\n`
    })
    const path = join(directory, `${file}.jsonl`)
    writeFileSync(path, lines.join(''))
    return path
  })
  const metrics = [
    metricPlan({
      keep: 'first',
      values: [],
      allowedLateness: durationMs(1_000_000),
      backend: { type: 'redis', cacheKeys: 1_000 },
    }),
  ]
  const server = {
    url: redis.url,
    username: undefined,
    password: undefined,
    timeoutMs: durationMs(5_000),
  }
  const layout = { lanes: 2, shuffled: true, partitions: undefined }
  const rig = new PipelineRig(new ScriptedLog())
  const telemetry = { clock: new SystemClock(), logger: rig.logger, metrics: rig.metrics }
  const links = startThreadLanes(
    paths.map((path, lane) => ({
      source: {
        type: 'file',
        options: { name: 'orders', paths: [path], follow: false, partitionPerFile: true },
      },
      place: { ...layout, lane },
      plan: eventPlan(),
      metrics,
      hashKey: new Uint8Array(16),
      dedup: new Map([['loan', { job: 'threads', cacheKeys: 1_000, server }]]),
    })),
    telemetry,
  )
  t.after(() => Promise.all(links.map((link) => link.close())))
  const built = (
    await rig.build({ metrics, lanes: { links, layout }, outboxBytes: 2 ** 24 })
  ).start()
  await until('the files are read', async () => {
    await rig.pass(100)
    return built.outcome !== undefined
  })
  assert.equal(built.outcome, 'ended')
  assert.deepEqual(rig.stored(), new Map([...users].map(([key, { size }]) => [key, size])))
})

test('users claimed in a Redis count once, over a kill -9 between claim and checkpoint and an outage of the Redis', async () => {
  const home = new WardenHome(config('1h'))
  const client = createClient({ url: redis.url })
  client.on('error', () => {})
  await client.connect()
  try {
    for (let file = 0; file < files; file++) writeFileSync(home.path(`events-${file}.jsonl`), '')
    const half = events.slice(0, 2_000)
    write(home, half)

    const first = home.run()
    await untilCounted(first, half.length)
    assert.ok((await client.dbSize()) > 0, 'users are claimed')
    await first.kill()

    home.change(config('200ms'))
    const second = home.run()
    await untilCounted(second, half.length)

    await redis.freeze()
    write(home, events.slice(2_000))
    await second.until('it says that it waits', ({ msg }) => msg.includes('is away'))
    await until('the metric says that the Redis is away', async () => {
      const figures = await second.metrics()
      return totalOf(figures, 'warden_dedup_backend_up') === 0
    })
    const before = second.lines.filter(({ msg }) => msg === 'checkpoint durable').length
    await until('checkpoints go on meanwhile', () => {
      return second.lines.filter(({ msg }) => msg === 'checkpoint durable').length >= before + 5
    })
    assert.equal(totalOf(await second.metrics(), 'warden_rows_total'), half.length)
    await redis.thaw()
    await untilCounted(second, events.length)

    // Long after: everything fires, and is gone.
    const late = Array.from({ length: files }, () => ({
      t: begin + 12 * hourMs,
      user: 'last',
      product: 'cash',
    }))
    write(home, late)
    await until('past windows are gone from the Redis', async () => {
      const keys = await client.keys('warden:claims:*')
      return keys.length === 1 && keys[0]?.startsWith(`warden:claims:loan:${begin + 12 * hourMs}:`)
    })
    await second.stop()
    assert.deepEqual(readPointFile(home.path('points.jsonl')), expected())
  } finally {
    client.destroy()
    home.remove()
  }
})
