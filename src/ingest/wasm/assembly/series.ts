import { alloc } from './bytes'
import { seriesOf } from './host'
import { multiplier } from './symbols'

/** Tuples of one table; beyond them everything is forgotten. */
const MAX_TUPLES: u32 = 262144

/** One known series: its tuple of symbols lies behind it. */
@unmanaged
export class Series {
  hash: u32
  /** Id + 1; 0 in a free cell. */
  id: i32
  seedLow: u32
  seedHigh: u32
}

/** Series of one metric by their dimensions' symbols: open addressing, exact. */
@unmanaged
export class SeriesTable {
  cells: usize
  mask: u32
  count: u32
  stride: usize
  width: usize
  /** The tuple that is looked for. */
  tuple: usize
}

export function makeSeriesTable(width: usize): SeriesTable {
  const table = changetype<SeriesTable>(alloc(offsetof<SeriesTable>()))
  table.width = width
  table.stride = (offsetof<Series>() + width * 4 + 7) & ~7
  table.mask = 63
  table.cells = alloc(64 * table.stride)
  table.tuple = alloc(width * 4)
  return table
}

export function forgetSeries(table: SeriesTable): void {
  memory.fill(table.cells, 0, (<usize>table.mask + 1) * table.stride)
  table.count = 0
}

/** No series can be had: the dictionary is full. */
export const NO_SERIES: usize = 0
/** The table is full. */
export const TABLE_FULL: usize = 1

/** Address of the `Series` with the table's tuple, learnt when it is new; or `NO_SERIES`, `TABLE_FULL`. */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function findSeries(table: SeriesTable, metric: i32): usize {
  const tuple = table.tuple
  const end = table.width << 2
  let sum: u64 = 0
  for (let k: usize = 0; k < end; k += 4) sum += <u64>load<u32>(tuple + k) * multiplier(k >> 2)
  const hash = <u32>(sum >> 32)
  const cell = cellOf(table, hash)
  return load<i32>(cell, offsetof<Series>('id')) != 0 ? cell : learn(table, metric, hash)
}

/** The cell of the table's tuple, or the free one where it belongs. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function cellOf(table: SeriesTable, hash: u32): usize {
  const end = table.width << 2
  for (let index = hash & table.mask; ; index = (index + 1) & table.mask) {
    const cell = table.cells + <usize>index * table.stride
    const series = changetype<Series>(cell)
    if (series.id == 0) return cell
    if (series.hash == hash) {
      const known = cell + offsetof<Series>()
      let k: usize = 0
      while (k < end && load<u32>(known + k) == load<u32>(table.tuple + k)) k += 4
      if (k == end) return cell
    }
  }
  return 0
}

function learn(table: SeriesTable, metric: i32, hash: u32): usize {
  if (table.count == MAX_TUPLES) return TABLE_FULL
  if (table.count * 2 > table.mask) grow(table)
  const cell = cellOf(table, hash)
  const id = seriesOf(metric, table.tuple, cell + offsetof<Series>('seedLow'))
  if (id < 0) return NO_SERIES
  const series = changetype<Series>(cell)
  series.hash = hash
  series.id = id + 1
  memory.copy(cell + offsetof<Series>(), table.tuple, table.width << 2)
  table.count++
  return cell
}

function grow(table: SeriesTable): void {
  const stride = table.stride
  const old = table.cells
  const oldEnd = old + (<usize>table.mask + 1) * stride
  table.mask = table.mask * 2 + 1
  table.cells = alloc((<usize>table.mask + 1) * stride)
  for (let from = old; from < oldEnd; from += stride) {
    const series = changetype<Series>(from)
    if (series.id == 0) continue
    let index = series.hash & table.mask
    while (load<i32>(table.cells + <usize>index * stride, offsetof<Series>('id')) != 0) index = (index + 1) & table.mask
    memory.copy(table.cells + <usize>index * stride, from, stride)
  }
}
