const bars = '▁▂▃▄▅▆▇█'
/** A window that was not complete: no bar, so that it is not taken for a zero. */
const gap = '·'

/** Values as a line of bars, from 0 (or the least, when negative) to the greatest; null: a gap. */
export function sparkline(values: readonly (number | null)[]): string {
  const known = values.filter((value): value is number => Number.isFinite(value))
  const least = Math.min(0, ...known)
  const span = Math.max(0, ...known) - least
  return values
    .map((value) => {
      if (value === null || !Number.isFinite(value)) return gap
      const level = span === 0 ? 0 : Math.round(((value - least) / span) * (bars.length - 1))
      return bars[level] ?? gap
    })
    .join('')
}
