import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Asks `probe` until it answers something other than undefined or false, and returns that.
 * What the probe throws counts as "not yet"; the last of it is the cause of the error after `timeoutMs`.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 60_000,
  everyMs = 50,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let cause: unknown
  for (;;) {
    try {
      const answer = await probe()
      if (answer !== undefined && answer !== false) return answer
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() >= deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause })
    }
    await sleep(everyMs)
  }
}
