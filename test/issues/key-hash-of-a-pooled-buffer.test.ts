import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { epochMs } from '../../src/core/time.ts'
import { KeyHash } from '../../src/ingest/key-hash.ts'
import { newJobState, readJobState, saveJobState } from '../../src/pipeline/job-state.ts'
import { MemoryStateStore } from '../../src/state/memory-state-store.ts'

function hashOf(secret: Uint8Array): string {
  const hash = new KeyHash(secret)
  const { high, low } = hash.seedOf(['cash', 'p1'])
  const user = new TextEncoder().encode('u1')
  hash.user(user, 0, user.length, high, low)
  return `${hash.high} ${hash.low}`
}

test('a hash key that is a view of a larger buffer gives the same hashes', () => {
  const secret = Uint8Array.from(randomBytes(16))
  const pool = Buffer.alloc(64, 1)
  pool.set(secret, 24)
  assert.equal(hashOf(pool.subarray(24, 40)), hashOf(secret))
})

test('a user who was counted before a restart is known after it', async () => {
  const store = new MemoryStateStore()
  const fresh = newJobState('lending', randomBytes(16), epochMs(1), [])
  await store.commit([saveJobState(fresh)])
  const restored = readJobState(store, 'lending')
  assert.equal(hashOf(restored?.hashKey ?? new Uint8Array(16)), hashOf(fresh.hashKey))
})
