import type { MetricPlan } from '../core/plan.ts'
import { needsIntegerUser, needsUser } from '../core/plan.ts'
import type { DecodedBatch, MetricRows } from '../core/rows.ts'
import type { SeriesDictionary } from '../core/series.ts'
import { createWindowAssigner, type Window, type WindowAssigner } from '../core/window.ts'
import type { KeyAnswer, KeyQuestion } from './key-question.ts'
import { beyondBound, type RawSeries } from './raw-series.ts'

/** Words of the hash that the values of a series add to those of its users. */
export type SeedOf = (values: readonly string[]) => { readonly high: number; readonly low: number }

/** What is known in one slice. */
interface SliceKeys {
  readonly window: Window
  /** By raw id: twice the id of the series, odd where a value of it is unknown; -1: not known yet. */
  series: Int32Array
  /** By dimension: values by key; empty where nothing is looked up. */
  readonly values: readonly ReadonlyMap<string, string>[]
}

/**
 * Puts the looked-up values into the rows of one metric and one lane: raw series in, series out, by one array read per row. Only a raw
 * series that its slice has not met needs an answer from elsewhere; its rows wait for that.
 */
export class RowEnricher {
  readonly #metric: number
  readonly #plan: MetricPlan
  readonly #raw: RawSeries
  readonly #dictionary: SeriesDictionary
  readonly #seedOf: SeedOf
  readonly #assigner: WindowAssigner
  readonly #keyed: boolean
  readonly #slices = new Map<number, SliceKeys>()
  #slice: SliceKeys | undefined
  /** By id of the series. */
  #seedHigh = new Int32Array(64)
  #seedLow = new Int32Array(64)
  #seeds = 0
  /** Rows of the batch that wait for an answer, and what it must say: by slice and dimension. */
  #waiting: number[] = []
  #open = new Map<number, Map<number, Set<string>>>()
  #unknownRows = 0

  constructor(
    metric: number,
    plan: MetricPlan,
    raw: RawSeries,
    dictionary: SeriesDictionary,
    seedOf: SeedOf,
  ) {
    this.#metric = metric
    this.#plan = plan
    this.#raw = raw
    this.#dictionary = dictionary
    this.#seedOf = seedOf
    this.#assigner = createWindowAssigner(plan.window)
    // An integer user is no hash, and is told apart by the series itself.
    this.#keyed = needsUser(plan) && !needsIntegerUser(plan)
  }

  /** Rewrites the rows of a decoded batch, but for those that wait; returns what must be answered for them. */
  begin(batch: DecodedBatch, rows: MetricRows): readonly KeyQuestion[] {
    this.#waiting = []
    const { time } = batch
    const { event, series, length } = rows
    const keyed = this.#keyed
    let start = Number.POSITIVE_INFINITY
    let end = Number.NEGATIVE_INFINITY
    let known = this.#slice
    if (known !== undefined) ({ start, end } = known.window)
    for (let row = 0; row < length; row++) {
      const at = time[event[row] as number] as number
      if (known === undefined || at < start || at >= end) {
        known = this.#sliceAt(at)
        ;({ start, end } = known.window)
      }
      const raw = series[row] as number
      let to = raw < known.series.length ? (known.series[raw] as number) : -1
      if (to < 0) {
        to = this.#find(known, raw)
        if (to < 0) {
          this.#waiting.push(row)
          continue
        }
      }
      const id = to >>> 1
      series[row] = id
      this.#unknownRows += to & 1
      if (keyed) this.#mix(rows, row, id)
    }
    this.#slice = known
    return this.#questions()
  }

  /** What `begin` asked for. */
  learn({ slice, dimension, keys, values }: KeyAnswer): void {
    const known = this.#slices.get(slice)?.values[dimension] as Map<string, string> | undefined
    keys.forEach((key, index) => {
      known?.set(key, values[index] ?? '')
    })
  }

