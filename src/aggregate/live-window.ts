import type { EpochMs } from '../core/time.ts'
import type { Window } from '../core/window.ts'
import { BLOCK_SERIES, CellTable } from './cell-table.ts'

/** What is remembered of a window between its first event and its end of life; part of the checkpoint. */
export interface LiveWindowState {
  readonly start: number
  readonly end: number
  readonly passed: boolean
  readonly touched: boolean
  readonly filled: boolean
  /** Series id and processing time of the first event of its pane. */
  readonly early: readonly (readonly [id: number, at: number])[]
  /** Numbers per row of `emissions`. */
  readonly stride: number
}

/**
 * open → passed. `emissions` has a row per series that spoke: number of panes so far, then their last values
 * (and, where panes are discarding, what was already emitted).
 */
export class LiveWindow implements Window {
  readonly start: EpochMs
  readonly end: EpochMs
  readonly emissions: CellTable
  /** The watermark passed its end. */
  passed = false
  /** The source as a whole had events in it. */
  touched = false
  /** It fired as a whole. */
  filled = false
  readonly #early = new Map<number, number>()

  constructor(window: Window, emissionStride: number) {
    this.start = window.start
    this.end = window.end
    this.emissions = new CellTable(emissionStride, 0)
  }

  /** Passed, with events of the source, and never fired as a whole. */
  get needsFill(): boolean {
    return this.passed && this.touched && !this.filled
  }

  /** Processing time of the oldest event that waits for an early pane; infinite when there is none. */
  get firstEarlyAt(): number {
    for (const at of this.#early.values()) return at
    return Number.POSITIVE_INFINITY
  }

  pass(): void {
    this.passed = true
    this.#early.clear()
  }

  touch(): void {
    this.touched = true
  }

  fill(): void {
    this.filled = true
  }

  noteEarly(id: number, now: EpochMs): void {
    if (!this.passed && !this.#early.has(id)) this.#early.set(id, now)
  }

  /** Series whose pane began at or before `at`; they wait no longer. */
  takeEarly(at: number): number[] {
    const due: number[] = []
    for (const [id, since] of this.#early) {
      if (since > at) break
      due.push(id)
      this.#early.delete(id)
    }
    return due
  }

  /** Puts back a block that was written with rows of `stride` numbers: after other aggregates were configured only the revisions still mean something. */
  loadEmissions(block: number, bytes: Uint8Array, stride: number, outputs: number): void {
    if (stride === this.emissions.stride) {
      this.emissions.loadBlock(block, bytes)
      return
    }
    const saved = new CellTable(stride, 0)
    saved.loadBlock(block, bytes)
    const first = block * BLOCK_SERIES
    for (let id = first; id < first + bytes.byteLength / 8 / stride; id++) {
      const row = this.emissions.touch(id)
      this.emissions.data.fill(Number.NaN, row + 1, row + 1 + outputs)
      this.emissions.data[row] = saved.data[saved.find(id)] ?? 0
    }
  }

  snapshot(): LiveWindowState {
    return {
      start: this.start,
      end: this.end,
      passed: this.passed,
      touched: this.touched,
      filled: this.filled,
      early: [...this.#early],
      stride: this.emissions.stride,
    }
  }

  restore(state: LiveWindowState): void {
    this.passed = state.passed
    this.touched = state.touched
    this.filled = state.filled
    for (const [id, at] of state.early) this.#early.set(id, at)
  }
}
