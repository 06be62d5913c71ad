import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { durationMs } from '../../src/core/time.ts'
import type { KeyClaims } from '../../src/dedup/dedup-store.ts'
import { FIRST } from '../../src/dedup/fingerprint-table.ts'
import { RedisClaimServer, type RedisOptions } from '../../src/dedup/shared/redis-claim-server.ts'
import { SharedDedup } from '../../src/dedup/shared/shared-dedup.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { type DedupSubject, dedupStoreContract } from '../contract/dedup-store.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'
import { type RedisService, startRedis } from '../support/redis-service.ts'
import { until } from '../support/until.ts'

const never = new AbortController().signal
const telemetry = () => ({
  clock: new SystemClock(),
  logger: new RecordingLogger(),
  metrics: new RecordingMetrics(),
})
const opened: RedisClaimServer[] = []
let redis: RedisService
let jobs = 0

before(async () => {
  redis = await startRedis()
})
after(async () => {
  await Promise.all(opened.map((one) => one.close()))
  await redis.close()
})

function server(options: Partial<RedisOptions> = {}, logger = new RecordingLogger()) {
  const { url } = redis
  const defaults = { url, username: undefined, password: undefined, timeoutMs: durationMs(500) }
  const made = new RedisClaimServer({ ...defaults, ...options }, logger)
  opened.push(made)
  return made
}

interface Subject extends DedupSubject {
  readonly job: string
  readonly dedup: SharedDedup
}

function subject(job = `job${jobs++}`, cacheKeys = 64, of = telemetry()): Subject {
  const dedup = new SharedDedup(server(), { job, metric: 'm', cacheKeys }, of, Math.random)
  const stores = new Map<number, ReturnType<SharedDedup['storeOf']>>()
  return {
    job,
    dedup,
    prepare: (claims) => dedup.prepare(claims, never),
    storeOf(slice) {
      const store = stores.get(slice) ?? dedup.storeOf()
      stores.set(slice, store)
      return store
    },
  }
}

dedupStoreContract('redis', {
  open: (previous) => subject((previous as Subject | undefined)?.job),
  external: true,
  runs: 15,
})

const batch = (users: readonly number[], from: number, partitionHash = 1): KeyClaims => ({
  length: users.length,
  partitionHash,
  offset: Float64Array.from(users, (_, index) => from + index),
  high: Uint32Array.from(users, (user) => user << 24),
  low: Uint32Array.from(users),
  slice: new Float64Array(users.length),
})
const firsts = (of: Subject, claims: KeyClaims) =>
  Array.from(
    { length: claims.length },
    (_, row) => of.storeOf(0).offer(0, 0, 0, 0, 0, [], row) === FIRST,
  )

test('a batch waits while Redis is killed, frozen or starting, and no user is lost or counted twice', async () => {
  const recorded = telemetry()
  const mine = subject('outage', 0, recorded)
  await mine.dedup.prepare(batch([1, 2], 0), never)
  await redis.freeze()
  let done = false
  const frozen = mine.dedup.prepare(batch([2, 3], 2), never).then(() => {
    done = true
  })
  await until('the wait is said', () =>
    recorded.logger.lines.some(({ message }) => message.includes('is away')),
  )
  assert.equal(done, false)
  redis.thaw()
  await frozen
  assert.deepEqual(firsts(mine, batch([2, 3], 2)), [false, true])
})

test('a Redis that comes back empty is asked on, and the cache in front still knows the users it saw', async () => {
  const mine = subject('emptied')
  await mine.dedup.prepare(batch([1, 2], 0), never)
  await redis.kill()
  const waiting = mine.dedup.prepare(batch([2, 3], 2), never)
  await redis.start()
  await waiting
  assert.deepEqual(firsts(mine, batch([2, 3], 2)), [false, true])
})

test('a wait for Redis ends when the job is stopped', async () => {
  const mine = subject('stopped')
  await redis.kill()
  const stop = new AbortController()
  const waiting = mine.dedup.prepare(batch([1], 0), stop.signal)
  stop.abort(new Error('stop'))
  await assert.rejects(waiting, /stop/)
  await redis.start()
})

test('two Wardens with one job name share their users, whoever comes first', async () => {
  const [one, two] = [subject('shared'), subject('shared')]
  await one.dedup.prepare(batch([1, 2], 0, 1), never)
  await two.dedup.prepare(batch([2, 3], 0, 2), never)
  assert.deepEqual(firsts(two, batch([2, 3], 0, 2)), [false, true])
})

test('keys of a slice that is dropped are gone from Redis, all of them', async () => {
  const mine = subject('dropped')
  await mine.dedup.prepare(batch([1, 2, 200], 0), never)
  await mine.dedup.drop([0])
  const next = subject('dropped')
  await next.dedup.prepare(batch([1, 2, 200], 9), never)
  assert.deepEqual(firsts(next, batch([1, 2, 200], 9)), [true, true, true])
})

test('a wrong password is refused by name, not waited for', async () => {
  const secured = await startRedis(['--requirepass', 'right'])
  try {
    const wrong = server({ url: secured.url, password: 'wrong' })
    await assert.rejects(wrong.claim('b', ['f'], ['v']), {
      code: 'dedup_refused',
      message: /WRONGPASS/,
    })
    const right = server({ url: secured.url, password: 'right' })
    assert.deepEqual(await right.claim('b', ['f'], ['v']), ['v'])
  } finally {
    await secured.close()
  }
})

test('a full Redis is waited for, and one that evicts keys is warned of', async () => {
  const full = await startRedis(['--maxmemory', '1500kb', '--maxmemory-policy', 'noeviction'])
  const evicting = await startRedis(['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'])
  try {
    const words = Array.from({ length: 500 }, (_, index) => `${index}-${'x'.repeat(200)}`)
    const filling = async () => {
      const one = server({ url: full.url })
      for (let bucket = 0; bucket < 100; bucket++) await one.claim(`b${bucket}`, words, words)
    }
    await assert.rejects(filling(), { code: 'dedup_unreachable', message: /OOM/ })
    const logger = new RecordingLogger()
    await server({ url: evicting.url }, logger).claim('b', ['f'], ['v'])
    assert.match(logger.lines[0]?.message ?? '', /evicts keys/)
  } finally {
    await full.close()
    await evicting.close()
  }
})