  /** Rewrites the rows that waited, after everything was answered. */
  finish(batch: DecodedBatch, rows: MetricRows): void {
    for (const row of this.#waiting) {
      const known = this.#sliceAt(batch.time[rows.event[row] as number] as number)
      const to = this.#find(known, rows.series[row] as number)
      if (to < 0) throw new Error(`no answer for a key of ${this.#plan.name}`)
      rows.series[row] = to >>> 1
      this.#unknownRows += to & 1
      if (this.#keyed) this.#mix(rows, row, to >>> 1)
    }
    this.#waiting = []
    this.#open.clear()
  }

  /** Forgets slices of which no row will be counted any more. */
  drop(isGone: (slice: Window) => boolean): void {
    // The rows that wait are of slices that must stay until they are counted, or found to be late.
    if (this.#waiting.length > 0) return
    for (const [start, { window }] of this.#slices) if (isGone(window)) this.#slices.delete(start)
    this.#slice = undefined
  }

  /** Rows with an unknown value since the last call, and combinations of keys beyond the bound. */
  takeUnknown(): { readonly rows: number; readonly keys: number } {
    const unknown = { rows: this.#unknownRows, keys: this.#raw.beyond }
    this.#unknownRows = 0
    this.#raw.beyond = 0
    return unknown
  }

  #sliceAt(at: number): SliceKeys {
    const window = this.#assigner.sliceAt(at)
    const known = this.#slices.get(window.start)
    if (known !== undefined) return known
    const values = this.#plan.dimensions.map(() => new Map<string, string>())
    const slice = { window, series: new Int32Array(64).fill(-1), values }
    this.#slices.set(window.start, slice)
    return slice
  }

  /** Twice the id of the series, and whether a value is unknown; -1 where an answer is needed, which is noted. */
  #find(slice: SliceKeys, raw: number): number {
    const { dimensions } = this.#plan
    let isComplete = true
    let isUnknown = false
    const values = this.#raw.valuesOf(raw).map((text, dimension) => {
      const lookup = dimensions[dimension]?.lookup
      if (lookup === undefined) return text
      const value = text === beyondBound ? lookup.unknown : slice.values[dimension]?.get(text)
      if (value === undefined) {
        isComplete = false
        this.#ask(slice.window.start, dimension, text)
      } else if (value === lookup.unknown) isUnknown = true
      return value ?? ''
    })
    if (!isComplete) return -1
    let id = this.#dictionary.idOf(values)
    if (id < 0) {
      // Beyond `maxSeries` there is no new value, and the event still counts.
      isUnknown = true
      id = this.#dictionary.learn(
        values.map((value, dimension) => dimensions[dimension]?.lookup?.unknown ?? value),
      )
    }
    if (raw >= slice.series.length) {
      const grown = new Int32Array(Math.max(raw + 1, slice.series.length * 2)).fill(-1)
      grown.set(slice.series)
      slice.series = grown
    }
    const to = id * 2 + (isUnknown ? 1 : 0)
    slice.series[raw] = to
    this.#learnSeeds()
    return to
  }

  #ask(slice: number, dimension: number, key: string): void {
    const dimensions = this.#open.get(slice) ?? new Map<number, Set<string>>()
    this.#open.set(slice, dimensions)
    const keys = dimensions.get(dimension) ?? new Set<string>()
    dimensions.set(dimension, keys)
    keys.add(key)
  }

  #questions(): readonly KeyQuestion[] {
    const questions: KeyQuestion[] = []
    for (const [slice, dimensions] of this.#open) {
      for (const [dimension, keys] of dimensions) {
        questions.push({ metric: this.#metric, slice, dimension, keys: [...keys] })
      }
    }
    this.#open.clear()
    return questions
  }

  /** The decoder hashed the user and the values that are no keys; the rest of the series is added. */
  #mix(rows: MetricRows, row: number, id: number): void {
    const high = (rows.keyHigh[row] as number) ^ (this.#seedHigh[id] as number)
    const low = (rows.keyLow[row] as number) ^ (this.#seedLow[id] as number)
    rows.keyHigh[row] = high
    rows.keyLow[row] = (high | low) === 0 ? 1 : low
  }

  /** Seeds of the series that are new. */
  #learnSeeds(): void {
    if (!this.#keyed) return
    const { size } = this.#dictionary
    if (size > this.#seedHigh.length) {
      const high = new Int32Array(Math.max(size, this.#seedHigh.length * 2))
      const low = new Int32Array(high.length)
      high.set(this.#seedHigh)
      low.set(this.#seedLow)
      this.#seedHigh = high
      this.#seedLow = low
    }
    for (; this.#seeds < size; this.#seeds++) {
      const { high, low } = this.#seedOf(this.#dictionary.valuesOf(this.#seeds))
      this.#seedHigh[this.#seeds] = high
      this.#seedLow[this.#seeds] = low
    }
  }
}
