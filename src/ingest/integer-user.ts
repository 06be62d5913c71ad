const zero = 48

/**
 * The unsigned 32-bit integer that the digits `start ≤ i < end` stand for; -1 for any other text. Only the one way to write it
 * counts, so that two texts are never the same user: no sign, no leading zero, no fraction, no exponent.
 */
export function integerUser(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start
  if (length < 1 || length > 10 || (length > 1 && bytes[start] === zero)) return -1
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] as number) - zero
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value < 2 ** 32 ? value : -1
}
