import type { Window } from '../core/window.ts'
import { CellTable } from './cell-table.ts'

const firstCell = 0
const lastCell = 1

/** Which series exist: declared ones always, others from the first window they had events in until they expire. */
export class SeriesSeen {
  readonly #cells: CellTable
  /** Of the plan, so not part of the checkpoint. */
  readonly #declared = new Set<number>()
  readonly #expireAfterMs: number

  constructor(expireAfterMs: number, series: number) {
    this.#expireAfterMs = expireAfterMs
    this.#cells = new CellTable(2, series)
  }

  declare(id: number): void {
    this.#declared.add(id)
  }

  /** The series had events in `window`. */
  see(id: number, window: Window): void {
    const row = this.#cells.find(id)
    const { data } = this.#cells
    const never = row < 0 || data[row + lastCell] === data[row + firstCell]
    const first = never ? window.start : Math.min(data[row + firstCell] as number, window.start)
    const last = never ? window.end : Math.max(data[row + lastCell] as number, window.end)
    if (!never && first === data[row + firstCell] && last === data[row + lastCell]) return
    const at = this.#cells.touch(id)
    this.#cells.data[at + firstCell] = first
    this.#cells.data[at + lastCell] = last
  }

  /** Should the series have a point in `window` even without events? */
  isKnown(id: number, window: Window): boolean {
    if (this.#declared.has(id)) return true
    const row = this.#cells.find(id)
    if (row < 0) return false
    const { data } = this.#cells
    const first = data[row + firstCell] as number
    const last = data[row + lastCell] as number
    if (first === last) return false
    return first < window.end && last >= window.start - this.#expireAfterMs
  }

  takeDirtyBlocks(): Iterable<readonly [number, Uint8Array]> {
    return this.#cells.takeDirtyBlocks()
  }

  loadBlock(block: number, bytes: Uint8Array): void {
    this.#cells.loadBlock(block, bytes)
  }
}
