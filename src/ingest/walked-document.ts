import type { FieldPath } from '../core/plan.ts'
import { JsonPaths } from './json-paths.ts'
import { FALSE, JsonWalk, NUMBER, STRING, TRUE } from './json-walk.ts'
import { SymbolTable } from './symbol-table.ts'

const TRUE_TEXT = Buffer.from('true')
const FALSE_TEXT = Buffer.from('false')

/** The fields of the document that was walked last: as kinds, numbers and symbols, without a string. */
export class WalkedDocument {
  readonly kind: Uint8Array
  readonly from: Int32Array
  readonly to: Int32Array
  readonly #paths: JsonPaths
  readonly #walk: JsonWalk
  readonly #tables: readonly SymbolTable[]
  /** By slot: symbol of its text, -1 when not yet asked for. */
  readonly #symbols: Int32Array
  #bytes: Buffer = TRUE_TEXT

  constructor(paths: readonly FieldPath[]) {
    this.#paths = new JsonPaths(paths)
    this.#walk = new JsonWalk(this.#paths)
    this.#tables = Array.from({ length: this.#paths.size }, () => new SymbolTable())
    this.#symbols = new Int32Array(this.#paths.size)
    this.kind = this.#walk.kind
    this.from = this.#walk.from
    this.to = this.#walk.to
  }

  slot(path: FieldPath): number {
    return this.#paths.slot(path)
  }

  /** False when the document must go to JSON.parse. */
  read(bytes: Buffer, start: number, end: number): boolean {
    this.#bytes = bytes
    const symbols = this.#symbols
    for (let slot = 0; slot < symbols.length; slot++) symbols[slot] = -1
    return this.#walk.walk(bytes, start, end)
  }

  /** Where the bytes of a string or number lie. */
  bytesOf(slot: number): Buffer {
    return this.#walk.resolved[slot] === 1 ? this.#walk.scratch : this.#bytes
  }

  /** Symbol of a string's, number's or boolean's text, in the table of its slot; -1 when that is full. */
  symbolOf(slot: number): number {
    let symbol = this.#symbols[slot] as number
    if (symbol >= 0) return symbol
    const table = this.#tables[slot] as SymbolTable
    const kind = this.kind[slot]
    if (kind === TRUE) symbol = table.symbolOf(TRUE_TEXT, 0, 4)
    else if (kind === FALSE) symbol = table.symbolOf(FALSE_TEXT, 0, 5)
    else {
      symbol = table.symbolOf(
        this.bytesOf(slot),
        this.from[slot] as number,
        this.to[slot] as number,
      )
    }
    this.#symbols[slot] = symbol
    return symbol
  }

  /** Symbol of a text that is not in the document. */
  symbolOfText(slot: number, text: Uint8Array): number {
    return (this.#tables[slot] as SymbolTable).symbolOf(text, 0, text.length)
  }

  textOfSymbol(slot: number, symbol: number): string {
    return (this.#tables[slot] as SymbolTable).textOf(symbol)
  }

  /** Text of a string or number, made anew. */
  textOf(slot: number): string {
    return this.bytesOf(slot).toString('utf8', this.from[slot], this.to[slot])
  }

  /** Value of a number, or of a string that holds one; NaN when it holds none. */
  numberOf(slot: number): number {
    const kind = this.kind[slot]
    if (kind !== NUMBER && kind !== STRING) return Number.NaN
    return decimal(this.bytesOf(slot), this.from[slot] as number, this.to[slot] as number)
  }

  /** Forgets all symbols. */
  clearSymbols(): void {
    for (const table of this.#tables) table.clear()
    this.#symbols.fill(-1)
  }
}

/** 10^k is exact in binary up to k = 22. */
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))
const NUMERIC_TEXT = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/

/**
 * The number that `start ≤ i < end` spells, rounded as JSON.parse rounds; NaN when it spells none. Up to 15 digits without an
 * exponent are read here: digits and power of ten are exact, so that one division rounds once. The rest goes to `Number`.
 */
export function decimal(b: Buffer, start: number, end: number): number {
  let i = start
  const negative = b[i] === 45
  if (negative) i++
  let value = 0
  let point = -1
  const first = i
  for (; i < end; i++) {
    const c = b[i] as number
    if (c >= 48 && c <= 57) value = value * 10 + (c - 48)
    else if (c === 46 && point < 0) point = i
    else return decimalText(b, start, end)
  }
  const digits = point < 0 ? end - first : end - first - 1
  if (digits < 1 || digits > 15 || point === first || point === end - 1) {
    return decimalText(b, start, end)
  }
  if (point >= 0) value /= POWERS_OF_TEN[end - point - 1] as number
  return negative ? -value : value
}

/** The number that `start ≤ i < end` spells, NaN when it spells none; as slow as it is general. */
export function decimalText(b: Buffer, start: number, end: number): number {
  const text = b.toString('latin1', start, end)
  return NUMERIC_TEXT.test(text) ? Number(text) : Number.NaN
}
