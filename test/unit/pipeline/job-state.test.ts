import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WardenError } from '../../../src/core/errors.ts'
import { epochMs } from '../../../src/core/time.ts'
import { newJobState, readJobState, saveJobState } from '../../../src/pipeline/job-state.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'

const hashKey = Uint8Array.from({ length: 16 }, (_, index) => 255 - index)
const fresh = newJobState('lending', hashKey, epochMs(1_700_000_000_999), [{ metric: 'loan' }])

async function storeOf(change: (saved: Record<string, unknown>) => object = (saved) => saved) {
  const store = new MemoryStateStore()
  const operation = saveJobState(fresh)
  assert.equal(operation.kind, 'put')
  if (operation.kind !== 'put') throw new Error('not a put')
  const saved = JSON.parse(Buffer.from(operation.value).toString()) as Record<string, unknown>
  const value = Buffer.from(JSON.stringify(change(saved)))
  await store.commit([{ ...operation, value }])
  return store
}

const refusal = (store: MemoryStateStore, job: string): string => {
  try {
    readJobState(store, job)
  } catch (error) {
    assert.ok(error instanceof WardenError)
    assert.equal(error.code, 'state_incompatible')
    return error.message
  }
  throw new Error('not refused')
}

test('an empty state is nobody’s', () => {
  assert.equal(readJobState(new MemoryStateStore(), 'lending'), undefined)
})

test('what was saved is read back, the hash key byte for byte', async () => {
  const read = readJobState(await storeOf(), 'lending')
  assert.deepEqual(
    { ...read, hashKey: [...(read?.hashKey ?? [])] },
    { ...fresh, hashKey: [...hashKey] },
  )
  assert.equal(read?.incarnation, 1_700_000_000)
})

test('the state of another job is refused with both names and the way out', async () => {
  const message = refusal(await storeOf(), 'payments')
  assert.match(message, /belongs to job lending, the config is of job payments; give each job/)
})

test('the state of another version is refused with the way out', async () => {
  const message = refusal(await storeOf((saved) => ({ ...saved, format: 99 })), 'lending')
  assert.match(message, /of format 99, this Warden reads format \d+; run the version that wrote it/)
})
