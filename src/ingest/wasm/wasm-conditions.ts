import type { Condition, FieldPath, Scalar } from '../../core/plan.ts'
import { type FieldCondition, holdsOf } from '../condition.ts'
import { ARRAY, FALSE, MISSING, NULL, NUMBER, OBJECT, STRING, TRUE } from '../json-walk.ts'
import type { DecoderExports } from './wasm-engine.ts'
import type { WasmViews } from './wasm-views.ts'

const COMBINATIONS = { and: 0, or: 1, not: 2 } as const

/** How strings and numbers are judged; the same numbers as in src/ingest/wasm/assembly/conditions.ts. */
const BY_KIND = 0
const BY_LITERALS = 1
const BY_HOST = 2
const ORDERS = { '<': 3, '<=': 4, '>': 5, '>=': 6 } as const

const HALF_OF_A_PAIR = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/**
 * The filters of a config in a module's memory. Equality, `in` and the order of numbers are decided there. The host is asked for
 * patterns and the order of strings: for a string once, then its symbol knows, for a number (`matches` alone) every time.
 */
export class WasmConditions {
  readonly #exports: DecoderExports
  readonly #views: WasmViews
  readonly #slot: (path: FieldPath) => number
  readonly #asked: FieldCondition[] = []

  constructor(exports: DecoderExports, views: WasmViews, slot: (path: FieldPath) => number) {
    this.#exports = exports
    this.#views = views
    this.#slot = slot
  }

  /** Address of the condition in the module; 0 for none. */
  add(condition: Condition | undefined): number {
    if (condition === undefined) return 0
    switch (condition.kind) {
      case 'and':
      case 'or':
        return this.#addCombination(condition.kind, condition.of)
      case 'not':
        return this.#addCombination('not', [condition.of])
      default:
        return this.#addField(condition)
    }
  }

  holdsOfString(index: number, text: string): boolean {
    return holdsOf(this.#asked[index] as FieldCondition, { value: text, text })
  }

  holdsOfNumber(index: number, text: string): boolean {
    return holdsOf(this.#asked[index] as FieldCondition, { value: Number(text), text })
  }

  #addCombination(kind: 'and' | 'or' | 'not', parts: readonly Condition[]): number {
    const made = this.#exports.makeCombination(COMBINATIONS[kind], parts.length)
    for (const part of parts) this.#exports.makePart(made, this.add(part))
    return made
  }

  #addField(condition: FieldCondition): number {
    const { strings, numbers, equalTo } = judgement(condition)
    const texts = equalTo.filter((one) => typeof one === 'string' && !HALF_OF_A_PAIR.test(one))
    const literals = equalTo.filter((one) => typeof one === 'number')
    const index = this.#asked.push(condition) - 1
    const onEqual = condition.kind === 'compare' && condition.op === '!=' ? 0 : 1
    const made = this.#exports.makeFieldCondition(
      this.#slot(condition.path),
      answersByKind(condition),
      strings,
      numbers,
      onEqual,
      texts.length,
      literals.length,
      index,
      index,
    )
    for (const text of texts) {
      const bytes = new TextEncoder().encode(String(text))
      this.#exports.makeText(made, this.#views.keep(bytes), bytes.length)
    }
    for (const literal of literals) this.#exports.makeLiteral(made, Number(literal))
    return made
  }
}

/** Conditions on one field: each keeps a byte with every symbol. */
export function fieldConditions(condition: Condition | undefined): number {
  if (condition === undefined) return 0
  if (condition.kind === 'not') return fieldConditions(condition.of)
  if (condition.kind !== 'and' && condition.kind !== 'or') return 1
  return condition.of.reduce((sum, one) => sum + fieldConditions(one), 0)
}

interface Judgement {
  readonly strings: number
  readonly numbers: number
  readonly equalTo: readonly Scalar[]
}

function judgement(condition: FieldCondition): Judgement {
  switch (condition.kind) {
    case 'exists':
      return { strings: BY_KIND, numbers: BY_KIND, equalTo: [] }
    case 'in':
      return { strings: BY_LITERALS, numbers: BY_LITERALS, equalTo: condition.values }
    case 'matches':
      return { strings: BY_HOST, numbers: BY_HOST, equalTo: [] }
    case 'compare': {
      const { op, value } = condition
      if (op === '==' || op === '!=') {
        return { strings: BY_LITERALS, numbers: BY_LITERALS, equalTo: [value] }
      }
      const strings = typeof value === 'string' ? BY_HOST : BY_KIND
      const numbers = typeof value === 'number' ? ORDERS[op] : BY_KIND
      return { strings, numbers, equalTo: [value] }
    }
  }
}

/** Bit k is the answer for kind k. That for strings and numbers is read only where every one has the same. */
function answersByKind(condition: FieldCondition): number {
  const samples = {
    [MISSING]: { value: undefined, text: undefined },
    [NULL]: { value: null, text: undefined },
    [TRUE]: { value: true, text: 'true' },
    [FALSE]: { value: false, text: 'false' },
    [OBJECT]: { value: {}, text: undefined },
    [ARRAY]: { value: [], text: undefined },
    [STRING]: { value: '', text: '' },
    [NUMBER]: { value: 0, text: '0' },
  }
  let bits = 0
  for (const [kind, sample] of Object.entries(samples)) {
    if (holdsOf(condition, sample)) bits |= 1 << Number(kind)
  }
  return bits
}
