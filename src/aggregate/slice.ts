import type { Window } from '../core/window.ts'
import type { Accumulators } from './accumulators.ts'
import { CellTable } from './cell-table.ts'

/** The events of one slice of time, counted per series. */
export class Slice implements Window {
  readonly start: Window['start']
  readonly end: Window['end']
  readonly cells: CellTable
  /** A window of this slice has fired or emits early: changes must be told. */
  watched = false
  /** Series changed since a window of this slice last spoke; only kept while `watched`. */
  readonly changed = new Set<number>()

  constructor(window: Window, accumulators: Accumulators, series: number) {
    this.start = window.start
    this.end = window.end
    this.cells = new CellTable(accumulators.stride, series)
  }
}
