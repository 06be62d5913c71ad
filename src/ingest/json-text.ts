const QUOTE = 34
const BACKSLASH = 92
const MINUS = 45
const LOWER_U = 117

/** 1 for the ASCII characters that stand for themselves in a string. */
export const PLAIN = new Uint8Array(256)
for (let c = 32; c < 128; c++) PLAIN[c] = c === QUOTE || c === BACKSLASH ? 0 : 1

/** What the letter after a backslash stands for; 0 when it is no escape. */
const SIMPLE_ESCAPES = new Uint8Array(256)
for (const [letter, byte] of [
  ['"', 34],
  ['\\', BACKSLASH],
  ['/', 47],
  ['b', 8],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
] as const) {
  SIMPLE_ESCAPES[letter.charCodeAt(0)] = byte
}

/** Is the byte after a backslash an escape of one letter? */
export function isSimpleEscape(c: number): boolean {
  return SIMPLE_ESCAPES[c] !== 0
}

/** Value of the four hexadecimal digits at `at`; -1 when one is none. */
export function hex4(b: Uint8Array, at: number): number {
  let value = 0
  for (let i = at; i < at + 4; i++) {
    const c = b[i] as number
    const lower = c | 32
    let digit = -1
    if (c >= 48 && c <= 57) digit = c - 48
    else if (lower >= 97 && lower <= 102) digit = lower - 87
    if (digit < 0) return -1
    value = (value << 4) | digit
  }
  return value
}

/**
 * Length of the UTF-8 sequence that begins at `at` with a byte ≥ 0x80; 0 when it is not well-formed.
 * Source: The Unicode Standard, table 3-7.
 */
export function utf8Length(b: Uint8Array, at: number): number {
  const c = b[at] as number
  const second = b[at + 1] as number
  if (c >= 0xc2 && c <= 0xdf) return isTail(second) ? 2 : 0
  if (c >= 0xe0 && c <= 0xef) {
    const low = c === 0xe0 ? 0xa0 : 0x80
    const high = c === 0xed ? 0x9f : 0xbf
    return second >= low && second <= high && isTail(b[at + 2] as number) ? 3 : 0
  }
  if (c >= 0xf0 && c <= 0xf4) {
    const low = c === 0xf0 ? 0x90 : 0x80
    const high = c === 0xf4 ? 0x8f : 0xbf
    const rest = isTail(b[at + 2] as number) && isTail(b[at + 3] as number)
    return second >= low && second <= high && rest ? 4 : 0
  }
  return 0
}

function isTail(c: number): boolean {
  return (c & 0xc0) === 0x80
}

/**
 * Writes the text of a valid JSON string's inside, `start ≤ i < end`, to `into` at `at`: never more bytes than it has itself.
 * Returns where it ends; -1 when it has a surrogate without its other half, which UTF-8 can't say.
 */
export function resolveEscapes(
  b: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  at: number,
): number {
  let to = at
  let i = start
  while (i < end) {
    const c = b[i] as number
    if (c !== BACKSLASH) {
      into[to++] = c
      i++
      continue
    }
    const letter = b[i + 1] as number
    if (letter !== LOWER_U) {
      into[to++] = SIMPLE_ESCAPES[letter] as number
      i += 2
      continue
    }
    let point = hex4(b, i + 2)
    i += 6
    if (point >= 0xd800 && point <= 0xdfff) {
      const pair = point < 0xdc00 && b[i] === BACKSLASH && b[i + 1] === LOWER_U && i + 6 <= end
      const low = pair ? hex4(b, i + 2) : -1
      if (low < 0xdc00 || low > 0xdfff) return -1
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00)
      i += 6
    }
    to = writePoint(point, into, to)
  }
  return to
}

function writePoint(point: number, into: Uint8Array, at: number): number {
  let to = at
  if (point < 0x80) {
    into[to++] = point
    return to
  }
  if (point < 0x800) into[to++] = 0xc0 | (point >> 6)
  else {
    if (point < 0x10000) into[to++] = 0xe0 | (point >> 12)
    else {
      into[to++] = 0xf0 | (point >> 18)
      into[to++] = 0x80 | ((point >> 12) & 63)
    }
    into[to++] = 0x80 | ((point >> 6) & 63)
  }
  into[to++] = 0x80 | (point & 63)
  return to
}

export function isSpace(c: number): boolean {
  return c === 32 || c === 10 || c === 13 || c === 9
}

/**
 * First position in `at ≤ i < end` that holds no plain character: a quote, a backslash, a control character or a byte ≥ 0x80; else `end`.
 * Four bytes a step: subtracting 1 from a byte that is 0 (after the exclusive or, one that is the character sought) sets its
 * highest bit, and the lowest bit so set is right. A walk takes a quarter less time than with a lookup per byte.
 */
export function plainEnd(view: DataView, at: number, end: number): number {
  let i = at
  for (const last = end - 4; i <= last; i += 4) {
    const four = view.getInt32(i, true)
    const special =
      (four |
        ((four ^ 0x22222222) - 0x01010101) |
        ((four ^ 0x5c5c5c5c) - 0x01010101) |
        (four - 0x20202020)) &
      0x80808080
    if (special !== 0) return i + ((31 - Math.clz32(special & -special)) >> 3)
  }
  while (i < end && PLAIN[view.getUint8(i)] === 1) i++
  return i
}

export function skipSpace(b: Buffer, at: number, end: number): number {
  let i = at
  while (i < end && isSpace(b[i] as number)) i++
  return i
}

/** A number by JSON's grammar. */
export function number(b: Buffer, at: number): number {
  let i = at
  let c = b[i] as number
  if (c === MINUS) c = b[++i] as number
  if (c === 48) c = b[++i] as number
  else if (c >= 49 && c <= 57) {
    do c = b[++i] as number
    while (c >= 48 && c <= 57)
  } else return -1
  if (c === 46) {
    c = b[++i] as number
    if (!(c >= 48 && c <= 57)) return -1
    do c = b[++i] as number
    while (c >= 48 && c <= 57)
  }
  if ((c | 32) === 101) {
    c = b[++i] as number
    if (c === 43 || c === MINUS) c = b[++i] as number
    if (!(c >= 48 && c <= 57)) return -1
    do c = b[++i] as number
    while (c >= 48 && c <= 57)
  }
  return i
}
