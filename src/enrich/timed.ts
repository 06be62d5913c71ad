import { WardenError } from '../core/errors.ts'
import type { Clock } from '../core/telemetry.ts'

/** Runs with a signal that ends after `ms`, or with `signal`. Rejects with `enrich_unreachable` when it took longer, whether or not `run` heeds it. */
export async function timed<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  run: (inTime: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const over = new AbortController()
  let end: (reason: unknown) => void = () => {}
  const ended = new Promise<never>((_, reject) => {
    end = (reason) => {
      over.abort(reason)
      reject(reason)
    }
  })
  const onAbort = () => end(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const cancel = clock.after(ms, () =>
    end(new WardenError('enrich_unreachable', `no answer in ${ms} ms`)),
  )
  try {
    const running = run(over.signal)
    running.catch(() => {})
    return await Promise.race([running, ended])
  } finally {
    cancel()
    signal.removeEventListener('abort', onAbort)
  }
}
