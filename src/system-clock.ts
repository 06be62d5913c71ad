import type { Clock } from './core/telemetry.ts'
import { type EpochMs, epochMs } from './core/time.ts'

/** Longest delay that a Node timer keeps; a longer one would fire after 1 ms. */
const maxTimerMs = 2_147_483_647

/**
 * The machine's clock and Node's timers. A sleeper keeps the process alive, as somebody waits for it; an `after` alone
 * does not: it is a deadline or a reminder of work that holds the process by itself.
 */
export class SystemClock implements Clock {
  now(): EpochMs {
    return epochMs(Date.now())
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const onAbort = () => {
        cancel()
        reject(signal?.reason)
      }
      const cancel = arm(ms, true, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  after(ms: number, run: () => void): () => void {
    return arm(ms, false, run)
  }
}

/** Runs `run` once after `ms`, by several timers where one is too short; returns what cancels it. */
function arm(ms: number, keepsAlive: boolean, run: () => void): () => void {
  let left = Math.max(0, ms)
  let timer: NodeJS.Timeout
  const next = () => {
    const delay = Math.min(left, maxTimerMs)
    left -= delay
    timer = setTimeout(left > 0 ? next : run, delay)
    if (!keepsAlive) timer.unref()
  }
  next()
  return () => clearTimeout(timer)
}
