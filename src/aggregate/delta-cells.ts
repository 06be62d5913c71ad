import type { Accumulators } from './accumulators.ts'

/** What was added to the series of one slice since the last hand-over: rows that add up. */
export interface SliceDelta {
  /** Of the slice. */
  readonly start: number
  /** Series ids of the lane, each once, in order of first change. */
  readonly ids: Int32Array
  /** 1 where a pane would say something else now; parallel to `ids`. */
  readonly speaks: Uint8Array
  /** One row per id, of `Accumulators.stride` numbers. */
  readonly cells: Float64Array
}

/** Collects one `SliceDelta` after the other. Memory: 4 B a series of the metric, and a row per changed one. */
export class DeltaCells {
  /** Row of a changed series starts where `touch` says. Replaced when it grows: don't keep it over `touch`. */
  data: Float64Array
  readonly #blank: Float64Array
  readonly #stride: number
  /** Row number + 1 by series id; 0: not changed. */
  #rows = new Int32Array(16)
  #ids = new Int32Array(16)
  #speaks = new Uint8Array(16)
  #length = 0

  constructor(accumulators: Accumulators) {
    this.#blank = accumulators.blank
    this.#stride = accumulators.stride
    this.data = new Float64Array(16 * this.#stride)
  }

  /** Changed series. */
  get length(): number {
    return this.#length
  }

  /** Where the row of series `id` starts. */
  touch(id: number): number {
    const known = id < this.#rows.length ? (this.#rows[id] as number) : 0
    return known === 0 ? this.#add(id) : (known - 1) * this.#stride
  }

  /** The row that starts at `at` has to be told of. */
  speak(at: number): void {
    this.#speaks[at / this.#stride] = 1
  }

  /** What was collected, in buffers of its own; undefined when nothing was. */
  take(start: number): SliceDelta | undefined {
    const count = this.#length
    if (count === 0) return undefined
    const ids = this.#ids.slice(0, count)
    const speaks = this.#speaks.slice(0, count)
    const cells = this.data.slice(0, count * this.#stride)
    for (let row = 0; row < count; row++) this.#rows[ids[row] as number] = 0
    this.#speaks.fill(0, 0, count)
    this.#length = 0
    return { start, ids, speaks, cells }
  }

  #add(id: number): number {
    const row = this.#length++
    if (id >= this.#rows.length) this.#rows = grown(this.#rows, id + 1)
    if (row >= this.#ids.length) {
      this.#ids = grown(this.#ids, row + 1)
      this.#speaks = grown(this.#speaks, row + 1)
      this.data = grown(this.data, (row + 1) * this.#stride)
    }
    this.#rows[id] = row + 1
    this.#ids[row] = id
    const at = row * this.#stride
    this.data.set(this.#blank, at)
    return at
  }
}

function grown<T extends Int32Array | Uint8Array | Float64Array>(old: T, atLeast: number): T {
  const next = new (old.constructor as new (length: number) => T)(Math.max(atLeast, old.length * 2))
  next.set(old as never)
  return next
}
