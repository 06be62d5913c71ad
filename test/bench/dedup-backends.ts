/**
 * Every dedup backend, and the packages that could have been one, in one process: ns an operation and bytes a key.
 *   node --expose-gc --import tsx test/bench/dedup-backends.ts [--keys 1000000] [--peers DIR] [--redis]
 * `--peers DIR`: a directory with node_modules of bloom-filters, lru-cache, mnemonist, roaring, roaring-wasm
 * (npm install --prefix DIR bloom-filters@3.0.4 lru-cache mnemonist roaring roaring-wasm). `--redis`: starts a Redis.
 * Half of the operations are new keys, half known ones in another order; packages that are slow get fewer keys, said in the row.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { durationMs } from '../../src/core/time.ts'
import { BitmapStore } from '../../src/dedup/bitmap/bitmap-store.ts'
import { RoaringBitmap } from '../../src/dedup/bitmap/roaring-bitmap.ts'
import { BloomStore } from '../../src/dedup/bloom/bloom-store.ts'
import { DistinctCounter } from '../../src/dedup/distinct/distinct-counter.ts'
import { FingerprintTable } from '../../src/dedup/fingerprint-table.ts'
import { HorizonTable } from '../../src/dedup/horizon/horizon-table.ts'
import { PositionCache } from '../../src/dedup/shared/position-cache.ts'
import { RedisClaimServer } from '../../src/dedup/shared/redis-claim-server.ts'
import { SharedDedup } from '../../src/dedup/shared/shared-dedup.ts'
import { SystemClock } from '../../src/system-clock.ts'
import { RecordingLogger } from '../support/recording-logger.ts'
import { RecordingMetrics } from '../support/recording-metrics.ts'
import { startRedis } from '../support/redis-service.ts'

const { values: options } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    peers: { type: 'string' },
    redis: { type: 'boolean', default: false },
  },
})
const keys = Number(options.keys)

const mix = (value: number, seed: number): number => {
  let hash = Math.imul(value ^ seed, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
const high = Uint32Array.from({ length: keys }, (_, key) => mix(key, 0x1234567))
const low = Uint32Array.from({ length: keys }, (_, key) => mix(key, 0x7654321))
const order = Uint32Array.from({ length: keys }, (_, key) => key)
for (let at = keys - 1; at > 0; at--) {
  const other = mix(at, 99) % (at + 1)
  const kept = order[at] as number
  order[at] = order[other] as number
  order[other] = kept
}

interface Candidate {
  readonly name: string
  readonly offer: (key: number) => unknown
  readonly bytes?: () => number
  readonly note?: () => string
  /** Keys it gets; default all. */
  readonly keys?: number
}

console.log(`| what | keys | new, ns | known, ns | B/key | |`)
console.log(`|---|---:|---:|---:|---:|---|`)

function measure({ name, offer, bytes, note, keys: count = keys }: Candidate): void {
  globalThis.gc?.()
  const { heapUsed: before, arrayBuffers: buffersBefore } = process.memoryUsage()
  const fresh = nsPerKey(count, (index) => offer(index))
  const known = nsPerKey(count, (index) => offer((order[index] as number) % count))
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  const size = bytes?.() ?? heapUsed + arrayBuffers - before - buffersBefore
  const row = [name, count, fresh, known, (size / count).toFixed(1), note?.() ?? '']
  console.log(`| ${row.join(' | ')} |`)
}

function nsPerKey(count: number, run: (index: number) => void): number {
  const { user, system } = process.cpuUsage()
  for (let index = 0; index < count; index++) run(index)
  const used = process.cpuUsage()
  return Math.round(((used.user + used.system - user - system) * 1000) / count)
}

const hourMs = 3_600_000
const exact = new FingerprintTable('best', 0)
measure({
  name: 'exact, keep best',
  offer: (key) => exact.offer(high[key] as number, low[key] as number, 1, 0, 0, [], 0),
  bytes: () => exact.bytes,
})
const timed = new FingerprintTable('first', 0)
measure({
  name: 'exact, keep first (with winner’s time)',
  offer: (key) => timed.offer(high[key] as number, low[key] as number, 1, key, key, [], 0),
  bytes: () => timed.bytes,
})
for (const falsePositives of [0.01, 0.001]) {
  const bloom = new BloomStore({ keys, falsePositives })
  let missed = -keys
  measure({
    name: `bloom, ${falsePositives * 100} %`,
    offer: (key) => {
      if (bloom.offer(high[key] as number, low[key] as number) < 0) missed++
      if (key % 100_000 === 0) bloom.takeChanges()
    },
    bytes: () => bloom.bytes,
    note: () =>
      `missed ${((missed / keys) * 100).toFixed(3)} %, measured ${((bloom.measuredFalsePositives ?? 0) * 100).toFixed(3)} %`,
  })
}
const bitmap = new BitmapStore()
measure({
  name: 'bitmap, dense users',
  offer: (key) => {
    bitmap.offer(1, key)
    if (key % 100_000 === 0) bitmap.takeChanges()
  },
  bytes: () => bitmap.bytes,
})
const sparse = new RoaringBitmap()
measure({
  name: 'bitmap, users spread over 32 bits',
  offer: (key) => sparse.add(high[key] as number),
  bytes: () => sparse.bytes,
})
const distinct = new DistinctCounter(14)
measure({
  name: 'hyperloglog, 1 % (distinct users)',
  offer: (key) => {
    distinct.add(0, high[key] as number, low[key] as number)
    if (key % 100_000 === 0) distinct.takeChanges()
  },
  bytes: () => distinct.bytes,
  note: () => `off by ${((distinct.size / keys - 1) * 100).toFixed(2)} %`,
})
const horizon = new HorizonTable(7 * 24 * hourMs)
measure({
  name: 'horizon of 7 d, users spread over it',
  offer: (key) =>
    horizon.offer(high[key] as number, low[key] as number, ((key % 1000) / 1000) * 7 * 24 * hourMs),
  bytes: () => horizon.bytes,
})
const cache = new PositionCache(keys)
const position = { partition: 1, offset: 1 }
measure({
  name: 'cache in front (set-associative LRU)',
  offer: (key) => {
    if (!cache.find(high[key] as number, low[key] as number, 0, position))
      cache.set(high[key] as number, low[key] as number, 0, position)
  },
  bytes: () => cache.bytes,
})
const map = new Map<string, number>()
measure({
  name: 'the same as a Map in order of use, text keys',
  offer: (key) => {
    const text = `${high[key]}.${low[key]}`
    const found = map.get(text)
    if (found !== undefined) map.delete(text)
    map.set(text, found ?? key)
    if (map.size > keys) map.delete(map.keys().next().value ?? '')
  },
})

