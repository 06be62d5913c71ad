/**
 * The state with many live keys: how long recovery, a savepoint and its verification take, how big they are, and the longest stall of the
 * event loop while the savepoint is written and commits go on.
 *   node --expose-gc --import tsx test/bench/state.ts [--keys 10000000] [--dir DIR]
 * Keys of one window (keep: best) are written as checkpoints of 100 000, as the pipeline does; recovery is opening the file, its
 * check, and loading every blob.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { StateOperation } from '../../src/core/state-store.ts'
import { FingerprintTable } from '../../src/dedup/fingerprint-table.ts'
import { FileStateCopies } from '../../src/state/file-state-copies.ts'
import { checkLmdbFile } from '../../src/state/lmdb-file-check.ts'
import { LmdbStateStore } from '../../src/state/lmdb-state-store.ts'

const { values: options } = parseArgs({
  options: { keys: { type: 'string', default: '10000000' }, dir: { type: 'string' } },
})
const keys = Number(options.keys)
const perCheckpoint = 100_000
const root = mkdtempSync(join(options.dir ?? tmpdir(), 'warden-bench-state-'))
const directory = join(root, 'state')

const mix = (value: number, seed: number): number => {
  let hash = Math.imul(value ^ seed, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
const row = (what: string, ...cells: (string | number)[]) =>
  console.log(`| ${[what, ...cells].join(' | ')} |`)
const seconds = (from: number) => ((performance.now() - from) / 1000).toFixed(2)
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)

console.log('| what | seconds | MB | |')
console.log('|---|---:|---:|---|')
try {
  await write()
  await recover()
  await copy()
} finally {
  rmSync(root, { recursive: true, force: true })
}

async function write(): Promise<void> {
  const store = new LmdbStateStore(directory)
  const table = new FingerprintTable('best', 0)
  const begun = performance.now()
  const commits: number[] = []
  for (let key = 0; key < keys; key++) {
    table.offer(mix(key, 1), mix(key, 2), 1, 0, 0, [], 0)
    if ((key + 1) % perCheckpoint !== 0) continue
    const name = ((key + 1) / perCheckpoint).toString(16).padStart(12, '0')
    const operations: StateOperation[] = []
    for (let value = table.takeChanges(); value !== undefined; value = table.takeChanges()) {
      operations.push({ kind: 'put', key: `metric/m/keys/0/${name}/${operations.length}`, value })
    }
    const started = performance.now()
    await store.commit(operations)
    commits.push(performance.now() - started)
  }
  commits.sort((a, b) => a - b)
  const median = commits[commits.length >> 1] ?? 0
  row('written', seconds(begun), megabytes(store.sizeBytes()), `commit p50 ${median.toFixed(1)} ms`)
  await store.close()
}

async function recover(): Promise<void> {
  globalThis.gc?.()
  const checked = performance.now()
  const pages = checkLmdbFile(join(directory, 'state.mdb'))
  row('check of the file', seconds(checked), '', `${pages} pages of the tree`)
  const before = process.memoryUsage()
  const begun = performance.now()
  const store = new LmdbStateStore(directory)
  const table = new FingerprintTable('best', 0)
  for (const [, value] of store.range('metric/m/keys/', 'metric/m/keys0')) table.load(value)
  const took = seconds(begun)
  globalThis.gc?.()
  const after = process.memoryUsage()
  const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed
  row('recovery', took, megabytes(grown), `${table.size} keys in memory`)
  await store.close()
}

async function copy(): Promise<void> {
  const store = new LmdbStateStore(directory)
  const copies = new FileStateCopies(join(root, 'savepoints'), 'savepoint')
  let longest = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }, 1)
  let commits = 0
  let slowest = 0
  let copying = true
  const going = (async () => {
    while (copying) {
      const at = performance.now()
      await store.commit([
        { kind: 'put', key: 'checkpoint', value: Buffer.from(String(commits++)) },
      ])
      slowest = Math.max(slowest, performance.now() - at)
    }
  })()
  const begun = performance.now()
  const made = await copies.create({
    source: store,
    work: join(root, 'copying'),
    describe: () =>
      Promise.resolve({ job: 'bench', format: 0, checkpoint: 0, incarnation: 0, positions: {} }),
    at: new Date(),
    version: 'bench',
  })
  const took = seconds(begun)
  copying = false
  await going
  clearInterval(timer)
  const bytes = made.files.reduce((sum, file) => sum + file.bytes, 0)
  const stalls = `${commits} commits meanwhile, slowest ${slowest.toFixed(0)} ms; longest stall ${longest.toFixed(0)} ms`
  row('savepoint while commits go on', took, megabytes(bytes), stalls)
  const verified = performance.now()
  await copies.verified(made.id)
  row('its verification', seconds(verified), megabytes(bytes), '')
  await store.close()
}
