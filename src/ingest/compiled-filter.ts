import type { Condition } from '../core/plan.ts'
import { type FieldCondition, holdsOf } from './condition.ts'
import { ARRAY, FALSE, KINDS, MISSING, NULL, NUMBER, OBJECT, STRING, TRUE } from './json-walk.ts'
import type { WalkedDocument } from './walked-document.ts'

/** A condition over walked documents. Compiled once; nothing is made per event. */
export interface CompiledFilter {
  /** Is the condition true of the document? Throws `SymbolsFull`. */
  holds(document: WalkedDocument): boolean
  /** Forgets what it knows about symbols. */
  clear(): void
}

/** A symbol table is full: the document goes to JSON.parse, and all tables start anew. */
export class SymbolsFull extends Error {}

export function compileFilter(condition: Condition, document: WalkedDocument): CompiledFilter {
  switch (condition.kind) {
    case 'and':
      return new Every(condition.of.map((one) => compileFilter(one, document)))
    case 'or':
      return new Some(condition.of.map((one) => compileFilter(one, document)))
    case 'not':
      return new Not(compileFilter(condition.of, document))
    default:
      return new FieldFilter(condition, document.slot(condition.path))
  }
}

class Every implements CompiledFilter {
  readonly #of: readonly CompiledFilter[]

  constructor(of: readonly CompiledFilter[]) {
    this.#of = of
  }

  holds(document: WalkedDocument): boolean {
    for (let k = 0; k < this.#of.length; k++) {
      if (!(this.#of[k] as CompiledFilter).holds(document)) return false
    }
    return true
  }

  clear(): void {
    for (const one of this.#of) one.clear()
  }
}

class Some implements CompiledFilter {
  readonly #of: readonly CompiledFilter[]

  constructor(of: readonly CompiledFilter[]) {
    this.#of = of
  }

  holds(document: WalkedDocument): boolean {
    for (let k = 0; k < this.#of.length; k++) {
      if ((this.#of[k] as CompiledFilter).holds(document)) return true
    }
    return false
  }

  clear(): void {
    for (const one of this.#of) one.clear()
  }
}

class Not implements CompiledFilter {
  readonly #of: CompiledFilter

  constructor(of: CompiledFilter) {
    this.#of = of
  }

  holds(document: WalkedDocument): boolean {
    return !this.#of.holds(document)
  }

  clear(): void {
    this.#of.clear()
  }
}

const UNKNOWN = 0
const NO = 1
const YES = 2

/** A condition on one field: its answer is known per kind, and per symbol once the text was met. */
class FieldFilter implements CompiledFilter {
  readonly #condition: FieldCondition
  readonly #slot: number
  /** By kind, for the kinds that have one value. */
  readonly #ofKind: readonly boolean[]
  /** Numbers are compared as they are, so that a field with a value per event needs no symbols. */
  readonly #needsNumberText: boolean
  #ofSymbol = new Uint8Array(256)

  constructor(condition: FieldCondition, slot: number) {
    this.#condition = condition
    this.#slot = slot
    this.#needsNumberText = condition.kind === 'matches'
    const answers = new Array<boolean>(KINDS).fill(false)
    answers[MISSING] = holdsOf(condition, { value: undefined, text: undefined })
    answers[NULL] = holdsOf(condition, { value: null, text: undefined })
    answers[TRUE] = holdsOf(condition, { value: true, text: 'true' })
    answers[FALSE] = holdsOf(condition, { value: false, text: 'false' })
    answers[OBJECT] = holdsOf(condition, { value: {}, text: undefined })
    answers[ARRAY] = holdsOf(condition, { value: [], text: undefined })
    this.#ofKind = answers
  }

  holds(document: WalkedDocument): boolean {
    const kind = document.kind[this.#slot] as number
    if (kind === STRING) return this.#holdsString(document)
    if (kind === NUMBER) return this.#holdsNumber(document)
    return this.#ofKind[kind] as boolean
  }

  clear(): void {
    this.#ofSymbol.fill(UNKNOWN)
  }

  #holdsString(document: WalkedDocument): boolean {
    const symbol = document.symbolOf(this.#slot)
    if (symbol < 0) throw new SymbolsFull()
    const known = this.#ofSymbol[symbol]
    if (known === YES) return true
    if (known === NO) return false
    const text = document.textOfSymbol(this.#slot, symbol)
    const answer = holdsOf(this.#condition, { value: text, text })
    if (symbol >= this.#ofSymbol.length) {
      const more = new Uint8Array(Math.max(symbol + 1, this.#ofSymbol.length * 2))
      more.set(this.#ofSymbol)
      this.#ofSymbol = more
    }
    this.#ofSymbol[symbol] = answer ? YES : NO
    return answer
  }

  #holdsNumber(document: WalkedDocument): boolean {
    const condition = this.#condition
    const value = document.numberOf(this.#slot)
    if (condition.kind === 'compare' && typeof condition.value === 'number') {
      const literal = condition.value
      switch (condition.op) {
        case '<':
          return value < literal
        case '<=':
          return value <= literal
        case '>':
          return value > literal
        case '>=':
          return value >= literal
        case '==':
          return value === literal
        case '!=':
          return value !== literal
      }
    }
    const text = this.#needsNumberText ? document.textOf(this.#slot) : undefined
    return holdsOf(condition, { value, text })
  }
}
