import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LRUCache } from 'lru-cache'
import { WardenError } from '../../../src/core/errors.ts'
import { durationMs } from '../../../src/core/time.ts'
import type { Answer } from '../../../src/enrich/key-table.ts'
import {
  KeyedTable,
  type KeyedTableOptions,
  type Remembered,
} from '../../../src/enrich/keyed-table.ts'
import type { Entry, EntryCache } from '../../../src/enrich/origin.ts'
import { FakeOrigin } from '../../support/fake-origin.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { settle, VirtualClock } from '../../support/virtual-clock.ts'

const never = new AbortController().signal
const away = () => Promise.reject(new WardenError('enrich_unreachable', 'away'))

function rig(options: Partial<KeyedTableOptions> = {}, cache?: EntryCache) {
  const telemetry = {
    clock: new VirtualClock(),
    logger: new RecordingLogger(),
    metrics: new RecordingMetrics(),
  }
  const origin = new FakeOrigin()
  const memory = new LRUCache<string, Remembered>({ max: 100 })
  const table = new KeyedTable(
    { origin, cache, memory, random: () => 0.5 },
    {
      name: 'products',
      refreshMs: durationMs(60_000),
      expireMs: durationMs(3_600_000),
      missingForMs: durationMs(30_000),
      timeoutMs: durationMs(1_000),
      batchKeys: 2,
      concurrency: 2,
      onOutage: 'wait',
      preload: 0,
      ...options,
    },
    telemetry,
  )
  return { table, origin, ...telemetry }
}

const shown = (answers: ReadonlyMap<string, Answer>) =>
  Object.fromEntries(
    [...answers].map(([key, one]) => [key, one.kind === 'found' ? one.entry : one.kind]),
  )

test('keys are asked in batches, once however many ask at the same time, and then not again', async () => {
  const { table, origin, metrics } = rig()
  const [one, two] = await Promise.all([
    table.lookup(['p1', 'p2', 'p3'], never),
    table.lookup(['p3', 'p1'], never),
  ])
  assert.deepEqual(shown(one), { p1: 'cash', p2: 'card', p3: 'missing' })
  assert.deepEqual(shown(two), { p1: 'cash', p3: 'missing' })
  assert.deepEqual(origin.asked, [['p1', 'p2'], ['p3']])
  await table.lookup(['p1', 'p3'], never)
  assert.equal(origin.asked.length, 2)
  const looked = (level: string, result: string) =>
    metrics.value('warden_enrich_lookups_total', { enrich: 'products', level, result })
  assert.equal(looked('origin', 'found'), 2)
  assert.equal(looked('origin', 'missing'), 1)
  assert.equal(looked('memory', 'found'), 1)
})

test('a key without an entry is asked for again after missingFor, one with an entry after expire', async () => {
  const { table, origin, clock } = rig()
  await table.lookup(['p1', 'p3'], never)
  origin.entries = { p1: 'loans', p3: 'new' }
  await clock.advance(29_999)
  assert.deepEqual(shown(await table.lookup(['p1', 'p3'], never)), { p1: 'cash', p3: 'missing' })
  await clock.advance(1)
  assert.deepEqual(shown(await table.lookup(['p1', 'p3'], never)), { p1: 'cash', p3: 'new' })
  await clock.advance(3_600_000)
  assert.deepEqual(shown(await table.lookup(['p1'], never)), { p1: 'loans' })
})

test('what was used is refreshed in the background; while the origin is away the old values hold', async () => {
  const { table, origin, clock, metrics } = rig()
  table.start()
  await table.lookup(['p1', 'p2'], never)
  origin.entries = { p1: 'loans' }
  await clock.advance(60_000)
  assert.deepEqual(shown(await table.lookup(['p1', 'p2'], never)), { p1: 'loans', p2: 'missing' })
  origin.away = true
  await clock.advance(60_000)
  assert.deepEqual(shown(await table.lookup(['p1'], never)), { p1: 'loans' })
  assert.match(table.health().trouble ?? '', /away/)
  assert.equal(metrics.value('warden_enrich_up', { enrich: 'products' }), 0)
  assert.equal(metrics.value('warden_enrich_age_seconds', { enrich: 'products' }), 60)
  await table.stop()
  assert.equal(clock.pendingTimers(), 0)
})

