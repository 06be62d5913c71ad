import type { SeriesPoints } from '../series-points.ts'

export interface RateOptions {
  /** A value below the one before is a wrap at `counterMax`, not a fall. */
  readonly counter: boolean
  readonly counterMax: number
  /** Rates above it become 0, when it is > 0. */
  readonly resetValue: number
  /** Wraps are left out. */
  readonly dropResets: boolean
}

/** OpenTSDB's default of `counterMax`: the largest 64-bit integer. */
export const DEFAULT_COUNTER_MAX = 2 ** 63

export const plainRate: RateOptions = {
  counter: false,
  counterMax: DEFAULT_COUNTER_MAX,
  resetValue: 0,
  dropResets: false,
}

/**
 * Change per second from point to point, at the time of the later one. The first point has no rate: its entry is the
 * rate since the epoch, which `aggregated` uses as OpenTSDB does and never answers by itself.
 */
export function rates(points: SeriesPoints, options: RateOptions): SeriesPoints {
  const canDrop = options.counter && options.dropResets
  // Else the times stay those of the points, which series in step share.
  const times = canDrop ? new Float64Array(points.length) : points.times
  const values = new Float64Array(points.length)
  let length = 0
  let beforeMs = 0
  let before = 0
  for (let at = 0; at < points.length; at++) {
    const timeMs = points.times[at] ?? 0
    const value = points.values[at] ?? 0
    const seconds = (timeMs - beforeMs) / 1_000
    let change = value - before
    let rate = change / seconds
    let dropped = false
    if (options.counter && change < 0) {
      dropped = options.dropResets
      change = options.counterMax - before + value
      rate = change / seconds
      if (options.resetValue > 0 && rate > options.resetValue) rate = 0
    }
    if (!dropped) {
      if (canDrop) times[length] = timeMs
      values[length] = rate
      length++
    }
    beforeMs = timeMs
    before = value
  }
  return { length, times, values, integers: undefined }
}
