export interface Spread {
  readonly least: number
  readonly median: number
  readonly most: number
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number) => sorted[index] ?? Number.NaN
  const half = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2
  return { least: at(0), median, most: at(sorted.length - 1) }
}

/** `least / **median** / most`; one figure where there is only one. */
export function spreadText(values: readonly number[], digits: number): string {
  const { least, median, most } = spreadOf(values)
  const middle = `**${median.toFixed(digits)}**`
  return values.length > 1
    ? `${least.toFixed(digits)} / ${middle} / ${most.toFixed(digits)}`
    : middle
}

/** The value that a share of all values is not above; undefined of none. */
export function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
}
