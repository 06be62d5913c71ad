import { at, lineEnd } from './bytes'
import { document } from './events'
import { leave } from './host'

/** Position behind the number that was read last. */
let next: usize = 0

/** A zigzag number of at most 32 bits, the second byte and on. */
function restOfVarint(p: usize, first: u32): i32 {
  let value = first & 127
  let byte = first
  for (let shift = 7; byte > 127 && shift < 35; shift += 7) {
    byte = at(p++)
    value |= (byte & 127) << shift
  }
  next = p
  return <i32>(value >> 1) ^ -(<i32>(value & 1))
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function varint(p: usize): i32 {
  const byte = at(p)
  if (byte > 127) return restOfVarint(p + 1, byte)
  next = p + 1
  return <i32>(byte >> 1) ^ -(<i32>(byte & 1))
}

/** A zigzag number of at most 64 bits, rounded as the walk in JavaScript rounds above 2^53. */
function varlong(p: usize): f64 {
  let byte = at(p++)
  let value: f64 = <f64>(byte & 127)
  for (let weight: f64 = 128; byte > 127 && weight < 1e21; weight *= 128) {
    byte = at(p++)
    value += <f64>(byte & 127) * weight
  }
  next = p
  const half = value / 2
  return Math.floor(half) == half ? half : -(value + 1) / 2
}

/**
 * Decodes the records of one decompressed batch (magic 2) that lie in `p ≤ i < end`, from offset `base + skip` on.
 * Returns -1; or for a broken record 2 × its index, + 1 when not its length but that of its value is wrong.
 * Source: https://kafka.apache.org/documentation/#recordbatch
 * @param timestamp of the first record, or of all with `appendTime`, epoch ms
 */
export function records(p: usize, end: usize, count: i32, base: f64, skip: f64, timestamp: f64, appendTime: bool): i32 {
  for (let index = 0; index < count; index++) {
    const length = varint(p)
    p = next
    if (length < 0 || <i64>p + <i64>length > <i64>end) return index * 2
    const recordEnd = p + <usize>length
    const delta = at(p + 1)
    let time = timestamp
    if (delta < 128) {
      if (!appendTime) time += <f64>(<i32>(delta >> 1) ^ -(<i32>(delta & 1)))
      p += 2
    } else {
      const long = varlong(p + 1)
      if (!appendTime) time += long
      p = next
    }
    const offsetDelta = varint(p)
    p = next
    const keyLength = varint(p)
    p = next
    if (keyLength > 0) {
      if (<i64>p + <i64>keyLength > <i64>recordEnd) return index * 2 + 1
      p += <usize>keyLength
    }
    const valueLength = varint(p)
    p = next
    if (p > recordEnd || <i64>p + <i64>valueLength > <i64>recordEnd) return index * 2 + 1
    if (<f64>offsetDelta >= skip) {
      const offset = base + <f64>offsetDelta
      const recordTime = time > 0 ? time : 0
      if (valueLength < 0) leave(0, 0, offset, recordTime)
      else document(p, p + <usize>valueLength, offset, recordTime)
    }
    p = recordEnd
  }
  return -1
}

/** Decodes the JSON documents in `p ≤ i < end`, one a line; `offset` is that of `p`. Blank lines are no records. */
export function lines(p: usize, end: usize, offset: f64, timestamp: f64): void {
  const first = p
  while (p < end) {
    const newline = lineEnd(p, end)
    let last = newline
    if (last > p && at(last - 1) == 13) last--
    if (!isBlank(p, last)) document(p, last, offset + <f64>(p - first), timestamp)
    p = newline + 1
  }
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function isBlank(p: usize, end: usize): bool {
  for (; p < end; p++) {
    const c = at(p)
    if (c != 32 && c != 9 && c != 13) return false
  }
  return true
}
