/** What an entry holds beside key and outcome. */
export interface EntryLayout {
  /** Event time and tie-break of the winner. */
  readonly timed: boolean
  /** Number of the winner's values. */
  readonly values: number
}

const initialCapacity = 16
const maxLoad = 0.75

/**
 * One open-addressing table with linear probing. A slot whose key is (0, 0) is empty.
 * Memory: 9 B a slot, 21 B when timed, + 8 B a value; load ≤ 0.75.
 */
export class Shard {
  readonly #layout: EntryLayout
  #mask = 0
  #size = 0
  #limit = 0
  #keys = new Uint32Array(0)
  #outcomes = new Uint8Array(0)
  #times = new Float64Array(0)
  #ties = new Uint32Array(0)
  #values = new Float64Array(0)

  constructor(layout: EntryLayout) {
    this.#layout = layout
    this.#allocate(initialCapacity)
  }

  get bytes(): number {
    return (
      this.#keys.byteLength +
      this.#outcomes.byteLength +
      this.#times.byteLength +
      this.#ties.byteLength +
      this.#values.byteLength
    )
  }

  /** Slot of the key, or the empty slot where it belongs. */
  find(high: number, low: number): number {
    const keys = this.#keys
    const mask = this.#mask
    let slot = (low ^ (high >>> 7)) & mask
    for (;;) {
      const foundLow = keys[slot * 2 + 1] as number
      const foundHigh = keys[slot * 2] as number
      if (foundLow === low && foundHigh === high) return slot
      if (foundLow === 0 && foundHigh === 0) return slot
      slot = (slot + 1) & mask
    }
  }

  isEmpty(slot: number): boolean {
    return this.#keys[slot * 2] === 0 && this.#keys[slot * 2 + 1] === 0
  }

  outcomeAt(slot: number): number {
    return this.#outcomes[slot] as number
  }

  timeAt(slot: number): number {
    return this.#times[slot] as number
  }

  tieAt(slot: number): number {
    return this.#ties[slot] as number
  }

  readValues(slot: number, into: Float64Array): void {
    const count = this.#layout.values
    for (let index = 0; index < count; index++) {
      into[index] = this.#values[slot * count + index] as number
    }
  }

  /** Fills an empty slot that `find` gave; slots found before are void afterwards, the table may have grown. */
  insert(
    slot: number,
    high: number,
    low: number,
    outcome: number,
    time: number,
    tie: number,
    values: readonly Float64Array[],
    row: number,
  ): void {
    this.#keys[slot * 2] = high
    this.#keys[slot * 2 + 1] = low
    this.write(slot, outcome, time, tie, values, row)
    if (++this.#size > this.#limit) this.#grow()
  }

  write(
    slot: number,
    outcome: number,
    time: number,
    tie: number,
    values: readonly Float64Array[],
    row: number,
  ): void {
    this.#outcomes[slot] = outcome
    if (!this.#layout.timed) return
    this.#times[slot] = time
    this.#ties[slot] = tie
    const count = this.#layout.values
    for (let index = 0; index < count; index++) {
      this.#values[slot * count + index] = values[index]?.[row] ?? Number.NaN
    }
  }

  #allocate(capacity: number): void {
    this.#mask = capacity - 1
    this.#limit = Math.floor(capacity * maxLoad)
    this.#keys = new Uint32Array(capacity * 2)
    this.#outcomes = new Uint8Array(capacity)
    if (!this.#layout.timed) return
    this.#times = new Float64Array(capacity)
    this.#ties = new Uint32Array(capacity)
    this.#values = new Float64Array(capacity * this.#layout.values)
  }

  #grow(): void {
    const keys = this.#keys
    const outcomes = this.#outcomes
    const times = this.#times
    const ties = this.#ties
    const values = this.#values
    const count = this.#layout.values
    this.#allocate(outcomes.length * 2)
    for (let old = 0; old < outcomes.length; old++) {
      const high = keys[old * 2] as number
      const low = keys[old * 2 + 1] as number
      if (high === 0 && low === 0) continue
      const slot = this.find(high, low)
      this.#keys[slot * 2] = high
      this.#keys[slot * 2 + 1] = low
      this.#outcomes[slot] = outcomes[old] as number
      if (!this.#layout.timed) continue
      this.#times[slot] = times[old] as number
      this.#ties[slot] = ties[old] as number
      for (let index = 0; index < count; index++) {
        this.#values[slot * count + index] = values[old * count + index] as number
      }
    }
  }
}
