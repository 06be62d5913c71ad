import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { LmdbStateStore } from '../../src/state/lmdb-state-store.ts'
import { MemoryStateStore } from '../../src/state/memory-state-store.ts'
import { stateStoreContract } from './state-store.ts'

const root = mkdtempSync(join(tmpdir(), 'warden-state-'))
after(() => rmSync(root, { recursive: true, force: true }))
let count = 0
const directories = new Map<unknown, string>()

function openAt(directory: string): LmdbStateStore {
  const store = new LmdbStateStore(directory)
  directories.set(store, directory)
  return store
}

stateStoreContract('memory', () => Promise.resolve(new MemoryStateStore()))
stateStoreContract(
  'lmdb',
  () => Promise.resolve(openAt(join(root, String(count++)))),
  async (store) => {
    await store.close()
    return openAt(directories.get(store) ?? root)
  },
)
