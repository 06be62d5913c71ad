import { type Keep, keepsByArrival } from '../../core/plan.ts'
import { formatDuration } from '../../core/time.ts'
import type { MetricConfig } from '../config.ts'
import { formatBytes } from '../read/formats.ts'

/** What makes two events the same for the metric, and which of them counts. */
export function dedupKeyText(metric: MetricConfig, keep: Keep): string {
  const { backend, horizonMs } = metric
  const arrival = keepsByArrival({ keep, backend, horizon: horizonMs })
  const kept = arrival
    ? 'the first event to arrive'
    : { first: 'the earliest event', last: 'the latest event', best: 'the best event' }[keep]
  if (horizonMs === undefined) return `(series, window, user): each user once, by ${kept} (${keep})`
  return `(series, user): each user once in ${formatDuration(horizonMs)} of event time, by ${kept} (${keep})`
}

/** Where users are remembered; empty for the exact table. */
export function backendText({ backend }: MetricConfig): string {
  switch (backend?.type) {
    case 'bloom':
      return `a Bloom filter for each window, made for ${backend.keys} users: at most ${percent(backend.falsePositives)} of the new ones are missed up to there`
    case 'bitmap':
      return 'a roaring bitmap for each series and window; users are whole numbers below 2^32, others are dead letters'
    case 'hyperloglog':
      return `a HyperLogLog for each series and window, exact up to 256 users, then with a standard error of ${percent(backend.error)}`
    case 'redis': {
      const { url, cacheKeys, timeoutMs, password } = backend
      const secured = password === undefined ? '' : ', with a password'
      return `${url}${secured}, timeout ${formatDuration(timeoutMs)}; ${cacheKeys} in a cache in front of it; while it is away, reading waits`
    }
    case undefined:
      return ''
  }
}

/** What the state of one that is not the exact table of a window takes. @param windows live at once */
export function dedupStateText(metric: MetricConfig, windows: number): string | undefined {
  const { backend, horizonMs } = metric
  if (horizonMs !== undefined) {
    return `16 B and more per user counted within ${formatDuration(horizonMs)}, whatever the windows`
  }
  switch (backend?.type) {
    case 'bloom': {
      // Bits of a key at that rate, and what split blocks add to it.
      const bits = (-Math.log(backend.falsePositives) / Math.LN2 ** 2) * 1.15
      const each = Math.ceil((backend.keys * bits) / 8) + 2 ** 20
      return `about ${formatBytes(roundBytes(each))} a window, ${formatBytes(roundBytes(each * windows))} in all, however many users come`
    }
    case 'bitmap':
      return '0.13 to 2.3 B per user and window'
    case 'hyperloglog':
      return `${formatBytes(2 ** Math.min(18, Math.max(4, Math.ceil(2 * Math.log2(1.04 / backend.error)))))} per series and window`
    case 'redis':
      return `the users in Redis, about 100 B each and window; here ${formatBytes(backend.cacheKeys * 32)} of cache a lane`
    case undefined:
      return undefined
  }
}

const percent = (share: number): string => `${Number((share * 100).toFixed(6))}%`

/** To whole MiB, so that a person reads a size and not a sum. */
const roundBytes = (bytes: number): number => Math.ceil(bytes / 2 ** 20) * 2 ** 20
