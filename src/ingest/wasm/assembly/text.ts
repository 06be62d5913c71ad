import { at } from './bytes'

export const QUOTE: u32 = 34
export const BACKSLASH: u32 = 92
const LOWER_U: u32 = 117

/**
 * First byte at or behind `p` that does not stand for itself: a quote, a backslash, a control character (as behind every
 * input) or a byte ≥ 0x80.
 */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function plainEnd(p: usize): usize {
  if (ASC_FEATURE_SIMD) {
    for (; ; p += 16) {
      const v = v128.load(p)
      // Signed: bytes ≥ 0x80 are below 32 as well.
      const special = v128.or(
        v128.or(i8x16.eq(v, i8x16.splat(34)), i8x16.eq(v, i8x16.splat(92))),
        i8x16.lt_s(v, i8x16.splat(32)),
      )
      const found = i8x16.bitmask(special)
      if (found != 0) return p + <usize>ctz(found)
    }
  } else {
    for (; ; p += 8) {
      const w = load<u64>(p)
      // Subtracting 1 from a byte that is 0 sets its highest bit; the lowest bit so set is right.
      const special =
        (w |
          ((w ^ 0x2222222222222222) - 0x0101010101010101) |
          ((w ^ 0x5c5c5c5c5c5c5c5c) - 0x0101010101010101) |
          (w - 0x2020202020202020)) &
        0x8080808080808080
      if (special != 0) return p + <usize>(ctz(special) >> 3)
    }
  }
  return 0 // The compiler does not see that the loops never end here.
}

/** Had the string that `restOfString` read last an escape? */
export let escaped: bool = false

/** A string from anywhere inside it to its closing quote, with escapes and UTF-8 checked: where the quote is, 0 when it is not well-formed. */
export function restOfString(p: usize, end: usize): usize {
  escaped = false
  while (p < end) {
    const c = at(p)
    if (c >= 0x80) {
      const length = utf8Length(p)
      if (length == 0) return 0
      p += length
    } else if (c == QUOTE) return p
    else if (c == BACKSLASH) {
      escaped = true
      const letter = at(p + 1)
      if (letter == LOWER_U) {
        if (hex4(p + 2) < 0) return 0
        p += 6
      } else if (simpleEscape(letter) != 0) p += 2
      else return 0
    } else if (c < 32) return 0
    else p = plainEnd(p + 1)
  }
  return 0
}

/** Length of the UTF-8 sequence that begins with a byte ≥ 0x80; 0 when it is not well-formed. Source: The Unicode Standard, table 3-7. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function utf8Length(p: usize): usize {
  const w = load<u32>(p)
  if ((w & 0xc0c0f0) == 0x8080e0) {
    // Not E0 80–9F (too long), not ED A0–BF (surrogates).
    const lead = w & 0x200f
    return lead != 0 && lead != 0x200d ? 3 : 0
  }
  // Not C0 and C1 (too long).
  if ((w & 0xc0e0) == 0x80c0) return (w & 0x1e) != 0 ? 2 : 0
  if ((w & 0xc0c0c0f8) == 0x808080f0) {
    // Not F0 80–8F (too long), not behind F4 8F (above U+10FFFF).
    const isLong = (w & 0x3007) == 0
    const isHigh = (w & 4) != 0 && (w & 0x3003) != 0
    return isLong || isHigh ? 0 : 4
  }
  return 0
}

/** What the letter after a backslash stands for; 0 when it is no escape of one letter. */
function simpleEscape(letter: u32): u32 {
  switch (letter) {
    case 34:
    case 92:
    case 47:
      return letter
    case 98:
      return 8
    case 102:
      return 12
    case 110:
      return 10
    case 114:
      return 13
    case 116:
      return 9
    default:
      return 0
  }
}

/** Value of the four hexadecimal digits at `p`; -1 when one is none. */
function hex4(p: usize): i32 {
  let value = 0
  for (let i: usize = 0; i < 4; i++) {
    const c = at(p + i)
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
 * Writes the text of a valid string's inside, `from ≤ i < to`, to `into`: never more bytes than it has itself.
 * Returns where it ends; 0 when it has a surrogate without its other half, which UTF-8 can't say.
 */
export function resolveEscapes(from: usize, to: usize, into: usize): usize {
  let p = from
  while (p < to) {
    const c = at(p)
    if (c != BACKSLASH) {
      store<u8>(into++, c)
      p++
      continue
    }
    const letter = at(p + 1)
    if (letter != LOWER_U) {
      store<u8>(into++, simpleEscape(letter))
      p += 2
      continue
    }
    let point = hex4(p + 2)
    p += 6
    if (point >= 0xd800 && point <= 0xdfff) {
      const pair = point < 0xdc00 && p + 6 <= to && at(p) == BACKSLASH && at(p + 1) == LOWER_U
      const low = pair ? hex4(p + 2) : -1
      if (low < 0xdc00 || low > 0xdfff) return 0
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00)
      p += 6
    }
    into = writePoint(point, into)
  }
  return into
}

function writePoint(point: u32, into: usize): usize {
  if (point < 0x80) {
    store<u8>(into, point)
    return into + 1
  }
  if (point < 0x800) store<u8>(into++, 0xc0 | (point >> 6))
  else {
    if (point < 0x10000) store<u8>(into++, 0xe0 | (point >> 12))
    else {
      store<u8>(into++, 0xf0 | (point >> 18))
      store<u8>(into++, 0x80 | ((point >> 12) & 63))
    }
    store<u8>(into++, 0x80 | ((point >> 6) & 63))
  }
  store<u8>(into, 0x80 | (point & 63))
  return into + 1
}
