import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { FixedKey } from '../enrich/fixed-keys.ts'
import type { MetricWindows } from './metric-windows.ts'

/*
 * Keys of one metric, under `metric/<name>/fixed/`:
 *   <slice>/<checkpoint>.<n>   values that the slice was given for keys since the checkpoint before, JSON; n only splits them
 */

/** Values of one row: a row stays far below what a store takes. */
const valuesPerRow = 10_000

const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0')
/** Times before 1970 keep their order too. */
const timeKey = (time: number): string => hex(time + 2 ** 52, 14)

/** What became fixed since the last call, and the removal of slices that no row can reach any more. */
export function fixedChanges(
  windows: MetricWindows,
  prefix: string,
  checkpoint: number,
): StateOperation[] {
  const { fixed } = windows
  if (fixed === undefined) return []
  for (const slice of fixed.slices) {
    // A slice that never had a row here is told by no one when it goes.
    if (windows.isGone(slice)) fixed.drop(slice)
  }
  const operations: StateOperation[] = []
  for (const slice of fixed.takeGone()) {
    const from = `${prefix}fixed/${timeKey(slice)}/`
    operations.push({ kind: 'remove-range', from, to: `${from}\uffff` })
  }
  for (const [slice, values] of fixed.takeFresh()) {
    for (let n = 0; n * valuesPerRow < values.length; n++) {
      const part = values.slice(n * valuesPerRow, (n + 1) * valuesPerRow)
      const key = `${prefix}fixed/${timeKey(slice)}/${hex(checkpoint, 12)}.${hex(n, 4)}`
      operations.push({ kind: 'put', key, value: Buffer.from(JSON.stringify(part)) })
    }
  }
  return operations
}

/** Puts back what `fixedChanges` wrote. */
export function restoreFixed({ fixed }: MetricWindows, prefix: string, store: StateStore): void {
  if (fixed === undefined) return
  const from = `${prefix}fixed/`
  for (const [key, value] of store.range(from, `${from}\uffff`)) {
    const slice = Number.parseInt(key.slice(from.length), 16) - 2 ** 52
    fixed.restore(slice, JSON.parse(Buffer.from(value).toString('utf8')) as FixedKey[])
  }
}
