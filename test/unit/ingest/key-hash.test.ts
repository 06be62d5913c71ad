import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KeyHash } from '../../../src/ingest/key-hash.ts'
import { HASH_KEY } from '../../support/decode-plans.ts'

function hexOf(hash: KeyHash): string {
  const word = (value: number) => (value >>> 0).toString(16).padStart(8, '0')
  return word(hash.high) + word(hash.low)
}

function hashed(hash: KeyHash, user: string | Uint8Array, series: readonly string[]): string {
  const seed = hash.seedOf(series)
  const bytes = Buffer.from(user as string)
  hash.user(bytes, 0, bytes.length, seed.high, seed.low)
  return hexOf(hash)
}

/** HalfSipHash-1-3 with 64 bits of output, written a second time, with the rounds as a loop over an array. */
function halfSipHash(bytes: Uint8Array, key0: number, key1: number): string {
  const v = Uint32Array.of(key0, key1 ^ 0xee, 0x6c796765 ^ key0, 0x74656462 ^ key1)
  const at = (lane: number) => v[lane] ?? 0
  const rotate = (lane: number, by: number) => {
    v[lane] = (at(lane) << by) | (at(lane) >>> (32 - by))
  }
  const add = (to: number, from: number) => {
    v[to] = at(to) + at(from)
  }
  const mix = (to: number, from: number) => {
    v[to] = at(to) ^ at(from)
  }
  const rounds = (count: number) => {
    for (let round = 0; round < count; round++) {
      add(0, 1)
      rotate(1, 5)
      mix(1, 0)
      rotate(0, 16)
      add(2, 3)
      rotate(3, 8)
      mix(3, 2)
      add(0, 3)
      rotate(3, 7)
      mix(3, 0)
      add(2, 1)
      rotate(1, 13)
      mix(1, 2)
      rotate(2, 16)
    }
  }
  const padded = Buffer.alloc((Math.floor(bytes.length / 4) + 1) * 4)
  padded.set(bytes)
  padded[padded.length - 1] = bytes.length & 255
  for (let i = 0; i < padded.length; i += 4) {
    const word = padded.readUInt32LE(i)
    v[3] = at(3) ^ word
    rounds(1)
    v[0] = at(0) ^ word
  }
  v[2] = at(2) ^ 0xee
  rounds(3)
  const high = (at(1) ^ at(3)) >>> 0
  v[1] = at(1) ^ 0xdd
  rounds(3)
  const low = (at(1) ^ at(3)) >>> 0
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}

test('the hash is HalfSipHash-1-3 under the seed of the series', () => {
  const hash = new KeyHash(HASH_KEY)
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.integer(),
      fc.integer(),
      (bytes, high, low) => {
        hash.user(bytes, 0, bytes.length, high, low)
        assert.equal(hexOf(hash), halfSipHash(bytes, low, high))
      },
    ),
    { numRuns: 1000 },
  )
})

test('the hash of a user never changes: checkpoints hold it', () => {
  const hash = new KeyHash(HASH_KEY)
  assert.deepEqual(
    [
      hashed(hash, 'u1', []),
      hashed(hash, '用户', ['retail', 'app']),
      hashed(hash, '', ['']),
      hashed(hash, 'u123456789', ['a']),
    ],
    GOLDEN,
  )
})

const GOLDEN = ['5ce6a736e70272aa', 'a1c018bdce23f3ae', '024e7fc23bf098f6', '42bd8f11944831c4']

test('the position of the bytes does not matter, their number does', () => {
  const hash = new KeyHash(HASH_KEY)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), fc.nat(9), (user, before) => {
      const bytes = Buffer.concat([Buffer.alloc(before, 7), user, Buffer.alloc(5, 9)])
      hash.user(bytes, before, before + user.length, 1, 2)
      const here = hexOf(hash)
      hash.user(user, 0, user.length, 1, 2)
      assert.equal(hexOf(hash), here)
      hash.user(Buffer.concat([user, Buffer.alloc(1)]), 0, user.length + 1, 1, 2)
      assert.notEqual(hexOf(hash), here)
    }),
  )
})

test('another secret, another series or another split of its values is another hash', () => {
  const hash = new KeyHash(HASH_KEY)
  const other = new KeyHash(HASH_KEY.map((byte, index) => (index === 15 ? byte ^ 1 : byte)))
  const hashes = [
    hashed(hash, 'u1', ['ab', 'c']),
    hashed(hash, 'u1', ['a', 'bc']),
    hashed(hash, 'u1', ['abc']),
    hashed(hash, 'u1', ['ab', 'c', '']),
    hashed(hash, 'u1', []),
    hashed(other, 'u1', ['ab', 'c']),
  ]
  assert.equal(new Set(hashes).size, hashes.length)
})

test('a million ids in sequence have a million hashes', () => {
  const hash = new KeyHash(HASH_KEY)
  const seed = hash.seedOf(['retail'])
  const count = 1_000_000
  const seen = new BigUint64Array(count)
  const bytes = Buffer.alloc(16)
  for (let id = 0; id < count; id++) {
    const end = bytes.write(`u${1_000_000_000 + id}`, 'latin1')
    hash.user(bytes, 0, end, seed.high, seed.low)
    seen[id] = (BigInt(hash.high >>> 0) << 32n) | BigInt(hash.low >>> 0)
  }
  seen.sort()
  let repeated = 0
  for (let k = 1; k < count; k++) if (seen[k] === seen[k - 1]) repeated++
  assert.equal(repeated, 0)
})

test('a bit of the user turns over half of the hash', () => {
  const hash = new KeyHash(HASH_KEY)
  const seed = hash.seedOf(['retail'])
  const ones = (value: number) => value.toString(2).replaceAll('0', '').length
  const turned = new Float64Array(80)
  const rounds = 400
  for (let round = 0; round < rounds; round++) {
    const user = Buffer.from(`user${100_000 + round * 7}`)
    hash.user(user, 0, user.length, seed.high, seed.low)
    const { high, low } = hash
    for (let bit = 0; bit < 80; bit++) {
      const changed = Buffer.from(user)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      hash.user(changed, 0, changed.length, seed.high, seed.low)
      turned[bit] =
        (turned[bit] ?? 0) + ones((hash.high ^ high) >>> 0) + ones((hash.low ^ low) >>> 0)
    }
  }
  for (const [bit, sum] of turned.entries()) {
    const share = sum / rounds / 64
    assert.ok(Math.abs(share - 0.5) < 0.02, `bit ${bit} turns over ${share} of the hash`)
  }
})

test('a key of another length than 16 bytes is refused', () => {
  assert.throws(() => new KeyHash(new Uint8Array(8)), RangeError)
})
