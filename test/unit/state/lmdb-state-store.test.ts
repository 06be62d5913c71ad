import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { LmdbStateStore } from '../../../src/state/lmdb-state-store.ts'

const root = mkdtempSync(join(tmpdir(), 'warden-lmdb-'))
after(() => rmSync(root, { recursive: true, force: true }))

test('a directory has one owner, and the message names it', async () => {
  const directory = join(root, 'owned')
  const store = new LmdbStateStore(directory)
  assert.throws(() => new LmdbStateStore(directory), {
    code: 'state_locked',
    message: new RegExp(`process ${process.pid}`),
  })
  await store.close()
  await new LmdbStateStore(directory).close()
})

test('the lock of a process that is gone is taken over', async () => {
  const directory = join(root, 'stale')
  await new LmdbStateStore(directory).close()
  writeFileSync(join(directory, 'LOCK'), '999999999 1\n')
  await new LmdbStateStore(directory).close()
})

test('the lock of another process with the same pid is taken over', async () => {
  const directory = join(root, 'reused')
  await new LmdbStateStore(directory).close()
  writeFileSync(join(directory, 'LOCK'), `${process.pid} 1\n`)
  await new LmdbStateStore(directory).close()
})

test('what was acknowledged is there after kill -9, and a transaction is whole or not there', async () => {
  const directory = join(root, 'killed')
  const module = new URL('../../../src/state/lmdb-state-store.ts', import.meta.url).href
  const program = `
    import { LmdbStateStore } from ${JSON.stringify(module)}
    const store = new LmdbStateStore(${JSON.stringify(directory)})
    for (let n = 1; ; n++) {
      const value = Buffer.from(String(n))
      await store.commit([{ kind: 'put', key: 'a', value }, { kind: 'put', key: 'b', value }])
      process.stdout.write(n + '\\n')
    }`
  for (let round = 0; round < 3; round++) {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', program],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    let acknowledged = 0
    child.stdout.setEncoding('utf8')
    for await (const chunk of child.stdout) {
      acknowledged = Number(String(chunk).trim().split('\n').at(-1))
      if (acknowledged >= 20 + round * 7) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    const store = new LmdbStateStore(directory)
    const [a, b] = ['a', 'b'].map((key) => Number(Buffer.from(store.get(key) ?? []).toString()))
    assert.equal(a, b)
    assert.ok(a !== undefined && a >= acknowledged, `${a} ≥ ${acknowledged}`)
    await store.close()
  }
})
