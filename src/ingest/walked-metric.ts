import {
  type EventPlan,
  type MetricPlan,
  needsIntegerUser,
  needsOutcome,
  needsUser,
  OTHER_OUTCOME,
} from '../core/plan.ts'
import type { MetricRows } from '../core/rows.ts'
import type { SeriesDictionary } from '../core/series.ts'
import { type CompiledFilter, compileFilter, SymbolsFull } from './compiled-filter.ts'
import { outcomeCode } from './decode-json-parse.ts'
import { integerUser } from './integer-user.ts'
import { ARRAY, MISSING, NULL, NUMBER, OBJECT, STRING } from './json-walk.ts'
import type { KeyHash } from './key-hash.ts'
import { SeriesSeeds } from './series-seeds.ts'
import { TupleTable } from './tuple-table.ts'
import type { WalkedDocument } from './walked-document.ts'

/** Appends the rows of one metric; what it can't make a row of is left to the reference, which says why. */
export class WalkedMetric {
  readonly #document: WalkedDocument
  readonly #plan: MetricPlan
  readonly #event: EventPlan
  readonly #dictionary: SeriesDictionary
  readonly #hash: KeyHash
  readonly #seeds: SeriesSeeds
  readonly #where: CompiledFilter | undefined
  readonly #dimensionSlots: Int32Array
  /** UTF-8 of the values that stand in for missing dimensions. */
  readonly #standIns: readonly (Uint8Array | undefined)[]
  /** Symbols of the event's dimensions. */
  readonly #tuple: Int32Array
  readonly #seriesOf: TupleTable
  /** -1 when the metric does not need it, or there is no such field. */
  readonly #userSlot: number
  readonly #needsUser: boolean
  /** The lower half of the key is the user. */
  readonly #integers: boolean
  readonly #outcomeSlot: number
  readonly #needsOutcome: boolean
  /** Code + 1 by symbol; 0 when not yet known. */
  #codeOf = new Uint16Array(64)
  readonly #valueSlots: Int32Array

