/** What a series that has no point at a timestamp between two of its own contributes there. */
export type Interpolation = 'linear' | 'zero' | 'previous' | 'largest' | 'smallest'

/**
 * Reduces the values that meet at one timestamp or in one interval to one. `exact` is set when all of them are
 * integers: OpenTSDB then calculates, and truncates, in integers.
 */
export interface Aggregator {
  readonly name: string
  readonly interpolation: Interpolation
  /** One value alone does not stay what it is. */
  readonly changesOne?: true
  /** The first `count` ≥ 1 of `values`; a NaN stands for "no value" and counts as none. NaN when there is none. */
  reduce(values: Float64Array, count: number, exact: boolean): number
}

type Reduce = Aggregator['reduce']

const sum: Reduce = (values, count) => {
  let total = 0
  let seen = 0
  for (let at = 0; at < count; at++) {
    const value = values[at] ?? Number.NaN
    if (Number.isNaN(value)) continue
    total += value
    seen++
  }
  return seen === 0 ? Number.NaN : total
}

const average: Reduce = (values, count, exact) => {
  let total = 0
  let seen = 0
  for (let at = 0; at < count; at++) {
    const value = values[at] ?? Number.NaN
    if (Number.isNaN(value)) continue
    total += value
    seen++
  }
  if (seen === 0) return Number.NaN
  return exact ? Math.trunc(total / seen) : total / seen
}

const smallest: Reduce = (values, count) => {
  let result = Number.NaN
  for (let at = 0; at < count; at++) {
    const value = values[at] ?? Number.NaN
    if (value < result || Number.isNaN(result)) result = value
  }
  return result
}

const largest: Reduce = (values, count) => {
  let result = Number.NaN
  for (let at = 0; at < count; at++) {
    const value = values[at] ?? Number.NaN
    if (value > result || Number.isNaN(result)) result = value
  }
  return result
}

const number: Reduce = (values, count) => {
  let seen = 0
  for (let at = 0; at < count; at++) if (!Number.isNaN(values[at])) seen++
  return seen
}

const squares: Reduce = (values, count) => {
  let total = 0
  let seen = 0
  for (let at = 0; at < count; at++) {
    const value = values[at] ?? Number.NaN
    if (Number.isNaN(value)) continue
    total += value * value
    seen++
  }
  return seen === 0 ? Number.NaN : total
}

const product: Reduce = (values, count) => {
  let total = 1
  for (let at = 0; at < count; at++) total *= values[at] ?? Number.NaN
  return total
}

/** Standard deviation of the population, by Welford's method. */
const deviation: Reduce = (values, count, exact) => {
  let mean = 0
  let squaresOfDistance = 0
  let seen = 0
  for (let at = 0; at < count; at++) {
    const value = values[at] ?? Number.NaN
    if (Number.isNaN(value)) continue
    seen++
    const before = mean
    mean += (value - mean) / seen
    squaresOfDistance += (value - before) * (value - mean)
  }
  if (seen === 0) return Number.NaN
  const result = Math.sqrt(squaresOfDistance / seen)
  return exact ? Math.trunc(result) : result
}

/** Last value less the first one. */
const difference: Reduce = (values, count) => {
  let from = 0
  while (from < count && Number.isNaN(values[from])) from++
  if (from === count) return Number.NaN
  return from === count - 1 ? 0 : (values[count - 1] ?? Number.NaN) - (values[from] ?? Number.NaN)
}

const first: Reduce = (values) => values[0] ?? Number.NaN
const last: Reduce = (values, count) => values[count - 1] ?? Number.NaN

const sorted = (values: Float64Array, count: number): Float64Array =>
  values
    .subarray(0, count)
    .filter((value) => !Number.isNaN(value))
    .sort()

const median: Reduce = (values, count) => {
  const ascending = sorted(values, count)
  return ascending[ascending.length >>> 1] ?? Number.NaN
}

/** How the place of a percentile between two values is found. `r3`: the nearest one. `r7`: Excel's. `n1`: p × (n + 1). */
type Estimation = 'n1' | 'r3' | 'r7'

function percentile(percent: number, estimation: Estimation): Reduce {
  return (values, count, exact) => {
    const ascending = sorted(values, count)
    // OpenTSDB honours the estimation for integers only.
    const result = quantile(ascending, percent / 100, exact ? estimation : 'n1')
    return exact ? Math.trunc(result) : result
  }
}

function quantile(ascending: Float64Array, share: number, estimation: Estimation): number {
  const n = ascending.length
  if (n === 0) return Number.NaN
  const place =
    estimation === 'r3'
      ? roundHalfEven(n * share)
      : estimation === 'r7'
        ? 1 + (n - 1) * share
        : share * (n + 1)
  const below = Math.min(Math.max(Math.floor(place), 1), n)
  const lower = ascending[below - 1] ?? Number.NaN
  if (place < 1 || place >= n) return lower
  return lower + (place - below) * ((ascending[below] ?? lower) - lower)
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

const percents: Readonly<Record<string, number>> = {
  999: 99.9,
  99: 99,
  95: 95,
  90: 90,
  75: 75,
  50: 50,
}

/** Every series by itself, nothing aggregated. */
export const NONE = 'none'

const all: readonly Aggregator[] = [
  { name: 'sum', interpolation: 'linear', reduce: sum },
  { name: 'min', interpolation: 'linear', reduce: smallest },
  { name: 'max', interpolation: 'linear', reduce: largest },
  { name: 'avg', interpolation: 'linear', reduce: average },
  { name: NONE, interpolation: 'zero', reduce: first },
  { name: 'median', interpolation: 'linear', reduce: median },
  { name: 'mult', interpolation: 'linear', reduce: product },
  { name: 'dev', interpolation: 'linear', reduce: deviation, changesOne: true },
  { name: 'diff', interpolation: 'linear', reduce: difference, changesOne: true },
  { name: 'count', interpolation: 'zero', reduce: number, changesOne: true },
  { name: 'zimsum', interpolation: 'zero', reduce: sum },
  { name: 'mimmin', interpolation: 'largest', reduce: smallest },
  { name: 'mimmax', interpolation: 'smallest', reduce: largest },
  { name: 'first', interpolation: 'zero', reduce: first },
  { name: 'last', interpolation: 'zero', reduce: last },
  { name: 'pfsum', interpolation: 'previous', reduce: sum },
  { name: 'squareSum', interpolation: 'zero', reduce: squares, changesOne: true },
  ...Object.entries(percents).flatMap(([text, percent]): readonly Aggregator[] => [
    { name: `p${text}`, interpolation: 'linear', reduce: percentile(percent, 'n1') },
    { name: `ep${text}r3`, interpolation: 'linear', reduce: percentile(percent, 'r3') },
    { name: `ep${text}r7`, interpolation: 'linear', reduce: percentile(percent, 'r7') },
  ]),
]

const byName: ReadonlyMap<string, Aggregator> = new Map(all.map((one) => [one.name, one]))

/** Names are case-sensitive. */
export function aggregatorNamed(name: string): Aggregator | undefined {
  return byName.get(name)
}

export function aggregatorNames(): string[] {
  return [...byName.keys()]
}
