import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { durationMs } from '../../../src/core/time.ts'
import { LmdbPointStore } from '../../../src/store/lmdb-point-store.ts'
import { UNVERSIONED } from '../../../src/store/point-columns.ts'
import type { StorePoint } from '../../../src/store/point-store.ts'
import { StoreUpkeep, type UpkeepOptions } from '../../../src/store/store-upkeep.ts'
import { RecordingLogger } from '../../support/recording-logger.ts'
import { RecordingMetrics } from '../../support/recording-metrics.ts'
import { VirtualClock } from '../../support/virtual-clock.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const START = 1_795_132_800_000

const point = (host: string, hour: number): StorePoint => ({
  metric: 'm',
  tags: { host },
  timeMs: START + hour * HOUR_MS,
  value: hour + 0.1,
  integer: false,
  incarnation: UNVERSIONED,
  revision: 0,
})

const hours = (host: string, from: number, to: number): StorePoint[] =>
  Array.from({ length: to - from }, (_, at) => point(host, from + at))

describe('the upkeep of the store', () => {
  let directory: string
  let store: LmdbPointStore
  const logger = new RecordingLogger()
  const upkeep = (nowHour: number, options: Partial<UpkeepOptions>) => {
    const metrics = new RecordingMetrics()
    const clock = new VirtualClock(START + nowHour * HOUR_MS)
    const bounds = { retentionMs: undefined, maxBytes: undefined, ...options }
    const kept = new StoreUpkeep(store, bounds, { clock, logger, metrics })
    return { kept, metrics, clock }
  }
  const timesOf = (host: string): number[] => {
    const id = store.index.find('m', [['host', host]])?.id ?? 0
    const { times, length } = store.readPoints(id, 0, Number.MAX_SAFE_INTEGER)
    return Array.from(times.subarray(0, length), (ms) => (ms - START) / HOUR_MS)
  }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'warden-upkeep-'))
    store = new LmdbPointStore(directory)
  })
  afterEach(async () => {
    await store.close()
    await rm(directory, { recursive: true, force: true })
  })

  it('points beyond the retention are gone, the others are all there', async () => {
    await store.write(hours('a', 0, 3_000))
    const { kept, metrics } = upkeep(3_000, { retentionMs: durationMs(50 * DAY_MS) })
    await kept.round()
    assert.deepEqual(
      timesOf('a'),
      Array.from({ length: 1_200 }, (_, at) => 1_800 + at),
    )
    const dropped = metrics.value('warden_store_dropped_points_total', { reason: 'age' }) ?? 0
    assert.ok(dropped > 1_650 && dropped <= 1_800, `${dropped} points dropped`)
  })

  it('a dropped point stays away after a restart, before its row is written anew', async () => {
    await store.write(hours('a', 0, 100))
    await store.dropBefore(START + 3 * HOUR_MS)
    await store.close()
    store = new LmdbPointStore(directory)
    assert.equal(timesOf('a')[0], 3)
  })

  it('a series of which nothing is left is forgotten, and is a new one when it comes back', async () => {
    await store.write([...hours('old', 0, 80), ...hours('new', 900, 1_000)])
    const { kept } = upkeep(1_000, { retentionMs: durationMs(10 * DAY_MS) })
    await kept.round()
    assert.deepEqual(
      store.index.ofMetric('m').map(({ tags }) => tags.get('host')),
      ['new'],
    )
    await store.write([point('old', 999)])
    assert.deepEqual(timesOf('old'), [999])
    await store.close()
    store = new LmdbPointStore(directory)
    assert.deepEqual(timesOf('old'), [999])
    assert.equal(store.index.size, 2)
  })

  it('notes go with the points of their time', async () => {
    await store.write(hours('a', 0, 10))
    const note = { tsuid: '', endTime: 0, description: 'x', notes: '' }
    await store.putAnnotation({ ...note, startTime: START / 1_000 })
    await store.putAnnotation({ ...note, startTime: START / 1_000 + 8 * 3_600 })
    await store.dropBefore(START + 5 * HOUR_MS)
    const found = store.annotations('', 0, Number.MAX_SAFE_INTEGER)
    assert.deepEqual(
      found.map(({ startTime }) => startTime),
      [START / 1_000 + 8 * 3_600],
    )
  })

  it('a store beyond its size loses its oldest points until it is within', async () => {
    for (const host of ['a', 'b', 'c', 'd']) await store.write(hours(host, 0, 20_000))
    const before = store.usedBytes()
    const maxBytes = Math.round(before / 2)
    const { kept, metrics } = upkeep(20_000, { maxBytes })
    await kept.round()
    assert.ok(store.usedBytes() <= maxBytes, `${store.usedBytes()} of ${maxBytes} bytes`)
    assert.ok(store.usedBytes() > maxBytes * 0.7, `${store.usedBytes()} is much less than asked`)
    assert.equal(timesOf('a').at(-1), 19_999)
    assert.equal(timesOf('a').length, timesOf('d').length)
    assert.ok(metrics.total('warden_store_dropped_points_total') > 30_000)
    assert.equal(metrics.value('warden_store_bytes'), store.usedBytes())
  })

  it('a store within its size loses nothing', async () => {
    await store.write(hours('a', 0, 2_000))
    const { kept, metrics } = upkeep(2_000, { maxBytes: 2 ** 24 })
    await kept.round()
    assert.equal(timesOf('a').length, 2_000)
    assert.equal(metrics.total('warden_store_dropped_points_total'), 0)
  })

  it('rows left half full by late points are put together, with the same points', async () => {
    // Every second hour first, then the hours between: each row is halved again and again.
    for (const odd of [0, 1]) {
      for (let from = 0; from < 4_000; from += 250) {
        await store.write(hours('a', from, from + 250).filter((_, at) => at % 2 === odd))
      }
    }
    const before = timesOf('a')
    const used = store.usedBytes()
    assert.ok((await store.compact(START + 4_000 * HOUR_MS)) > 0)
    assert.deepEqual(timesOf('a'), before)
    assert.ok(store.usedBytes() < used)
    assert.equal(await store.compact(START + 4_000 * HOUR_MS), 0)
  })

  it('a failed round is counted and tried again', async () => {
    await store.write(hours('a', 0, 100))
    const { kept, metrics, clock } = upkeep(1_000, { retentionMs: durationMs(DAY_MS) })
    const drop = store.dropBefore.bind(store)
    store.dropBefore = () => Promise.reject(new Error('the disk is full'))
    kept.start()
    while (metrics.total('warden_store_upkeep_failures_total') === 0) await clock.advance(1_000)
    store.dropBefore = drop
    while (store.index.size > 0) await clock.advance(60_000)
    await kept.stop()
  })

  it('a backup taken while points come holds those that were acknowledged before', async () => {
    await store.write(hours('a', 0, 5_000))
    const copy = join(directory, 'copy')
    await (await import('node:fs/promises')).mkdir(copy)
    const writing = store.write(hours('a', 5_000, 6_000))
    await store.backup(join(copy, 'points.mdb'))
    await writing
    const restored = new LmdbPointStore(copy)
    const id = restored.index.find('m', [['host', 'a']])?.id ?? 0
    const { length } = restored.readPoints(id, 0, Number.MAX_SAFE_INTEGER)
    await restored.close()
    assert.ok(length === 5_000 || length === 6_000, `${length} points`)
  })
})