if (options.peers !== undefined) peers(createRequire(join(options.peers, 'package.json')))
if (options.redis) await redis()

function peers(load: NodeJS.Require): void {
  const { LRUCache } = load('lru-cache') as {
    LRUCache: new (o: { max: number }) => Map<string, number>
  }
  const lru = new LRUCache({ max: keys })
  measure({
    name: 'lru-cache, text keys',
    offer: (key) => {
      const text = `${high[key]}.${low[key]}`
      if (lru.get(text) === undefined) lru.set(text, key)
    },
  })
  const { LRUMap } = load('mnemonist') as { LRUMap: new (size: number) => Map<string, number> }
  const mnemonist = new LRUMap(keys)
  measure({
    name: 'mnemonist LRUMap, text keys',
    offer: (key) => {
      const text = `${high[key]}.${low[key]}`
      if (mnemonist.get(text) === undefined) mnemonist.set(text, key)
    },
  })
  const { BloomFilter, HyperLogLog } = load('bloom-filters') as {
    BloomFilter: {
      create(n: number, rate: number): { has(k: string): boolean; add(k: string): void }
    }
    HyperLogLog: new (registers: number) => { update(k: string): void; count(): number }
  }
  const few = Math.min(keys, 50_000)
  const filter = BloomFilter.create(few, 0.01)
  measure({
    name: 'bloom-filters BloomFilter, 1 %',
    keys: few,
    offer: (key) => {
      const text = `${high[key]}.${low[key]}`
      if (!filter.has(text)) filter.add(text)
    },
  })
  const sketch = new HyperLogLog(2 ** 14)
  measure({
    name: 'bloom-filters HyperLogLog, 2^14',
    keys: Math.min(keys, 5_000),
    offer: (key) => sketch.update(`${high[key]}.${low[key]}`),
    note: () => `off by ${((sketch.count() / Math.min(keys, 5_000) - 1) * 100).toFixed(2)} %`,
  })
  interface Bitmap {
    tryAdd(value: number): boolean
  }
  for (const name of ['roaring', 'roaring-wasm']) {
    try {
      const { RoaringBitmap32 } = load(name) as { RoaringBitmap32: new () => Bitmap }
      for (const spread of [false, true]) {
        const set = new RoaringBitmap32()
        measure({
          name: `${name}, ${spread ? 'users spread over 32 bits' : 'dense users'}`,
          offer: (key) => set.tryAdd(spread ? (high[key] as number) : key),
          note: () => 'memory outside the heap',
        })
      }
    } catch (error) {
      console.log(`| ${name} | – | – | – | – | ${String(error).split('\n')[0]} |`)
    }
  }
}

async function redis(): Promise<void> {
  const service = await startRedis()
  const { url } = service
  const timeoutMs = durationMs(5_000)
  const server = new RedisClaimServer(
    { url, username: undefined, password: undefined, timeoutMs },
    new RecordingLogger(),
  )
  const telemetry = {
    clock: new SystemClock(),
    logger: new RecordingLogger(),
    metrics: new RecordingMetrics(),
  }
  const never = new AbortController().signal
  const count = Math.min(keys, 200_000)
  for (const cacheKeys of [0, 1_000_000]) {
    for (const rows of [100, 2_000]) {
      const settings = { job: `bench${cacheKeys}${rows}`, metric: 'm', cacheKeys }
      const dedup = new SharedDedup(server, settings, telemetry, Math.random)
      const pass = async (keyOf: (index: number) => number, from: number) => {
        const begun = performance.now()
        for (let at = 0; at < count; at += rows) {
          const index = (row: number) => keyOf(at + row)
          const length = Math.min(rows, count - at)
          await dedup.prepare(
            {
              length,
              partitionHash: 1,
              offset: Float64Array.from({ length }, (_, row) => from + at + row),
              high: Uint32Array.from({ length }, (_, row) => high[index(row)] as number),
              low: Uint32Array.from({ length }, (_, row) => low[index(row)] as number),
              slice: new Float64Array(length),
            },
            never,
          )
        }
        return Math.round(((performance.now() - begun) * 1e6) / count)
      }
      const fresh = await pass((index) => index, 0)
      const known = await pass((index) => (order[index] as number) % count, count)
      console.log(
        `| redis, ${rows} rows a batch, cache of ${cacheKeys} | ${count} | ${fresh} | ${known} | – | wall time, Redis on the same cores |`,
      )
    }
  }
  await server.close()
  await service.close()
}
