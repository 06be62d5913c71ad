import { alloc, at, space } from './bytes'
import { number } from './numbers'
import {
  ARRAY,
  Entry,
  entryOf,
  expectMember,
  FALSE,
  firstMember,
  isMember,
  makeNode,
  memberBehind,
  memberEntry,
  memberLength,
  nextMember,
  NULL,
  NUMBER,
  OBJECT,
  resetBelow,
  resetSlots,
  Slot,
  STRING,
  TRUE,
} from './paths'
import { escaped, plainEnd, QUOTE, resolveEscapes, restOfString } from './text'

/** Deeper documents are left to JSON.parse. */
const MAX_DEPTH = 64

const COLON: u32 = 58
const COMMA: u32 = 44
const MINUS: u32 = 45
const OPEN_OBJECT: u32 = 123
const CLOSE_OBJECT: u32 = 125
const OPEN_ARRAY: u32 = 91
const CLOSE_ARRAY: u32 = 93

/** Wanted keys of the document itself. */
export const root: usize = makeNode()

/** Resolved texts of the document. */
let scratch: usize = 0
let scratchSize: usize = 0
let scratchTop: usize = 0

/** Kind of the value that `value` read last. */
let kind: u32 = 0

/**
 * Reads the configured fields out of a JSON document without building it, and checks the whole document against RFC 8259 and
 * UTF-8 on the way. True only when it is sure; what it refuses may still be right and belongs to JSON.parse.
 *
 * The functions below return the position behind what they read, 0 when they are not sure. Positions only grow, and every
 * member and element begins with a comparison with the document's end: a token that goes past it is found at the next one.
 */
export function walk(start: usize, end: usize): bool {
  resetSlots()
  let p = space(start, end)
  if (p >= end || at(p) != OPEN_OBJECT) return false
  if (end - start > scratchSize) {
    scratchSize = (end - start) * 2
    scratch = alloc(scratchSize)
  }
  scratchTop = scratch
  p = object(p + 1, end, root, 1)
  return p != 0 && space(p, end) == end
}

/** Members of an object with wanted keys, from behind its `{`. */
function object(p: usize, end: usize, node: usize, depth: i32): usize {
  if (depth > MAX_DEPTH) return 0
  let c = at(p)
  if (c <= 32) c = at((p = space(p, end)))
  if (c == CLOSE_OBJECT) return p + 1
  let member = firstMember(node)
  for (;;) {
    if (c != QUOTE || p >= end) return 0
    let entry: Entry | null
    // A member that this document leaves out is passed over.
    if (isMember(member, p) || isMember((member = nextMember(member)), p)) {
      entry = memberEntry(member)
      p += memberLength(member)
      member = memberBehind(node, member)
    } else {
      const from = p
      p = key(p + 1, end, node)
      if (p == 0) return 0
      entry = keyEntry
      member -= nextMember(0)
      expectMember(node, member, from, p, entry)
      member = memberBehind(node, member)
    }
    c = at(p)
    if (c <= 32) c = at((p = space(p, end)))
    if (c == QUOTE) {
      const from = ++p
      let isEscaped = false
      p = plainEnd(p)
      if (at(p) != QUOTE) {
        p = restOfString(p, end)
        if (p == 0) return 0
        isEscaped = escaped
      }
      if (entry !== null && !setString(entry, from, p, isEscaped)) return 0
      p++
    } else if (entry !== null) p = wanted(p, end, entry, depth)
    else p = value(p, end, depth)
    if (p == 0) return 0
    c = at(p)
    if (c <= 32) c = at((p = space(p, end)))
    if (c != COMMA) return c == CLOSE_OBJECT ? p + 1 : 0
    c = at(++p)
    if (c <= 32) c = at((p = space(p, end)))
  }
  return 0
}

/** Entry of the key that `key` read last; null when it is not wanted. */
let keyEntry: Entry | null = null

/** A key from behind its quote, and its colon. */
function key(from: usize, end: usize, node: usize): usize {
  let p = plainEnd(from)
  if (at(p) == QUOTE) keyEntry = entryOf(node, from, p - from)
  else {
    p = restOfString(p, end)
    if (p == 0) return 0
    if (escaped) {
      const resolved = resolveEscapes(from, p, scratchTop)
      if (resolved == 0) return 0
      keyEntry = entryOf(node, scratchTop, resolved - scratchTop)
    } else keyEntry = entryOf(node, from, p - from)
  }
  p++
  if (at(p) != COLON) {
    p = space(p, end)
    if (at(p) != COLON) return 0
  }
  return p + 1
}

