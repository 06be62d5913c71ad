import type { SeriesDictionary } from '../../core/series.ts'

/** Rows of one metric in columns; `length` of them. */
export interface PacketRows {
  readonly length: number
  readonly series: Int32Array
  readonly keyHigh: Uint32Array
  readonly keyLow: Uint32Array
  readonly outcome: Uint8Array
  readonly time: Float64Array
  /** Last tie-break of dedup. */
  readonly tie: Uint32Array
  readonly values: readonly Float64Array[]
}

export interface PacketMetric {
  /** Series that the receiver does not know yet, in the order of the sender's ids. */
  readonly series: readonly (readonly string[])[]
  readonly rows: PacketRows
}

/** Rows on their way to the lane that owns their users. */
export interface RowPacket {
  readonly rows: number
  /** By metric; undefined: none. */
  readonly metrics: readonly (PacketMetric | undefined)[]
}

/** Rows of one metric for one lane. */
export class PacketColumns {
  /** Rows collected. */
  length = 0
  readonly #dictionary: SeriesDictionary
  /** Series that the receiver was told of. */
  #told = 0
  #capacity = 0
  #series = new Int32Array(0)
  #keyHigh = new Uint32Array(0)
  #keyLow = new Uint32Array(0)
  #outcome = new Uint8Array(0)
  #time = new Float64Array(0)
  #tie = new Uint32Array(0)
  #values: Float64Array[]

  /** @param told series that the receiver knows from its state, with the same ids */
  constructor(dictionary: SeriesDictionary, values: number) {
    this.#dictionary = dictionary
    this.#values = Array.from({ length: values }, () => new Float64Array(0))
  }

  append(
    series: number,
    keyHigh: number,
    keyLow: number,
    outcome: number,
    time: number,
    tie: number,
    values: readonly Float64Array[],
    row: number,
  ): void {
    if (this.length === this.#capacity) this.#grow()
    const at = this.length++
    this.#series[at] = series
    this.#keyHigh[at] = keyHigh
    this.#keyLow[at] = keyLow
    this.#outcome[at] = outcome
    this.#time[at] = time
    this.#tie[at] = tie
    for (let index = 0; index < this.#values.length; index++) {
      const column = this.#values[index] as Float64Array
      column[at] = values[index]?.[row] ?? Number.NaN
    }
  }

  /** What was collected, in buffers of its own. */
  take(): PacketMetric | undefined {
    const { length } = this
    if (length === 0) return undefined
    const series: (readonly string[])[] = []
    for (; this.#told < this.#dictionary.size; this.#told++) {
      series.push(this.#dictionary.valuesOf(this.#told))
    }
    this.length = 0
    return {
      series,
      rows: {
        length,
        series: this.#series.slice(0, length),
        keyHigh: this.#keyHigh.slice(0, length),
        keyLow: this.#keyLow.slice(0, length),
        outcome: this.#outcome.slice(0, length),
        time: this.#time.slice(0, length),
        tie: this.#tie.slice(0, length),
        values: this.#values.map((column) => column.slice(0, length)),
      },
    }
  }

  #grow(): void {
    this.#capacity = Math.max(256, this.#capacity * 2)
    const keep = <T extends { set(from: T): void }>(next: T, old: T): T => {
      next.set(old)
      return next
    }
    this.#series = keep(new Int32Array(this.#capacity), this.#series)
    this.#keyHigh = keep(new Uint32Array(this.#capacity), this.#keyHigh)
    this.#keyLow = keep(new Uint32Array(this.#capacity), this.#keyLow)
    this.#outcome = keep(new Uint8Array(this.#capacity), this.#outcome)
    this.#time = keep(new Float64Array(this.#capacity), this.#time)
    this.#tie = keep(new Uint32Array(this.#capacity), this.#tie)
    this.#values = this.#values.map((column) => keep(new Float64Array(this.#capacity), column))
  }
}
