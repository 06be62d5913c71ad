/**
 * Loaded into every thread of Warden by `--import`: how late are their event loops? On SIGUSR2 the main thread writes what all have seen since the
 * last one into the file of WARDEN_BENCH_STALLS, and they begin anew. Thread 0 is the main thread, the others are lanes.
 *   { boundsMs: […], threads: [{ thread, counts: […], maxMs }], heapBytes }
 */
import { writeFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import {
  getEnvironmentData,
  isMainThread,
  setEnvironmentData,
  threadId,
} from 'node:worker_threads'

const key = 'warden-bench-stalls'
const everyMs = 5
/** The last takes all that is longer. */
const boundsMs = [1, 5, 10, 25, 50, 100, 250, 1000, 1e9]
const mostThreads = 64
/** Of each thread: a count for each bound, and the longest. */
const row = boundsMs.length + 1

if (isMainThread) {
  const bytes = mostThreads * row * Float64Array.BYTES_PER_ELEMENT
  setEnvironmentData(key, new SharedArrayBuffer(bytes))
}
const all = new Float64Array(getEnvironmentData(key))
const own = all.subarray((threadId % mostThreads) * row, (threadId % mostThreads) * row + row)

let expected = performance.now() + everyMs
setInterval(() => {
  const now = performance.now()
  const lateMs = Math.max(0, now - expected)
  own[boundsMs.findIndex((bound) => lateMs <= bound)]++
  own[row - 1] = Math.max(own[row - 1], lateMs)
  expected = now + everyMs
}, everyMs).unref()

if (isMainThread) process.on('SIGUSR2', write)

function write() {
  const threads = []
  for (let thread = 0; thread < mostThreads; thread++) {
    const seen = [...all.subarray(thread * row, thread * row + row)]
    if (seen.some((one) => one > 0)) {
      threads.push({ thread, counts: seen.slice(0, -1), maxMs: seen.at(-1) })
    }
  }
  const heapBytes = process.memoryUsage().heapUsed
  writeFileSync(process.env.WARDEN_BENCH_STALLS, JSON.stringify({ boundsMs, threads, heapBytes }))
  all.fill(0)
}
