/**
 * What the state does on a disk that is full or read-only: a small tmpfs, so that it needs the right to mount (root).
 *   node --import tsx test/chaos/state-disk.ts
 * Exit 0: every claim held. Prints one line for each.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StateOperation } from '../../src/core/state-store.ts'
import { LmdbStateStore } from '../../src/state/lmdb-state-store.ts'

const disk = mkdtempSync(join(tmpdir(), 'warden-disk-'))
const put = (key: string, bytes: number): StateOperation => ({
  kind: 'put',
  key,
  value: Buffer.alloc(bytes, key.length),
})

process.on('unhandledRejection', (error) => {
  console.error('nobody waited for', error)
  process.exit(1)
})

async function full(): Promise<void> {
  const store = new LmdbStateStore(join(disk, 'full'))
  const acknowledged: string[] = []
  const refused: string[] = []
  for (let n = 0; n < 400 && refused.length < 5; n++) {
    const key = `k${String(n).padStart(4, '0')}`
    try {
      await store.commit([put(key, 20_000), put(`${key}/second`, 100)])
      acknowledged.push(key)
    } catch (error) {
      assert.match(String(error), /can't write the state.*is the disk full or broken/)
      refused.push(key)
    }
  }
  assert.ok(refused.length > 0 && acknowledged.length > 10)
  const held = () => [...store.range('', '~')].map(([key]) => key)
  assert.deepEqual(
    held(),
    acknowledged.flatMap((key) => [key, `${key}/second`]),
  )
  console.log(`ok: full disk: ${acknowledged.length} commits kept whole, ${refused.length} refused`)
  execFileSync('mount', ['-o', 'remount,size=8m', disk])
  await store.commit([put('more', 200_000)])
  assert.ok(held().includes('more'))
  console.log('ok: with room again the same store goes on')
  await store.close()
  const again = new LmdbStateStore(join(disk, 'full'))
  assert.equal([...again.range('', '~')].length, acknowledged.length * 2 + 1)
  await again.close()
  console.log('ok: and everything is there after a restart')
}

async function readOnly(): Promise<void> {
  const directory = join(disk, 'read-only')
  await new LmdbStateStore(directory).close()
  execFileSync('mount', ['-o', 'remount,ro', disk])
  try {
    assert.throws(() => new LmdbStateStore(directory), {
      code: 'state_write_failed',
      message: /read-only/i,
    })
    assert.throws(() => new LmdbStateStore(join(disk, 'new')), {
      code: 'state_write_failed',
      message: /read-only/i,
    })
  } finally {
    execFileSync('mount', ['-o', 'remount,rw', disk])
  }
  await new LmdbStateStore(directory).close()
  console.log('ok: a read-only disk is named as such, and writable again it is no damage')
}

async function noRoomToStart(): Promise<void> {
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(Number(bavail) * Number(bsize)))
  assert.throws(() => new LmdbStateStore(join(disk, 'none')), { code: 'state_write_failed' })
  rmSync(join(disk, 'ballast'))
  await new LmdbStateStore(join(disk, 'none')).close()
  console.log('ok: a first start without room is refused, and with room starts')
}

execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk])
try {
  await full()
  await readOnly()
  await noRoomToStart()
} finally {
  execFileSync('umount', ['-l', disk])
  rmSync(disk, { recursive: true, force: true })
}
process.exit()
