/** Series per block: the unit in which changes go into a checkpoint. */
export const BLOCK_SERIES = 256

/**
 * One row of numbers per series id, contiguous, growing with the ids. Knows which blocks of 256 series changed since the
 * last `takeDirtyBlocks`, so that a checkpoint writes only those.
 */
export class CellTable {
  /** Numbers per row. */
  readonly stride: number
  /** Row of series `id` starts at `id × stride`. Replaced when the table grows: don't keep it over `ensure`. */
  data: Float64Array
  #capacity: number
  #dirty: Uint8Array

  constructor(stride: number, series: number) {
    this.stride = stride
    this.#capacity = Math.max(16, series)
    this.data = new Float64Array(this.#capacity * stride)
    this.#dirty = new Uint8Array(blocksFor(this.#capacity))
  }

  /** Ids below it have a row. */
  get capacity(): number {
    return this.#capacity
  }

  /** Makes room for `id` and marks its block as changed; returns where its row starts. */
  touch(id: number): number {
    if (id >= this.#capacity) this.#grow(id + 1)
    this.#dirty[id >>> 8] = 1
    return id * this.stride
  }

  /** Where the row of `id` starts, or -1 when it was never written. */
  find(id: number): number {
    return id < this.#capacity ? id * this.stride : -1
  }

  /** Changed blocks since the last call, encoded as little-endian f64. */
  *takeDirtyBlocks(): Iterable<readonly [block: number, bytes: Uint8Array]> {
    for (let block = 0; block < this.#dirty.length; block++) {
      if (this.#dirty[block] === 0) continue
      this.#dirty[block] = 0
      const from = block * BLOCK_SERIES * this.stride
      const cells = this.data.slice(from, from + BLOCK_SERIES * this.stride)
      yield [block, new Uint8Array(cells.buffer)]
    }
  }

  loadBlock(block: number, bytes: Uint8Array): void {
    // A Buffer's own slice would be a view of a pool that is not aligned.
    const copy = new Uint8Array(bytes)
    const cells = new Float64Array(copy.buffer, 0, copy.byteLength >>> 3)
    const rows = cells.length / this.stride
    const first = block * BLOCK_SERIES
    if (first + rows > this.#capacity) this.#grow(first + rows)
    this.data.set(cells, first * this.stride)
  }

  #grow(series: number): void {
    const capacity = Math.max(series, this.#capacity * 2)
    const data = new Float64Array(capacity * this.stride)
    data.set(this.data)
    const dirty = new Uint8Array(blocksFor(capacity))
    dirty.set(this.#dirty)
    this.data = data
    this.#dirty = dirty
    this.#capacity = capacity
  }
}

const blocksFor = (series: number): number => Math.ceil(series / BLOCK_SERIES)
