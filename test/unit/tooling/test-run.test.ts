import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, test } from 'node:test'
import { root, runTests, type SuiteResult } from '../../../scripts/test-run.ts'
import { isAlive } from '../../support/free-ports.ts'
import { until } from '../../support/until.ts'

const directory = mkdtempSync(join(tmpdir(), 'warden-runs-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const head = "import { test, describe } from 'node:test'\n"

function file(name: string, body: string): string {
  const path = join(directory, `${name}.test.mjs`)
  writeFileSync(path, head + body)
  return path
}

const run = (files: readonly string[], timeoutMs = 30_000): Promise<SuiteResult> =>
  runTests({ files, node: process.execPath, mode: 'together', timeoutMs })

test('single tests are counted, their parents are not; skipped ones are named with their reason', async () => {
  const result = await run([
    file('mixed', "test('a', () => {})\ntest('p', async (t) => { await t.test('b', () => {}) })\n"),
    file(
      'groups',
      "describe('g', () => { test('c', () => {}); test('d', (t) => t.skip('why')) })\n",
    ),
  ])
  assert.equal(result.passed, 3)
  assert.deepEqual(result.failures, [])
  assert.equal(result.skipped.length, 1)
  assert.match(result.skipped[0] ?? '', /^g › d \(.*groups\.test\.mjs\): why$/)
})

test('a failure is told once, with its full name, its line and its cause', async () => {
  const body =
    "test('p', async (t) => {\n  await t.test('b', () => { throw new Error('x', { cause: new Error('y') }) })\n})\n"
  const { passed, failures } = await run([file('nested', body)])
  assert.equal(passed, 0)
  assert.equal(failures.length, 1)
  assert.equal(failures[0]?.name, 'p › b')
  assert.match(failures[0]?.where ?? '', /nested\.test\.mjs:3$/)
  assert.match(failures[0]?.error ?? '', /Error: x[\s\S]*cause.*Error: y/)
})

test('a file that crashes, ends early or holds no test is one failure, with what it wrote', async () => {
  const crash = await run([file('crash', "throw new Error('at load')\n")])
  assert.equal(crash.failures.length, 1)
  assert.match(crash.failures[0]?.error ?? '', /at load/)
  const late = await run([
    file('late', "test('a', () => {})\nsetTimeout(() => { throw new Error('late') }, 20)\n"),
  ])
  assert.equal(late.failures.length, 1)
  const empty = await run([file('empty', '')])
  assert.equal(empty.failures.length, 1)
  assert.equal(empty.passed, 0)
})

test('a file that hangs is killed with what it started, and is one failure', async () => {
  const pidFile = join(directory, 'pid')
  const body = `import { spawn } from 'node:child_process'
    import { writeFileSync } from 'node:fs'
    test('hangs', async () => {
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
      writeFileSync(${JSON.stringify(pidFile)}, String(child.pid))
      await new Promise(() => setInterval(() => {}, 1000))
    })\n`
  const files = [file('hang', body)]
  // A busy machine may need longer than the first bound to start the file at all.
  for (const boundMs of [1_500, 5_000, 25_000]) {
    const { failures } = await run(files, boundMs)
    assert.equal(failures.length, 1)
    assert.match(failures[0]?.error ?? '', /^still running after \d+ s; killed/)
    if (existsSync(pidFile)) break
  }
  const pid = Number(readFileSync(pidFile, 'utf8'))
  await until('the process is gone', () => !isAlive(pid))
})

test('files share a few processes; one with hooks at its top has its own', async () => {
  const pid = "import { appendFileSync } from 'node:fs'\n"
  const note = (name: string) =>
    `appendFileSync(${JSON.stringify(join(directory, 'pids'))}, '${name} ' + process.pid + '\\n')\n`
  const body = (name: string) => `${pid}test('${name}', () => { ${note(name)} })\n`
  const hooked = `${pid}import { beforeEach } from 'node:test'\nbeforeEach(() => { ${note('hook')} })\ntest('h', () => {})\n`
  const files = ['s1', 's2', 's3'].map((name) => relative(root, file(name, body(name))))
  const { passed, failures } = await runTests({
    files: [...files, relative(root, file('hooked', hooked))],
    node: process.execPath,
    mode: 'together',
    timeoutMs: 30_000,
    processes: 1,
  })
  assert.deepEqual(failures, [])
  assert.equal(passed, 4)
  const lines = readFileSync(join(directory, 'pids'), 'utf8').trim().split('\n')
  const pidsOf = (name: string) => lines.filter((line) => line.startsWith(`${name} `))
  assert.equal(pidsOf('hook').length, 1)
  const shared = ['s1', 's2', 's3'].flatMap((name) => pidsOf(name).map((line) => line.slice(3)))
  assert.equal(shared.length, 3)
  assert.equal(new Set(shared).size, 1)
})

test('a file that crashes while it shares a process is told by what it wrote', async () => {
  const files = [
    file('fine', "test('a', () => {})\n"),
    file('broken', "throw new Error('at load')\n"),
  ]
  const { failures } = await runTests({
    files: files.map((path) => relative(root, path)),
    node: process.execPath,
    mode: 'together',
    timeoutMs: 30_000,
    processes: 1,
  })
  assert.equal(failures.length, 1)
  assert.match(failures[0]?.error ?? '', /at load[\s\S]*broken\.test\.mjs/)
})
