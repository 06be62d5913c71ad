/** Writes batches of 20 points to the store in the directory given, for ever, and prints the number of each once it is acknowledged. */
import { LmdbPointStore } from '../../src/store/lmdb-point-store.ts'
import { UNVERSIONED } from '../../src/store/point-columns.ts'

const store = new LmdbPointStore(process.argv[2] ?? '')
for (let batch = 1; ; batch++) {
  await store.write(
    Array.from({ length: 20 }, (_, at) => ({
      metric: `m${at % 5}`,
      tags: { batch: `b${batch % 7}`, host: `h${at}` },
      timeMs: 1_795_132_800_000 + batch * 1_000,
      value: batch,
      integer: false,
      incarnation: UNVERSIONED,
      revision: 0,
    })),
  )
  process.stdout.write(`${batch}\n`)
}