  constructor(
    plan: MetricPlan,
    event: EventPlan,
    document: WalkedDocument,
    dictionary: SeriesDictionary,
    hash: KeyHash,
  ) {
    this.#document = document
    this.#plan = plan
    this.#event = event
    this.#dictionary = dictionary
    this.#hash = hash
    this.#seeds = new SeriesSeeds(dictionary, hash)
    this.#where = plan.where === undefined ? undefined : compileFilter(plan.where, document)
    this.#dimensionSlots = Int32Array.from(plan.dimensions, ({ path }) => document.slot(path))
    const encoder = new TextEncoder()
    this.#standIns = plan.dimensions.map(({ missing }) =>
      missing === undefined ? undefined : encoder.encode(missing),
    )
    this.#tuple = new Int32Array(plan.dimensions.length)
    this.#seriesOf = new TupleTable(plan.dimensions.length)
    this.#needsUser = needsUser(plan)
    this.#integers = needsIntegerUser(plan)
    this.#userSlot = this.#needsUser && event.user !== undefined ? document.slot(event.user) : -1
    this.#needsOutcome = needsOutcome(plan)
    this.#outcomeSlot =
      this.#needsOutcome && event.outcome !== undefined ? document.slot(event.outcome) : -1
    this.#valueSlots = Int32Array.from(plan.values, ({ path }) => document.slot(path))
  }

  /** Appends a row for the event at index `event`, or none when the metric does not want it. False: ask the reference. Throws `SymbolsFull`. */
  append(event: number, rows: MetricRows): boolean {
    const document = this.#document
    if (this.#where !== undefined && !this.#where.holds(document)) return true
    if (!this.#readDimensions()) return false
    const userSlot = this.#userSlot
    if (this.#needsUser && !this.#hasUser(userSlot)) return false
    const integer = this.#integers ? this.#integerUser(userSlot) : 0
    if (integer < 0) return false
    const outcome = this.#needsOutcome ? this.#outcome() : OTHER_OUTCOME
    if (outcome < 0) return false
    const at = rows.length
    for (let column = 0; column < this.#valueSlots.length; column++) {
      const slot = this.#valueSlots[column] as number
      const kind = document.kind[slot]
      const value = document.numberOf(slot)
      // A missing value is NaN by right; a value that is no finite number is not.
      if (kind !== MISSING && kind !== NULL && !Number.isFinite(value)) return false
      ;(rows.values[column] as Float64Array)[at] = value
    }
    let series = this.#seriesOf.get(this.#tuple)
    if (series < 0) series = this.#learnSeries()
    if (series < 0) return false
    rows.event[at] = event
    rows.series[at] = series
    rows.outcome[at] = outcome
    if (this.#needsUser) {
      const hash = this.#hash
      hash.user(
        document.bytesOf(userSlot),
        document.from[userSlot] as number,
        document.to[userSlot] as number,
        this.#seeds.high(series),
        this.#seeds.low(series),
      )
      rows.keyHigh[at] = hash.high
      rows.keyLow[at] = this.#integers ? integer : hash.low
    }
    rows.length = at + 1
    return true
  }

  /** Forgets what it knows about symbols. */
  clearSymbols(): void {
    this.#seriesOf.clear()
    this.#codeOf.fill(0)
    this.#where?.clear()
  }

  #readDimensions(): boolean {
    const document = this.#document
    for (let k = 0; k < this.#tuple.length; k++) {
      const slot = this.#dimensionSlots[k] as number
      const kind = document.kind[slot]
      let symbol = -1
      if (kind === MISSING || kind === NULL) {
        const standIn = this.#standIns[k]
        if (standIn === undefined) return false
        symbol = document.symbolOfText(slot, standIn)
      } else if (kind === OBJECT || kind === ARRAY) return false
      else symbol = document.symbolOf(slot)
      if (symbol < 0) throw new SymbolsFull()
      this.#tuple[k] = symbol
    }
    return true
  }

  #hasUser(slot: number): boolean {
    if (slot < 0) return false
    const document = this.#document
    const kind = document.kind[slot]
    if (kind === NUMBER) return true
    return kind === STRING && (document.to[slot] as number) > (document.from[slot] as number)
  }

  #integerUser(slot: number): number {
    const document = this.#document
    return integerUser(
      document.bytesOf(slot),
      document.from[slot] as number,
      document.to[slot] as number,
    )
  }

  /** Code of the outcome; -1 when there is none. */
  #outcome(): number {
    const slot = this.#outcomeSlot
    if (slot < 0) return -1
    const document = this.#document
    const kind = document.kind[slot]
    if (kind === MISSING || kind === NULL || kind === OBJECT || kind === ARRAY) return -1
    const symbol = document.symbolOf(slot)
    if (symbol < 0) throw new SymbolsFull()
    const known = this.#codeOf[symbol]
    if (known !== undefined && known > 0) return known - 1
    const code = outcomeCode(this.#event, this.#plan, document.textOfSymbol(slot, symbol))
    if (symbol >= this.#codeOf.length) {
      const more = new Uint16Array(Math.max(symbol + 1, this.#codeOf.length * 2))
      more.set(this.#codeOf)
      this.#codeOf = more
    }
    this.#codeOf[symbol] = code + 1
    return code
  }

  #learnSeries(): number {
    const document = this.#document
    const texts: string[] = []
    for (let k = 0; k < this.#tuple.length; k++) {
      const slot = this.#dimensionSlots[k] as number
      texts.push(document.textOfSymbol(slot, this.#tuple[k] as number))
    }
    const series = this.#dictionary.idOf(texts)
    if (series >= 0 && !this.#seriesOf.set(this.#tuple, series)) throw new SymbolsFull()
    return series
  }
}
