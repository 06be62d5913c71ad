import { alloc, same } from './bytes'
import { holdsOfNumber, holdsOfString } from './host'
import { decimal } from './numbers'
import { NUMBER, Slot, slotAt, STRING } from './paths'
import { answersOf, symbolOf } from './symbols'

/** Answers of a condition; `FULL`: the symbol table is. */
export const NO = 0
export const YES = 1
export const FULL = -1

const AND: u32 = 0
const OR: u32 = 1
const NOT: u32 = 2

/** How strings and numbers are judged; the bit of their kind says it for `BY_KIND`. */
const BY_KIND: u32 = 0
/** Equal to one of the literals? */
const BY_LITERALS: u32 = 1
/** By the host: once for each symbol, or for each number. */
const BY_HOST: u32 = 2
const LESS: u32 = 3
const LESS_OR_EQUAL: u32 = 4
const GREATER: u32 = 5

@unmanaged
class Condition {
  kind: u32
  /** Of `and`, `or`, `not`. */
  parts: usize
  partCount: u32
  /** Of a condition on a field: bit k is the answer for kind k. */
  kinds: u32
  slot: Slot
  strings: u32
  numbers: u32
  /** The answer for a field that equals a literal. */
  onEqual: bool
  /** Address and length of each. */
  texts: usize
  textCount: u32
  literals: usize
  literalCount: u32
  /** Where its answers lie behind a symbol: 0 unknown, 1 no, 2 yes. */
  answer: usize
  /** Number that the host knows it by. */
  index: i32
}

/** @param kind 0 and, 1 or, 2 not */
export function makeCombination(kind: u32, partCount: u32): usize {
  const made = changetype<Condition>(alloc(offsetof<Condition>()))
  made.kind = kind
  made.parts = alloc(partCount * sizeof<usize>())
  return changetype<usize>(made)
}

export function makePart(owner: usize, part: usize): void {
  const condition = changetype<Condition>(owner)
  store<usize>(condition.parts + condition.partCount * sizeof<usize>(), part)
  condition.partCount++
}

export function makeFieldCondition(
  slot: i32,
  kinds: u32,
  strings: u32,
  numbers: u32,
  onEqual: bool,
  textCount: u32,
  literalCount: u32,
  answer: i32,
  index: i32,
): usize {
  const made = changetype<Condition>(alloc(offsetof<Condition>()))
  made.kind = NOT + 1
  made.slot = slotAt(slot)
  made.kinds = kinds
  made.strings = strings
  made.numbers = numbers
  made.onEqual = onEqual
  made.texts = alloc(textCount << 3)
  made.literals = alloc(literalCount << 3)
  made.answer = <usize>answer
  made.index = index
  return changetype<usize>(made)
}

export function makeText(owner: usize, text: usize, length: usize): void {
  const condition = changetype<Condition>(owner)
  const at = condition.texts + (condition.textCount << 3)
  store<usize>(at, text)
  store<usize>(at, length, 4)
  condition.textCount++
}

export function makeLiteral(owner: usize, literal: f64): void {
  const condition = changetype<Condition>(owner)
  store<f64>(condition.literals + (condition.literalCount << 3), literal)
  condition.literalCount++
}

export function holds(address: usize): i32 {
  const condition = changetype<Condition>(address)
  const kind = condition.kind
  if (kind == AND || kind == OR) {
    const decisive = kind == AND ? NO : YES
    const end = condition.parts + condition.partCount * sizeof<usize>()
    for (let p = condition.parts; p < end; p += sizeof<usize>()) {
      const answer = holds(load<usize>(p))
      if (answer == decisive || answer == FULL) return answer
    }
    return 1 - decisive
  }
  if (kind == NOT) {
    const answer = holds(load<usize>(condition.parts))
    return answer == FULL ? FULL : 1 - answer
  }
  const found = condition.slot.kind
  if (found == STRING && condition.strings != BY_KIND) return holdsOfText(condition)
  if (found == NUMBER && condition.numbers != BY_KIND) return <i32>holdsOfDecimal(condition)
  return (condition.kinds >> found) & 1
}

function holdsOfText(condition: Condition): i32 {
  const slot = condition.slot
  if (condition.strings == BY_LITERALS) {
    const length = slot.to - slot.from
    const end = condition.texts + (condition.textCount << 3)
    for (let p = condition.texts; p < end; p += 8) {
      if (load<usize>(p, 4) == length && same(load<usize>(p), slot.from, length)) {
        return <i32>condition.onEqual
      }
    }
    return <i32>!condition.onEqual
  }
  const symbol = symbolOf(slot)
  if (symbol < 0) return FULL
  const known = answersOf(symbol) + condition.answer
  if (load<u8>(known) == 0) store<u8>(known, holdsOfString(condition.index, symbol) ? 2 : 1)
  return load<u8>(known) - 1
}

function holdsOfDecimal(condition: Condition): bool {
  const slot = condition.slot
  const how = condition.numbers
  if (how == BY_HOST) return holdsOfNumber(condition.index, slot.from, slot.to)
  const number = decimal(slot.from, slot.to)
  if (how == BY_LITERALS) {
    const end = condition.literals + (condition.literalCount << 3)
    for (let p = condition.literals; p < end; p += 8) {
      if (load<f64>(p) == number) return condition.onEqual
    }
    return !condition.onEqual
  }
  const literal = load<f64>(condition.literals)
  if (how == LESS) return number < literal
  if (how == LESS_OR_EQUAL) return number <= literal
  return how == GREATER ? number > literal : number >= literal
}
