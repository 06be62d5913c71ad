import type { Window } from '../core/window.ts'

/** Slices remembered; beyond that all are forgotten, as being told of one again changes nothing. */
const memory = 10_000

/** Slices of time in which the source is known to have had events. */
export class TouchedSlices {
  readonly #starts = new Set<number>()
  #last: Window | undefined

  /** Does the slice that was added last hold all times between the two? */
  cover(oldest: number, newest: number): boolean {
    const last = this.#last
    return last !== undefined && oldest >= last.start && newest < last.end
  }

  /** False when the slice was known. */
  add(slice: Window): boolean {
    this.#last = slice
    if (this.#starts.has(slice.start)) return false
    if (this.#starts.size >= memory) this.#starts.clear()
    this.#starts.add(slice.start)
    return true
  }
}
