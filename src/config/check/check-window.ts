import { formatDuration } from '../../core/time.ts'
import type { Locator } from '../read/locator.ts'
import type { MetricDocument } from '../schema.ts'

const secondMs = 1_000
const dayMs = 86_400_000
const maxSizeMs = 7 * dayMs
/** More slices make every pane of a sliding window dear. */
const maxSlices = 1_000

/** Checks size, slide, offset and time zone of a metric's windows. */
export function checkWindow(name: string, metric: MetricDocument, locator: Locator): void {
  const at = ['metrics', name, 'window'] as const
  const { size, offset, timezone } = metric.window
  const slide = metric.window.slide ?? size
  if (size < secondMs || size > maxSizeMs) {
    locator.value([...at, 'size'], `a window of ${formatDuration(size)}`, 'allowed are 1s to 7d')
    return
  }
  if (timezone !== undefined) {
    checkZone(at, metric, locator)
    return
  }
  if (slide < secondMs || slide > size) {
    const right = `allowed are 1s to the size, ${formatDuration(size)}`
    locator.value([...at, 'slide'], `a slide of ${formatDuration(slide)}`, right)
    return
  }
  const slices = size / gcd(size, slide)
  if (slide < size && slices > maxSlices) {
    locator.value(
      [...at, 'slide'],
      `${formatDuration(size)} and ${formatDuration(slide)} have so small a common divisor that a window is made of ${slices} slices`,
      `allowed are ${maxSlices}: choose a slide that divides the size, or divides it more evenly`,
    )
  }
  if (offset >= slide) {
    const right = `write less than the slide, ${formatDuration(slide)}: windows repeat after it`
    locator.value([...at, 'offset'], `an offset of ${formatDuration(offset)}`, right)
  }
  if (slide === size) return
  const way = (other: string) => `leave out slide, or ${other}; a second metric can have the other`
  if (metric.dedup !== undefined) {
    locator.key(['metrics', name, 'dedup'], 'sliding windows cannot deduplicate yet', way('dedup'))
  }
  const users = metric.aggregates.indexOf('users')
  if (users >= 0) {
    const what = 'sliding windows cannot count users yet'
    locator.value(['metrics', name, 'aggregates', users], what, way('users'))
  }
}

function checkZone(
  at: readonly ['metrics', string, 'window'],
  metric: MetricDocument,
  locator: Locator,
): void {
  const { size, slide, offset } = metric.window
  if (slide !== undefined && slide !== size) {
    const right = 'leave out slide, or timezone (and write an offset)'
    locator.value([...at, 'slide'], 'sliding windows cannot follow a time zone', right)
  }
  if (offset !== 0) {
    const right = 'leave it out: windows begin at local midnight'
    locator.value([...at, 'offset'], 'an offset has no meaning beside timezone', right)
  }
  if (dayMs % size !== 0 && size % dayMs !== 0) {
    locator.value(
      [...at, 'size'],
      `windows of ${formatDuration(size)} do not fit the days of a time zone`,
      'write a size that divides 24h (15m, 1h, 6h) or whole days (1d; 7d are weeks from Monday)',
    )
  }
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))
