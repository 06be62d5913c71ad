import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createTables } from '../../src/app/tables.ts'
import type { Entry } from '../../src/enrich/origin.ts'
import { RedisCache } from '../../src/enrich/redis-cache.ts'
import { RedisClient } from '../../src/enrich/redis-client.ts'
import { type RedisLayout, RedisOrigin } from '../../src/enrich/redis-origin.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { originContract } from '../contract/origin.ts'
import { configOf, configText } from '../support/config-text.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'
import { type RedisService, startRedis } from '../support/redis-service.ts'
import { startTableServer } from '../support/table-server.ts'
import { until } from '../support/until.ts'

const never = new AbortController().signal
let redis: RedisService
let tables = 0

before(async () => {
  redis = await startRedis()
})
after(() => redis.close())

const client = (url = redis.url, password?: string) =>
  new RedisClient({ url, username: undefined, password, connectTimeoutMs: 500 })

async function fill(layout: RedisLayout, entries: Readonly<Record<string, Entry>>): Promise<void> {
  const filler = client()
  const commands = Object.entries(entries).map(([key, entry]) => {
    const text = typeof entry === 'string' ? entry : JSON.stringify(entry)
    return layout.kind === 'hash'
      ? ['HSET', layout.hash, key, text]
      : ['SET', layout.prefix + key, text]
  })
  await filler.sendAll(commands, never)
  await filler.close()
}

const layouts: readonly (() => RedisLayout)[] = [
  () => ({ kind: 'hash', hash: `table[${tables++}]*` }),
  () => ({ kind: 'keys', prefix: `table[${tables++}]*:` }),
]

for (const layout of layouts) {
  originContract(
    `redis (${layout().kind})`,
    async (entries) => {
      const own = layout()
      await fill(own, entries)
      const origin = new RedisOrigin(client(), own)
      return {
        origin,
        takeAway: () => redis.kill(),
        restore: async () => {
          await redis.start()
          await fill(own, entries)
        },
        close: () => origin.close(),
      }
    },
    { all: true },
  )
}

test('a Redis that hangs is given up with the signal, and asked anew when it answers again', async () => {
  const layout: RedisLayout = { kind: 'hash', hash: 'hanging' }
  await fill(layout, { p1: 'cash' })
  const origin = new RedisOrigin(client(), layout)
  await origin.lookup(['p1'], never)
  await redis.freeze()
  const stop = new AbortController()
  const waiting = origin.lookup(['p1'], stop.signal)
  stop.abort(new Error('too long'))
  await assert.rejects(waiting, /too long/)
  redis.thaw()
  assert.equal((await origin.lookup(['p1'], never)).get('p1'), 'cash')
  await origin.close()
})

test('a wrong password, and a key that is no hash, are refused by name', async () => {
  const secured = await startRedis(['--requirepass', 'right'])
  try {
    const layout: RedisLayout = { kind: 'hash', hash: 'h' }
    const wrong = new RedisOrigin(client(secured.url, 'wrong'), layout)
    await assert.rejects(wrong.lookup(['p1'], never), {
      code: 'enrich_refused',
      message: /WRONGPASS/,
    })
    const right = new RedisOrigin(client(secured.url, 'right'), layout)
    assert.equal((await right.lookup(['p1'], never)).size, 0)
    await Promise.all([wrong.close(), right.close()])
  } finally {
    await secured.close()
  }
  await fill({ kind: 'keys', prefix: 'text' }, { '': 'no hash' })
  const origin = new RedisOrigin(client(), { kind: 'hash', hash: 'text' })
  await assert.rejects(origin.lookup(['p1'], never), {
    code: 'enrich_refused',
    message: /WRONGTYPE/,
  })
  await origin.close()
})

test('entries in the cache are shared, and Redis forgets them by itself', async () => {
  const [one, two] = [new RedisCache(client(), 'c:'), new RedisCache(client(), 'c:')]
  const entries = new Map<string, Entry>([
    ['p1', { bizLine: 'cash' }],
    ['p2', 'card'],
  ])
  await one.set(entries, 60_000, never)
  const found = await two.get(['p1', 'p2', 'p3'], never)
  assert.deepEqual({ ...(found.get('p1') as object) }, { bizLine: 'cash' })
  assert.deepEqual([found.get('p2'), found.has('p3')], ['card', false])
  const probe = client()
  const left = Number(await probe.send(['PTTL', 'c:p1'], never))
  assert.ok(left > 0 && left <= 60_000, `${left} ms`)
  await Promise.all([one.close(), two.close(), probe.close()])
})

test('a second process finds in the cache what the first one asked the API for; without the cache both ask', async () => {
  const server = await startTableServer({ p1: { bizLine: 'cash' } })
  const rest = `enrich:
  products: { type: http, url: '${server.url}/batch', cache: { url: '${redis.url}' } }`
  const telemetry = () => ({
    clock: new SystemClock(),
    logger: new RecordingLogger(),
    metrics: new RecordingMetrics(),
  })
  const config = configOf(configText({ rest }))
  const [one, two] = [createTables(config, telemetry()), createTables(config, telemetry())]
  const look = async (tables: typeof one) =>
    (await tables.byName.get('products')?.lookup(['p1', 'p9'], never))?.get('p1')?.kind
  assert.equal(await look(one), 'found')
  await until('the entry is in the cache', async () => {
    const probe = client()
    const held = await probe.send(['EXISTS', 'warden:lending:enrich:products:p1'], never)
    await probe.close()
    return held === 1
  })
  assert.equal(await look(two), 'found')
  assert.deepEqual(server.asked, [['p1', 'p9'], ['p9']])
  await redis.kill()
  const three = createTables(config, telemetry())
  assert.equal(await look(three), 'found')
  assert.equal(server.asked.length, 3)
  await redis.start()
  await Promise.all([one.stop(), two.stop(), three.stop(), server.close()])
})
