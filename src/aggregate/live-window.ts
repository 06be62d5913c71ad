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
}

/** What a row of emissions holds: the number of panes so far, one value per output, then what was emitted of each cell. */
export interface EmissionLayout {
  /** Names of the outputs; an unknown one in a saved layout is left behind. */
  readonly outputs: readonly string[]
  /** Cells remembered for discarding panes; 0 for accumulating ones. */
  readonly cells: number
}

const strideOf = ({ outputs, cells }: EmissionLayout): number => 1 + outputs.length + cells

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
  readonly #layout: EmissionLayout
  readonly #early = new Map<number, number>()

  constructor(window: Window, layout: EmissionLayout) {
    this.start = window.start
    this.end = window.end
    this.#layout = layout
    this.emissions = new CellTable(strideOf(layout), 0)
  }

  /** Passed, with events of the source, and never fired as a whole. */
  get needsFill(): boolean {
    return this.passed && this.touched && !this.filled
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

  /** Puts back a block that was written under layout `saved`; values of aggregates that were not there then are unknown. */
  loadEmissions(block: number, bytes: Uint8Array, saved: EmissionLayout): void {
    const { outputs, cells } = this.#layout
    const sources = outputs.map((name) => saved.outputs.indexOf(name))
    const stays = sources.every((from, to) => from === to)
    if (stays && saved.outputs.length === outputs.length && saved.cells === cells) {
      this.emissions.loadBlock(block, bytes)
      return
    }
    const stride = strideOf(saved)
    const old = new CellTable(stride, 0)
    old.loadBlock(block, bytes)
    const first = block * BLOCK_SERIES
    for (let id = first; id < first + bytes.byteLength / 8 / stride; id++) {
      const row = this.emissions.touch(id)
      const from = old.find(id)
      const { data } = this.emissions
      data[row] = old.data[from] ?? 0
      sources.forEach((source, output) => {
        const value = source < 0 ? undefined : old.data[from + 1 + source]
        data[row + 1 + output] = value ?? Number.NaN
      })
      if (saved.cells !== cells) continue
      const emitted = from + 1 + saved.outputs.length
      data.set(old.data.subarray(emitted, emitted + cells), row + 1 + outputs.length)
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
    }
  }

  restore(state: LiveWindowState): void {
    this.passed = state.passed
    this.touched = state.touched
    this.filled = state.filled
    for (const [id, at] of state.early) this.#early.set(id, at)
  }
}