test('wait: an outage, or an origin that hangs, is waited for, and nothing is unknown', async () => {
  const { table, origin, clock, logger } = rig()
  origin.hangs = true
  let answers: ReadonlyMap<string, Answer> | undefined
  const waiting = table.lookup(['p1'], never).then((one) => {
    answers = one
  })
  await clock.advance(1_000)
  origin.hangs = false
  origin.away = true
  await clock.advance(600_000)
  assert.equal(answers, undefined)
  assert.equal(logger.lines.filter(({ level }) => level === 'warn').length, 1)
  origin.away = false
  await clock.advance(5_000)
  await waiting
  assert.deepEqual(shown(answers ?? new Map()), { p1: 'cash' })
  assert.equal(table.health().trouble, undefined)
})

test('unknown: an outage is one timeout, and until it is time to ask again new keys are away at once', async () => {
  const { table, origin, clock } = rig({ onOutage: 'unknown' })
  await table.lookup(['p1'], never)
  origin.hangs = true
  const first = table.lookup(['p1', 'p2'], never)
  await clock.advance(1_000)
  assert.deepEqual(shown(await first), { p1: 'cash', p2: 'away' })
  const asked = origin.asked.length
  assert.deepEqual(shown(await table.lookup(['p3'], never)), { p3: 'away' })
  assert.equal(origin.asked.length, asked)
  origin.hangs = false
  await clock.advance(5_000)
  assert.deepEqual(shown(await table.lookup(['p2'], never)), { p2: 'card' })
})

test('a wait ends when its signal does, and others that wait for the same key are still answered', async () => {
  const { table, origin, clock } = rig()
  origin.hangs = true
  const stop = new AbortController()
  const stopped = table.lookup(['p1'], stop.signal)
  await settle()
  const other = table.lookup(['p1'], never)
  await settle()
  origin.hangs = false
  stop.abort(new Error('stop'))
  await assert.rejects(stopped, /stop/)
  await clock.advance(1)
  assert.deepEqual(shown(await other), { p1: 'cash' })
})

test('what no waiting cures is not waited for', async () => {
  const { table, origin } = rig()
  origin.refuses = true
  await assert.rejects(table.lookup(['p1'], never), { code: 'enrich_refused' })
})

test('three levels: memory, then the cache, then the origin, whose answers go up', async () => {
  const held = new Map<string, Entry>([['p1', 'cached']])
  let isAway = false
  const cache: EntryCache = {
    get: (keys) =>
      isAway ? away() : Promise.resolve(new Map([...held].filter(([key]) => keys.includes(key)))),
    set: (entries) => {
      for (const [key, entry] of entries) held.set(key, entry)
      return Promise.resolve()
    },
    close: () => Promise.resolve(),
  }
  const { table, origin, metrics } = rig({}, cache)
  assert.deepEqual(shown(await table.lookup(['p1', 'p2'], never)), { p1: 'cached', p2: 'card' })
  assert.deepEqual(origin.asked, [['p2']])
  assert.equal(held.get('p2'), 'card')
  isAway = true
  assert.deepEqual(shown(await table.lookup(['p1', 'p3'], never)), { p1: 'cached', p3: 'missing' })
  const labels = { enrich: 'products', level: 'cache', result: 'failed' }
  assert.equal(metrics.value('warden_enrich_lookups_total', labels), 1)
})

test('what is read ahead is there before anybody asks', async () => {
  const { table, origin } = rig({ preload: 10 })
  table.start()
  assert.deepEqual(shown(await table.lookup(['p1', 'p2'], never)), { p1: 'cash', p2: 'card' })
  assert.deepEqual(origin.asked, [])
  await table.stop()
})

test('an origin that is away while it should be read ahead is asked when it is needed', async () => {
  const { table, origin, clock } = rig({ preload: 10 })
  origin.away = true
  table.start()
  await settle()
  const waiting = table.lookup(['p1'], never)
  await settle()
  origin.away = false
  await clock.advance(5_000)
  assert.deepEqual(shown(await waiting), { p1: 'cash' })
  await table.stop()
})
