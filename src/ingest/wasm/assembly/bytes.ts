/** Behind every input lie this many zero bytes: what looks ahead stops there. */
export const SLACK: usize = 64

/** Where the next `alloc` begins. */
let top: usize = (__heap_base + 15) & ~15

/** Zeroed memory for ever, aligned to 16 bytes; with `SLACK` bytes behind it that may be read. Traps when there is no more. */
export function alloc(size: usize): usize {
  const at = top
  top = (at + size + SLACK + 15) & ~15
  const have = (<usize>memory.size()) << 16
  if (top > have) {
    const pages = <i32>((top - have + 0xffff) >> 16)
    // Twice as much each time, if that can be had.
    if (memory.grow(max(pages, memory.size())) < 0 && memory.grow(pages) < 0) unreachable()
  }
  return at
}

// @ts-ignore: a decorator of AssemblyScript
@inline
export function at(p: usize): u32 {
  return load<u8>(p)
}

/** Are `length` bytes at `a` and `b` equal? Reads up to 16 bytes more of both. */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function same(a: usize, b: usize, length: usize): bool {
  if (ASC_FEATURE_SIMD) {
    while (length > 16) {
      if (i8x16.bitmask(i8x16.ne(v128.load(a), v128.load(b))) != 0) return false
      a += 16
      b += 16
      length -= 16
    }
    const differ = i8x16.bitmask(i8x16.ne(v128.load(a), v128.load(b)))
    return (differ & ((1 << (<i32>length)) - 1)) == 0
  } else {
    while (length > 8) {
      if (load<u64>(a) != load<u64>(b)) return false
      a += 8
      b += 8
      length -= 8
    }
    if (length == 0) return true
    return (load<u64>(a) ^ load<u64>(b)) << (64 - ((<u64>length) << 3)) == 0
  }
}

// @ts-ignore: a decorator of AssemblyScript
@inline
export function isSpace(c: u32): bool {
  return c == 32 || c == 10 || c == 13 || c == 9
}

/** First byte in `p ≤ i < end` that is no JSON whitespace, else `end` (or `p` where that lies behind it). */
export function space(p: usize, end: usize): usize {
  while (p < end && isSpace(at(p))) p++
  return p
}

/** First `\n` in `p ≤ i < end`, else `end`. */
export function lineEnd(p: usize, end: usize): usize {
  if (ASC_FEATURE_SIMD) {
    for (; p < end; p += 16) {
      const found = i8x16.bitmask(i8x16.eq(v128.load(p), i8x16.splat(10)))
      if (found != 0) return min(p + <usize>ctz(found), end)
    }
    return end
  } else {
    while (p < end && at(p) != 10) p++
    return p
  }
}
