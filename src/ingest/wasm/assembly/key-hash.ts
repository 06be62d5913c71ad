/** Halves of the hash that `hashUser` made last; never both 0. */
export let hashHigh: u32 = 0
export let hashLow: u32 = 0

/**
 * HalfSipHash-1-3 with 64 bits of output of the bytes `from ≤ i < to`: the definition is `KeyHash` in src/ingest/key-hash.ts,
 * and a test compares the two. Reads up to 3 bytes more.
 */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function hashUser(from: usize, to: usize, seedHigh: u32, seedLow: u32): void {
  let v0 = seedLow
  let v1 = seedHigh ^ 0xee
  let v2 = seedLow ^ 0x6c796765
  let v3 = seedHigh ^ 0x74656462
  const length = <u32>(to - from)
  let word: u32 = 0
  for (; ; from += 4) {
    const isLast = to - from < 4
    word = load<u32>(from)
    if (isLast) word = (length << 24) | (word & ((1 << ((length & 3) << 3)) - 1))
    v3 ^= word
    v0 += v1
    v1 = rotl(v1, 5) ^ v0
    v0 = rotl(v0, 16)
    v2 += v3
    v3 = rotl(v3, 8) ^ v2
    v0 += v3
    v3 = rotl(v3, 7) ^ v0
    v2 += v1
    v1 = rotl(v1, 13) ^ v2
    v2 = rotl(v2, 16)
    v0 ^= word
    if (isLast) break
  }
  v2 ^= 0xee
  let high: u32 = 0
  for (let round = 0; round < 6; round++) {
    v0 += v1
    v1 = rotl(v1, 5) ^ v0
    v0 = rotl(v0, 16)
    v2 += v3
    v3 = rotl(v3, 8) ^ v2
    v0 += v3
    v3 = rotl(v3, 7) ^ v0
    v2 += v1
    v1 = rotl(v1, 13) ^ v2
    v2 = rotl(v2, 16)
    if (round == 2) {
      high = v1 ^ v3
      v1 ^= 0xdd
    }
  }
  const low = v1 ^ v3
  hashHigh = high
  hashLow = (high | low) == 0 ? 1 : low
}
