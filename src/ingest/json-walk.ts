import type { JsonPaths } from './json-paths.ts'
import {
  hex4,
  isSimpleEscape,
  isSpace,
  number,
  PLAIN,
  plainEnd,
  resolveEscapes,
  skipSpace,
  utf8Length,
} from './json-text.ts'

/** What a slot holds. */
export const MISSING = 0
export const STRING = 1
export const NUMBER = 2
export const TRUE = 3
export const FALSE = 4
export const NULL = 5
export const OBJECT = 6
export const ARRAY = 7
export const KINDS = 8

/** Deeper documents are left to JSON.parse. */
const MAX_DEPTH = 64

const QUOTE = 34
const BACKSLASH = 92
const COLON = 58
const COMMA = 44
const MINUS = 45
const OPEN_OBJECT = 123
const CLOSE_OBJECT = 125
const OPEN_ARRAY = 91
const CLOSE_ARRAY = 93

/**
 * Reads the configured fields out of a JSON document without building it, and checks the whole document against RFC 8259 and
 * UTF-8 on the way. It says yes only when it is sure; what it refuses may still be right and belongs to JSON.parse.
 *
 * Every method returns the position behind what it read, -1 when it is not sure. Positions only grow, so one comparison with the
 * document's end in `walk` covers them all: a read past it sees the next record's bytes and fails there.
 */
export class JsonWalk {
  /** By slot: kind of the value. */
  readonly kind: Uint8Array
  /** By slot: bytes of the value, `from ≤ i < to`, without quotes; unset for objects and arrays. */
  readonly from: Int32Array
  readonly to: Int32Array
  /** By slot: 1 when the bytes lie in `scratch` (escapes were resolved), 0 when in the document. */
  readonly resolved: Uint8Array
  scratch: Buffer = Buffer.alloc(4096)
  readonly #paths: JsonPaths
  #scratchUsed = 0
  /** The bytes walked last, and a view that reads four of them at once. */
  #bytes: Buffer = this.scratch
  #view: DataView = new DataView(new ArrayBuffer(0))
  /** Of the string that `#restOfString` read last. */
  #escaped = false
  /** Of the value that `#value` read last. */
  #kind = MISSING

  constructor(paths: JsonPaths) {
    this.#paths = paths
    this.kind = new Uint8Array(paths.size)
    this.from = new Int32Array(paths.size)
    this.to = new Int32Array(paths.size)
    this.resolved = new Uint8Array(paths.size)
  }

  /** True when `start ≤ i < end` is surely one JSON object; its fields are then in the slots, until the next call. */
  walk(b: Buffer, start: number, end: number): boolean {
    const kind = this.kind
    for (let slot = 0; slot < kind.length; slot++) kind[slot] = MISSING
    this.#scratchUsed = 0
    if (b !== this.#bytes) {
      this.#bytes = b
      this.#view = new DataView(b.buffer, b.byteOffset, b.byteLength)
    }
    let i = start
    while (i < end && isSpace(b[i] as number)) i++
    if (i >= end || b[i] !== OPEN_OBJECT) return false
    if (this.scratch.length < end - start) this.scratch = Buffer.alloc((end - start) * 2)
    i = this.#object(b, i + 1, end, 0, 1)
    if (i < 0) return false
    while (i < end && isSpace(b[i] as number)) i++
    return i === end
  }

