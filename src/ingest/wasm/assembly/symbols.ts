import { alloc, same } from './bytes'
import { NULL, Slot } from './paths'

/** Bounds of the table; beyond them everything is forgotten and learnt anew. */
const MAX_SYMBOLS: u32 = 262144
const MAX_BYTES: usize = 16777216

/** One text; behind it lie the answers that were derived from it. */
@unmanaged
class Symbol {
  /** Where its text lies in `texts`. */
  text: usize
  length: usize
}

/** A text of at most 16 bytes that was asked for lately: most dimensions have few values, and those are short. */
@unmanaged
class Recent {
  /** Its bytes, zeros behind them. */
  first: u64
  second: u64
  length: usize
  /** + 1; 0 for none. */
  symbol: u32
}

const RECENT: usize = 1024
const RECENT_BYTES: usize = 24
const recents: usize = alloc(RECENT * RECENT_BYTES)

const MULTIPLIERS: usize = 64
/** Multipliers of the hash of texts and tuples, one for each 32 bits; secret, so that nobody can send texts that collide. */
export const multipliers: usize = alloc(MULTIPLIERS * sizeof<u64>())

/** Open addressing: hash, symbol + 1. */
let cells: usize = 0
let mask: u32 = 0
let symbols: usize = 0
let capacity: u32 = 0
let count: u32 = 0
let stride: usize = 0
let texts: usize = 0
let textsSize: usize = 0
let textsUsed: usize = 0

/** Makes the table. @param answerBytes kept with every symbol, zeroed when it is new */
export function makeSymbols(answerBytes: i32): void {
  stride = (offsetof<Symbol>() + <usize>answerBytes + 7) & ~7
  capacity = 128
  mask = 255
  cells = alloc(256 << 3)
  symbols = alloc(<usize>capacity * stride)
  textsSize = 4096
  texts = alloc(textsSize)
}

/** Where the answers of a symbol lie. */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function answersOf(symbol: i32): usize {
  return symbols + <usize>symbol * stride + offsetof<Symbol>()
}

export function textOf(symbol: i32): usize {
  return texts + changetype<Symbol>(symbols + <usize>symbol * stride).text
}

export function textLengthOf(symbol: i32): usize {
  return changetype<Symbol>(symbols + <usize>symbol * stride).length
}

/** Symbol of a slot's string, number or boolean; -1 when the table is full. */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function symbolOf(slot: Slot): i32 {
  if (slot.symbol != 0) return slot.symbol - 1
  const symbol = intern(slot.from, slot.to - slot.from)
  slot.symbol = symbol + 1
  return symbol
}

/** Symbol of a text, new when it was never seen; -1 when the table is full. Reads up to 16 bytes more. */
export function intern(from: usize, length: usize): i32 {
  if (length > 16) return lookUp(from, length)
  const short = length < 8
  const tail = (<u64>1 << ((<u64>length & 7) << 3)) - 1
  const first = short ? load<u64>(from) & tail : load<u64>(from)
  const second = short ? 0 : length == 16 ? load<u64>(from, 8) : load<u64>(from, 8) & tail
  const cell = ((first ^ (second * 0x9e3779b97f4a7c15) ^ length) * 0xd6e8feb86659fd93) >> 54
  const recent = changetype<Recent>(recents + <usize>cell * RECENT_BYTES)
  if (recent.symbol != 0 && recent.first == first && recent.second == second && recent.length == length) {
    return recent.symbol - 1
  }
  const symbol = lookUp(from, length)
  if (symbol >= 0) {
    recent.first = first
    recent.second = second
    recent.length = length
    recent.symbol = symbol + 1
  }
  return symbol
}

function lookUp(from: usize, length: usize): i32 {
  const hash = hashOf(from, length)
  let cell = hash & mask
  for (;;) {
    const at = cells + (<usize>cell << 3)
    const symbol = load<u32>(at, 4)
    if (symbol == 0) break
    if (load<u32>(at) == hash) {
      const known = changetype<Symbol>(symbols + <usize>(symbol - 1) * stride)
      if (known.length == length && same(texts + known.text, from, length)) return symbol - 1
    }
    cell = (cell + 1) & mask
  }
  return add(from, length, hash)
}

export function forgetSymbols(): void {
  memory.fill(cells, 0, (<usize>mask + 1) << 3)
  memory.fill(recents, 0, RECENT * RECENT_BYTES)
  count = 0
  textsUsed = 0
}

function add(from: usize, length: usize, hash: u32): i32 {
  if (count == MAX_SYMBOLS || textsUsed + length > MAX_BYTES) return -1
  if (textsUsed + length > textsSize) {
    textsSize = max(textsUsed + length, textsSize * 2)
    const more = alloc(textsSize)
    memory.copy(more, texts, textsUsed)
    texts = more
  }
  if (count == capacity) grow()
  const symbol = count++
  const known = changetype<Symbol>(symbols + <usize>symbol * stride)
  memory.fill(changetype<usize>(known), 0, stride)
  known.text = textsUsed
  known.length = length
  memory.copy(texts + textsUsed, from, length)
  textsUsed += length
  put(hash, symbol + 1)
  return symbol
}

function put(hash: u32, symbol: u32): void {
  let cell = hash & mask
  while (load<u32>(cells + (<usize>cell << 3), 4) != 0) cell = (cell + 1) & mask
  store<u32>(cells + (<usize>cell << 3), hash)
  store<u32>(cells + (<usize>cell << 3), symbol, 4)
}

function grow(): void {
  const more = alloc(<usize>capacity * 2 * stride)
  memory.copy(more, symbols, <usize>capacity * stride)
  symbols = more
  capacity *= 2
  const old = cells
  const oldEnd = cells + ((<usize>mask + 1) << 3)
  mask = mask * 2 + 1
  cells = alloc((<usize>mask + 1) << 3)
  for (let p = old; p < oldEnd; p += 8) {
    if (load<u32>(p, 4) != 0) put(load<u32>(p), load<u32>(p, 4))
  }
}

// @ts-ignore: a decorator of AssemblyScript
@inline
export function multiplier(k: usize): u64 {
  return load<u64>(multipliers + ((k & (MULTIPLIERS - 1)) << 3))
}

/**
 * Multilinear over words of 32 bits: two texts of up to 250 bytes collide with probability 2^-32 over the choice of the
 * multipliers. Source: Lemire & Kaser, "Strongly universal string hashing is fast", 2014.
 */
function hashOf(from: usize, length: usize): u32 {
  let hash = (<u64>length + 1) * multiplier(0)
  let k: usize = 1
  while (length >= 4) {
    hash += <u64>load<u32>(from) * multiplier(k++)
    from += 4
    length -= 4
    if (k == MULTIPLIERS) {
      hash = (hash ^ (hash >> 32)) * (multiplier(0) | 1)
      k = 1
    }
  }
  if (length != 0) hash += <u64>(load<u32>(from) & ((1 << (<u32>length << 3)) - 1)) * multiplier(k)
  return <u32>(hash >> 32)
}
