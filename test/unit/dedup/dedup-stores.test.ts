import { BitmapStore } from '../../../src/dedup/bitmap/bitmap-store.ts'
import { BloomStore } from '../../../src/dedup/bloom/bloom-store.ts'
import type { DedupStore } from '../../../src/dedup/dedup-store.ts'
import { FingerprintTable } from '../../../src/dedup/fingerprint-table.ts'
import { type DedupSubject, dedupStoreContract } from '../../contract/dedup-store.ts'

/** One store a slice, made when it is asked for. */
function perSlice(create: () => DedupStore): () => DedupSubject {
  return () => {
    const stores = new Map<number, DedupStore>()
    return {
      storeOf(slice) {
        const store = stores.get(slice) ?? create()
        stores.set(slice, store)
        return store
      },
    }
  }
}

dedupStoreContract('exact', { open: perSlice(() => new FingerprintTable('first', 0)) })
dedupStoreContract('bloom', {
  open: perSlice(() => new BloomStore({ keys: 10_000, falsePositives: 0.01 })),
  missed: 0.01,
})
dedupStoreContract('bitmap', {
  open: perSlice(() => new BitmapStore()),
  key: (user) => [1 + (user % 3), user * 401],
})