/** A string that a wanted key has; false when it can't be said in UTF-8. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function setString(entry: Entry, from: usize, to: usize, isEscaped: bool): bool {
  if (entry.resetCount != 0) resetBelow(entry)
  const slot = entry.slot
  if (slot === null) return true
  slot.kind = STRING
  slot.from = from
  slot.to = to
  return !isEscaped || setResolved(slot, from, to)
}

function setResolved(slot: Slot, from: usize, to: usize): bool {
  const resolved = resolveEscapes(from, to, scratchTop)
  if (resolved == 0) return false
  slot.from = scratchTop
  slot.to = resolved
  scratchTop = resolved
  return true
}

/** Any value but a string, of a wanted key. */
function wanted(p: usize, end: usize, entry: Entry, depth: i32): usize {
  const from = p
  if (entry.resetCount != 0) resetBelow(entry)
  if (entry.below != 0 && at(p) == OPEN_OBJECT) {
    p = object(p + 1, end, entry.below, depth + 1)
    kind = OBJECT
  } else p = value(p, end, depth)
  const slot = entry.slot
  if (slot !== null) {
    slot.kind = kind
    slot.from = from
    slot.to = p
  }
  return p
}

/** Any value, of which nothing is wanted but its kind. */
function value(p: usize, end: usize, depth: i32): usize {
  const c = at(p)
  if (c - 48 < 10 || c == MINUS) {
    kind = NUMBER
    return number(p)
  }
  switch (c) {
    case QUOTE: {
      p = plainEnd(p + 1)
      if (at(p) != QUOTE) p = restOfString(p, end)
      kind = STRING
      return p == 0 ? 0 : p + 1
    }
    case OPEN_OBJECT: {
      p = unwantedObject(p + 1, end, depth + 1)
      kind = OBJECT
      return p
    }
    case OPEN_ARRAY: {
      p = array(p + 1, end, depth + 1)
      kind = ARRAY
      return p
    }
    case 116: {
      kind = TRUE
      return load<u32>(p) == 0x65757274 ? p + 4 : 0
    }
    case 102: {
      kind = FALSE
      return load<u32>(p + 1) == 0x65736c61 ? p + 5 : 0
    }
    case 110: {
      kind = NULL
      return load<u32>(p) == 0x6c6c756e ? p + 4 : 0
    }
    default:
      return 0
  }
}

/** Members of an object of which nothing is wanted, from behind its `{`. */
function unwantedObject(p: usize, end: usize, depth: i32): usize {
  if (depth > MAX_DEPTH) return 0
  let c = at(p)
  if (c <= 32) c = at((p = space(p, end)))
  if (c == CLOSE_OBJECT) return p + 1
  for (;;) {
    if (c != QUOTE || p >= end) return 0
    p = plainEnd(p + 1)
    if (at(p) != QUOTE) {
      p = restOfString(p, end)
      if (p == 0) return 0
    }
    c = at(++p)
    if (c != COLON) {
      p = space(p, end)
      if (at(p) != COLON) return 0
    }
    c = at(++p)
    if (c <= 32) c = at((p = space(p, end)))
    if (c == QUOTE) {
      p = plainEnd(p + 1)
      if (at(p) != QUOTE) {
        p = restOfString(p, end)
        if (p == 0) return 0
      }
      p++
    } else {
      p = value(p, end, depth)
      if (p == 0) return 0
    }
    c = at(p)
    if (c <= 32) c = at((p = space(p, end)))
    if (c != COMMA) return c == CLOSE_OBJECT ? p + 1 : 0
    c = at(++p)
    if (c <= 32) c = at((p = space(p, end)))
  }
  return 0
}

/** Elements of an array, from behind its `[`. */
function array(p: usize, end: usize, depth: i32): usize {
  if (depth > MAX_DEPTH) return 0
  p = space(p, end)
  if (at(p) == CLOSE_ARRAY) return p + 1
  for (;;) {
    if (p >= end) return 0
    p = value(p, end, depth)
    if (p == 0) return 0
    let c = at(p)
    if (c <= 32) c = at((p = space(p, end)))
    if (c != COMMA) return c == CLOSE_ARRAY ? p + 1 : 0
    if (at(++p) <= 32) p = space(p, end)
  }
  return 0
}
