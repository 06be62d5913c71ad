import type { Metrics } from '../core/telemetry.ts'

const everyMs = 20
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** Measures how much later than asked for a timer fires in this thread, fifty times a second; returns what ends it. */
export function watchLoopStalls(metrics: Metrics, thread: string): () => void {
  const histogram = metrics.histogram(
    'warden_event_loop_stall_seconds',
    'How long a thread kept its timers waiting',
    buckets,
    ['thread'],
  )
  let due = performance.now() + everyMs
  const timer = setInterval(() => {
    const now = performance.now()
    histogram.observe(Math.max(0, now - due) / 1000, { thread })
    due = now + everyMs
  }, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}