  /** Members of an object, from behind its `{`. `node`: its wanted keys, -1 for none. */
  #object(b: Buffer, at: number, end: number, node: number, depth: number): number {
    if (depth > MAX_DEPTH) return -1
    const paths = this.#paths
    const view = this.#view
    let i = at
    let c = b[i] as number
    if (c <= 32) {
      i = skipSpace(b, i, end)
      c = b[i] as number
    }
    if (c === CLOSE_OBJECT) return i + 1
    for (;;) {
      if (c !== QUOTE) return -1
      const keyFrom = ++i
      i = plainEnd(view, i, end)
      let entry = -1
      if (b[i] === QUOTE) {
        if (node >= 0) entry = paths.entry(node, b, keyFrom, i)
      } else {
        i = this.#restOfString(b, i, end)
        if (i < 0) return -1
        if (node >= 0) {
          entry = this.#escaped
            ? this.#escapedEntry(b, node, keyFrom, i)
            : paths.entry(node, b, keyFrom, i)
          if (entry < -1) return -1
        }
      }
      c = b[++i] as number
      if (c !== COLON) {
        i = skipSpace(b, i, end)
        if (b[i] !== COLON) return -1
      }
      c = b[++i] as number
      if (c <= 32) {
        i = skipSpace(b, i, end)
        c = b[i] as number
      }
      if (entry >= 0) i = this.#wanted(b, i, end, entry, depth)
      else if (c === QUOTE) {
        i++
        i = plainEnd(view, i, end)
        if (b[i] !== QUOTE) {
          i = this.#restOfString(b, i, end)
          if (i < 0) return -1
        }
        i++
      } else i = this.#value(b, i, end, -1, depth)
      if (i < 0) return -1
      c = b[i] as number
      if (c <= 32) {
        i = skipSpace(b, i, end)
        c = b[i] as number
      }
      if (c === CLOSE_OBJECT) return i + 1
      if (c !== COMMA) return -1
      c = b[++i] as number
      if (c <= 32) {
        i = skipSpace(b, i, end)
        c = b[i] as number
      }
    }
  }

  /** The value of a wanted key; what an earlier key of the same name gave is forgotten. */
  #wanted(b: Buffer, at: number, end: number, entry: number, depth: number): number {
    const paths = this.#paths
    const below = paths.nodeBelow[entry] as number
    if (below >= 0) {
      const slots = paths.slotsBelow[below] as Int32Array
      for (let k = 0; k < slots.length; k++) this.kind[slots[k] as number] = MISSING
    }
    const slot = paths.slotOf[entry] as number
    let i = at
    if (b[i] === QUOTE) {
      i++
      let escaped = false
      i = plainEnd(this.#view, i, end)
      if (b[i] !== QUOTE) {
        i = this.#restOfString(b, i, end)
        if (i < 0) return -1
        escaped = this.#escaped
      }
      if (slot >= 0 && !this.#setString(b, slot, at + 1, i, escaped)) return -1
      return i + 1
    }
    i = this.#value(b, i, end, below, depth)
    if (slot >= 0) {
      this.kind[slot] = this.#kind
      this.from[slot] = at
      this.to[slot] = i
      this.resolved[slot] = 0
    }
    return i
  }

  #setString(b: Buffer, slot: number, from: number, to: number, escaped: boolean): boolean {
    this.kind[slot] = STRING
    this.resolved[slot] = escaped ? 1 : 0
    this.from[slot] = from
    this.to[slot] = to
    if (!escaped) return true
    const used = this.#scratchUsed
    const written = resolveEscapes(b, from, to, this.scratch, used)
    if (written < 0) return false
    this.from[slot] = used
    this.to[slot] = written
    this.#scratchUsed = written
    return true
  }

  /** Entry of a key with escapes, -1 for none, -2 when the key is not well-formed. */
  #escapedEntry(b: Buffer, node: number, from: number, to: number): number {
    const used = this.#scratchUsed
    const written = resolveEscapes(b, from, to, this.scratch, used)
    return written < 0 ? -2 : this.#paths.entry(node, this.scratch, used, written)
  }

  /** Any value; its kind is left in `#kind`. */
  #value(b: Buffer, at: number, end: number, node: number, depth: number): number {
    const c = b[at] as number
    let i = at
    if (c === MINUS || (c >= 48 && c <= 57)) {
      i = number(b, at)
      this.#kind = NUMBER
    } else if (c === QUOTE) {
      i = this.#restOfString(b, at + 1, end) + 1
      this.#kind = STRING
      if (i === 0) return -1
    } else if (c === OPEN_OBJECT) {
      i = this.#object(b, at + 1, end, node, depth + 1)
      this.#kind = OBJECT
    } else if (c === OPEN_ARRAY) {
      i = this.#array(b, at + 1, end, depth + 1)
      this.#kind = ARRAY
    } else if (c === 116) {
      i = b[at + 1] === 114 && b[at + 2] === 117 && b[at + 3] === 101 ? at + 4 : -1
      this.#kind = TRUE
    } else if (c === 102) {
      const rest = b[at + 1] === 97 && b[at + 2] === 108 && b[at + 3] === 115 && b[at + 4] === 101
      i = rest ? at + 5 : -1
      this.#kind = FALSE
    } else if (c === 110) {
      i = b[at + 1] === 117 && b[at + 2] === 108 && b[at + 3] === 108 ? at + 4 : -1
      this.#kind = NULL
    } else return -1
    return i
  }

  /** Elements of an array, from behind its `[`. */
  #array(b: Buffer, at: number, end: number, depth: number): number {
    if (depth > MAX_DEPTH) return -1
    let i = skipSpace(b, at, end)
    if (b[i] === CLOSE_ARRAY) return i + 1
    for (;;) {
      i = this.#value(b, i, end, -1, depth)
      if (i < 0) return -1
      i = skipSpace(b, i, end)
      const c = b[i]
      if (c === CLOSE_ARRAY) return i + 1
      if (c !== COMMA) return -1
      i = skipSpace(b, i + 1, end)
    }
  }

  /** A string from anywhere inside it to its closing quote (which is where it returns), with escapes and UTF-8 checked. */
  #restOfString(b: Buffer, at: number, end: number): number {
    this.#escaped = false
    let i = at
    while (i < end) {
      const c = b[i] as number
      if (PLAIN[c] === 1) i++
      else if (c === QUOTE) return i
      else if (c >= 0x80) {
        const length = utf8Length(b, i)
        if (length === 0) return -1
        i += length
      } else if (c === BACKSLASH) {
        this.#escaped = true
        const letter = b[i + 1] as number
        if (letter === 117) {
          if (hex4(b, i + 2) < 0) return -1
          i += 6
        } else if (isSimpleEscape(letter)) i += 2
        else return -1
      } else return -1
    }
    return -1
  }
}
