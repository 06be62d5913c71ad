import assert from 'node:assert/strict'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { checkLmdbFile } from '../../../src/state/lmdb-file-check.ts'
import { LmdbStateStore } from '../../../src/state/lmdb-state-store.ts'

const root = mkdtempSync(join(tmpdir(), 'warden-damage-'))
after(() => rmSync(root, { recursive: true, force: true }))
const good = join(root, 'good', 'state.mdb')
let count = 0

before(async () => {
  const store = new LmdbStateStore(join(root, 'good'))
  for (let round = 0; round < 3; round++) {
    await store.commit(
      Array.from({ length: 300 }, (_, index) => ({
        kind: 'put' as const,
        key: `key/${index}`,
        value: Buffer.alloc(index === 7 ? 20_000 : 40, round),
      })),
    )
  }
  await store.close()
})

/** A state directory with the good file, for one test to break. */
function copied(): { directory: string; file: string } {
  const directory = join(root, String(count++))
  mkdirSync(directory)
  const file = join(directory, 'state.mdb')
  copyFileSync(good, file)
  return { directory, file }
}

const damaged = { code: 'state_corrupt', message: /damaged.*warden savepoint restore latest/ }

test('a sound file is opened with everything in it, and all of its pages are looked at', async () => {
  const { directory, file } = copied()
  assert.ok(checkLmdbFile(file) > 3)
  const store = new LmdbStateStore(directory)
  assert.equal([...store.range('', '~')].length, 300)
  await store.close()
})

for (const bytes of [0, 100, 6_000, 40_000]) {
  test(`a file cut to ${bytes} bytes is refused by name instead of ending the process`, () => {
    const { directory, file } = copied()
    truncateSync(file, bytes)
    assert.throws(() => new LmdbStateStore(directory), damaged)
  })
}

test('garbage on a meta page or on a page of the tree is refused', async () => {
  const pages = [0, 1, 'root'] as const
  for (const page of pages) {
    const { directory, file } = copied()
    const handle = await open(file, 'r+')
    const meta = Buffer.alloc(8_192)
    await handle.read(meta, 0, 8_192, 0)
    const newest = meta.readBigUInt64LE(0x98) > meta.readBigUInt64LE(0x1098) ? 0 : 4_096
    const at = page === 'root' ? Number(meta.readBigUInt64LE(newest + 0x88)) : page
    await handle.write(Buffer.alloc(4_096, 0xa7), 0, 4_096, at * 4_096)
    await handle.close()
    assert.throws(() => new LmdbStateStore(directory), damaged, String(page))
  }
})

test('a file that is gone from a directory that had one is no first start', async () => {
  const directory = join(root, 'gone')
  await new LmdbStateStore(directory).close()
  unlinkSync(join(directory, 'state.mdb'))
  assert.throws(() => new LmdbStateStore(directory), { code: 'state_corrupt', message: /is gone/ })
  rmSync(directory, { recursive: true })
  await new LmdbStateStore(directory).close()
})

test('a directory that can not be made is the disk’s fault and says so', () => {
  const file = join(root, 'a-file')
  writeFileSync(file, '')
  assert.throws(() => new LmdbStateStore(join(file, 'state')), {
    code: 'state_write_failed',
    message: /can't make .*a-file/,
  })
})

test('a copy taken while commits go on is sound, and holds one of them whole', async () => {
  const store = new LmdbStateStore(join(root, 'copied-from'))
  const put = (value: number) =>
    store.commit(['a', 'b'].map((key) => ({ kind: 'put', key, value: Buffer.alloc(9_000, value) })))
  await put(1)
  const copy = join(root, 'copy', 'state.mdb')
  const copying = store.copyTo(copy)
  for (let value = 2; value < 20; value++) await put(value)
  await copying
  await store.close()
  checkLmdbFile(copy)
  const read = new LmdbStateStore(join(root, 'copy'))
  assert.deepEqual(read.get('a'), read.get('b'))
  assert.equal(read.get('a')?.length, 9_000)
  await read.close()
})
