/**
 * Exact dedup (`keep: best`) alone: offers a second, bytes a key and the longest stall, against a Map of strings.
 *   node --expose-gc --import tsx test/bench/dedup.ts [--keys 1000000,10000000] [--rounds 3] [--map-keys 1000000]
 * All keys are offered once (new) and once more in another order (known), in blocks of 1000; a checkpoint takes the changes
 * every 100 000 new keys, as in the pipeline. A stall is the longest block: growing tables, checkpoints, garbage collection.
 */
import { parseArgs } from 'node:util'
import { FingerprintTable } from '../../src/dedup/fingerprint-table.ts'

const { values: options } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000,10000000' },
    'map-keys': { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
  },
})
const blockKeys = 1_000
const checkpointKeys = 100_000

interface Passed {
  readonly nsPerOffer: number
  readonly longestMs: number
}

interface Result {
  readonly fresh: Passed
  readonly known: Passed
  readonly bytesPerKey: number
}

/** Offers keys 0…count in blocks; `order` shuffles them. */
function pass(
  count: number,
  offer: (key: number) => void,
  order: (index: number) => number,
): Passed {
  const { user, system } = process.cpuUsage()
  let longestMs = 0
  for (let from = 0; from < count; from += blockKeys) {
    const startedAt = performance.now()
    for (let index = from; index < Math.min(count, from + blockKeys); index++) offer(order(index))
    longestMs = Math.max(longestMs, performance.now() - startedAt)
  }
  const after = process.cpuUsage({ user, system })
  return { nsPerOffer: ((after.user + after.system) * 1000) / count, longestMs }
}

function both(count: number, offer: (key: number) => void, bytes: () => number): Result {
  const fresh = pass(count, offer, (index) => index)
  const known = pass(count, offer, (index) => (index * 7_919) % count)
  return { fresh, known, bytesPerKey: bytes() / count }
}

/** Finalizer of MurmurHash3 (Appleby): stands in for the key hash, which belongs to decoding. */
function mixed(key: number, seed: number): number {
  let hash = Math.imul(key ^ seed, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function table(count: number): Result {
  const seen = new FingerprintTable('best', 0)
  const offer = (key: number) => {
    seen.offer(mixed(key, 0x9e3779b1), (mixed(key, 1) | 1) >>> 0, 1 + (key & 1), 0, 0, [], 0)
    if (seen.changes === checkpointKeys) seen.takeChanges()
  }
  const result = both(count, offer, () => seen.bytes)
  if (seen.size !== count) throw new Error(`${seen.size} keys, not ${count}`)
  return result
}

/** What one writes first: a string for each key, the outcome as the value. */
function map(count: number): Result {
  const seen = new Map<string, number>()
  const before = memory()
  return both(
    count,
    (key) => {
      const id = `cash/p1/u${1_000_000_000 + key}`
      const outcome = 1 + (key & 1)
      if (outcome > (seen.get(id) ?? 0)) seen.set(id, outcome)
    },
    () => memory() - before,
  )
}

function memory(): number {
  if (globalThis.gc === undefined) throw new Error('run it with --expose-gc')
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

const counts = (text: string) => text.split(',').map(Number)
const cases = [
  ...counts(options.keys).map((count) => ({ name: 'fingerprint table', count, run: table })),
  ...counts(options['map-keys']).map((count) => ({ name: 'Map of strings', count, run: map })),
].map((one) => ({ ...one, results: [] as Result[] }))

for (let round = 0; round < Number(options.rounds); round++) {
  for (const { count, run, results } of cases) results.push(run(count))
}

function median(values: readonly number[], digits: number): string {
  return (values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN).toFixed(digits)
}

console.log(
  '| case | keys | ns an offer, new | known | longest stall, ms, new | known | bytes a key |',
)
console.log('|---|---|---|---|---|---|---|')
for (const { name, count, results } of cases) {
  const cells = [
    median(
      results.map((one) => one.fresh.nsPerOffer),
      0,
    ),
    median(
      results.map((one) => one.known.nsPerOffer),
      0,
    ),
    median(
      results.map((one) => one.fresh.longestMs),
      1,
    ),
    median(
      results.map((one) => one.known.longestMs),
      1,
    ),
    median(
      results.map((one) => one.bytesPerKey),
      1,
    ),
  ]
  console.log(`| ${name} | ${count} | ${cells.join(' | ')} |`)
}
