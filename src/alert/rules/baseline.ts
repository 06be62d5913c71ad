/** What is usual at an hour, from earlier windows. */
export interface Baseline {
  readonly median: number
  /** One robust standard deviation, > 0. */
  readonly scale: number
  readonly samples: number
}

/** A number of an earlier window, with the hour and weekday that it belongs to. */
export interface Sample {
  readonly value: number
  readonly slot: string
  readonly same: boolean
}

/** MAD of normally distributed numbers is σ ÷ 1.4826. Source: Rousseeuw and Croux, "Alternatives to the Median Absolute Deviation", 1993. */
const madToSigma = 1.4826
/** A spread is never taken for less than this share of the median: nobody wants to hear of 2 %. */
const leastSpread = 0.03

/**
 * Median of the same hour and weekday (of the whole class of days where there are fewer than `minSamples`), and a scale from the
 * deviations of neighbouring hours and days from their own medians: four values alone say little about a spread.
 * @param counts the numbers are counts, which scatter by their square root at least
 */
export function baselineOf(
  samples: readonly Sample[],
  minSamples: number,
  counts: boolean,
): Baseline | undefined {
  const same = samples.filter((one) => one.same).map(({ value }) => value)
  const sameSlots = new Set(samples.filter((one) => one.same).map(({ slot }) => slot))
  const minute = [...sameSlots][0]?.split(' ')[0]
  const pooled = samples.filter(({ slot }) => minute === undefined || slot.startsWith(`${minute} `))
  const used = same.length >= minSamples ? same : pooled.map(({ value }) => value)
  if (used.length < minSamples) return undefined
  const median = medianOf(used)
  const relative = relativeSpread(samples)
  const own = madToSigma * medianOf(used.map((value) => Math.abs(value - median)))
  const spread = relative === undefined ? own : Math.max(relative * Math.abs(median), own / 2)
  const floor = counts ? Math.sqrt(Math.max(median, 1)) : 1e-6
  const scale = Math.max(spread, floor, leastSpread * Math.abs(median))
  return { median, scale, samples: used.length }
}

/** Robust standard deviation of value ÷ median of its slot; undefined where slots are too small. */
function relativeSpread(samples: readonly Sample[]): number | undefined {
  const slots = new Map<string, number[]>()
  for (const { slot, value } of samples) {
    const values = slots.get(slot) ?? []
    slots.set(slot, values)
    values.push(value)
  }
  const deviations: number[] = []
  let sizes = 0
  let groups = 0
  for (const values of slots.values()) {
    const median = medianOf(values)
    if (values.length < 2 || median <= 0) continue
    for (const value of values) deviations.push(Math.abs(value / median - 1))
    sizes += values.length
    groups++
  }
  if (deviations.length < 8) return undefined
  // The median of few values takes part of their spread away.
  const few = Math.sqrt(sizes / Math.max(1, sizes - groups))
  return madToSigma * medianOf(deviations) * few
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
