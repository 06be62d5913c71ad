import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readJobState } from '../../../src/pipeline/job-state.ts'
import { LmdbStateStore } from '../../../src/state/lmdb-state-store.ts'
import { dump, finishFrom, goldenState, load } from '../../support/golden-state.ts'

const golden = new URL('../../golden/state/', import.meta.url)
const names = readdirSync(golden).filter((name) => name.endsWith('.txt'))
const root = mkdtempSync(join(tmpdir(), 'warden-golden-'))
after(() => rmSync(root, { recursive: true, force: true }))

test('there is a golden state of the format that this release writes', async () => {
  const [job] = (await goldenState()).split('\n').filter((line) => line.startsWith('job\t'))
  const value = Buffer.from(job?.split('\t')[1] ?? '', 'base64').toString('utf8')
  const { format } = JSON.parse(value) as { readonly format: number }
  const how = 'the format was raised: node --import tsx test/golden/state/make.ts'
  assert.ok(names.includes(`format-${format}.txt`), how)
})

for (const name of names) {
  const text = readFileSync(new URL(name, golden), 'utf8')
  test(`${name}: a state of an earlier release is read, and counting on from it gives what one run gives`, async () => {
    const store = new LmdbStateStore(join(root, name))
    await store.commit(load(text))
    assert.equal(readJobState(store, 'job')?.incarnation, 1_700_000_000)
    const read = dump(store)
    await store.close()
    const counted = await finishFrom(read)
    assert.ok(counted.size > 30, `${counted.size} points`)
    assert.deepEqual(counted, await finishFrom(undefined))
  })
}
