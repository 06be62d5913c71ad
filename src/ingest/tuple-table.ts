/** Tuples of it; beyond them the table says so and is cleared. */
const MAX_TUPLES = 262_144

/** Fixed-length tuples of integers → integer, for what is derived from symbols. Open addressing, exact. */
export class TupleTable {
  readonly #width: number
  /** `width` numbers of a tuple, then its value; -1 as the value of a free cell. */
  #cells: Int32Array
  #mask = 255
  #count = 0

  constructor(width: number) {
    this.#width = width
    this.#cells = new Int32Array(256 * (width + 1)).fill(-1)
  }

  /** Value of the tuple; -1 when there is none. */
  get(tuple: Int32Array): number {
    return this.#cells[this.#cellOf(tuple) + this.#width] as number
  }

  /** @param value ≥ 0. False when the table is full. */
  set(tuple: Int32Array, value: number): boolean {
    if (this.#count === MAX_TUPLES) return false
    if (this.#count * 2 > this.#mask) this.#grow()
    const at = this.#cellOf(tuple)
    if (this.#cells[at + this.#width] === -1) this.#count++
    this.#cells.set(tuple, at)
    this.#cells[at + this.#width] = value
    return true
  }

  clear(): void {
    this.#cells.fill(-1)
    this.#count = 0
  }

  /** Index of the tuple's first number, or of the free cell where it belongs. */
  #cellOf(tuple: Int32Array): number {
    const width = this.#width
    const cells = this.#cells
    let hash = 0
    for (let k = 0; k < width; k++) {
      hash = Math.imul(hash ^ (tuple[k] as number), 0x9e3779b1)
      hash ^= hash >>> 15
    }
    for (let cell = hash & this.#mask; ; cell = (cell + 1) & this.#mask) {
      const at = cell * (width + 1)
      if (cells[at + width] === -1) return at
      let k = 0
      while (k < width && cells[at + k] === tuple[k]) k++
      if (k === width) return at
    }
  }

  #grow(): void {
    const old = this.#cells
    const step = this.#width + 1
    this.#cells = new Int32Array(old.length * 2).fill(-1)
    this.#mask = this.#mask * 2 + 1
    for (let at = 0; at < old.length; at += step) {
      if (old[at + this.#width] === -1) continue
      const to = this.#cellOf(old.subarray(at, at + this.#width))
      this.#cells.set(old.subarray(at, at + step), to)
    }
  }
}
