/**
 * Loaded into Warden's main thread by `--import`: how late is its event loop? On SIGUSR2 it writes what it has seen since the last one
 * into the file of WARDEN_BENCH_STALLS, as `{ counts: {"<upper bound in ms>": n}, maxMs, heapBytes }`, and begins anew.
 */
import { writeFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'

const everyMs = 5
const bounds = [1, 5, 10, 25, 50, 100, 250, 1000, Number.POSITIVE_INFINITY]
let counts = bounds.map(() => 0)
let maxMs = 0
let expected = performance.now() + everyMs

setInterval(() => {
  const now = performance.now()
  const lateMs = Math.max(0, now - expected)
  counts[bounds.findIndex((bound) => lateMs <= bound)]++
  maxMs = Math.max(maxMs, lateMs)
  expected = now + everyMs
}, everyMs).unref()

process.on('SIGUSR2', () => {
  const byBound = Object.fromEntries(bounds.map((bound, i) => [bound, counts[i]]))
  const seen = { counts: byBound, maxMs, heapBytes: process.memoryUsage().heapUsed }
  writeFileSync(process.env.WARDEN_BENCH_STALLS, JSON.stringify(seen))
  counts = bounds.map(() => 0)
  maxMs = 0
})
