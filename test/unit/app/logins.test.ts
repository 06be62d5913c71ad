import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { cli } from '../../../src/cli.ts'

const hourMs = 3_600_000
const fixture = new URL('../../fixtures/logins/', import.meta.url).pathname
const directory = mkdtempSync(join(tmpdir(), 'warden-logins-'))
after(() => rmSync(directory, { recursive: true, force: true }))

interface Login {
  readonly eventTime: string
  readonly outcome: 'success' | 'fail'
  readonly user: string
  readonly source: string
}

interface Written {
  readonly metric: string
  readonly tags: { readonly source: string }
  readonly timestamp: number
  readonly value: number
}

const lines = <T>(path: string): T[] =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T)

/** Success wins, per hour, source and user. */
function bruteForce(logins: readonly Login[]) {
  const cells = new Map<string, { events: number; users: Map<string, boolean> }>()
  for (const { eventTime, outcome, user, source } of logins) {
    const hour = Math.floor(Date.parse(eventTime) / hourMs) * 3600
    const key = `${hour} ${source}`
    const cell = cells.get(key) ?? { events: 0, users: new Map() }
    cell.events++
    cell.users.set(user, (cell.users.get(user) ?? false) || outcome === 'success')
    cells.set(key, cell)
  }
  return cells
}

test('a real login log: every hour and source as counted by hand, 60 % of users succeed where the raw log says 26 %', async () => {
  cpSync(fixture, directory, { recursive: true })
  const config = readFileSync(join(fixture, 'logins.yaml'), 'utf8')
  const file = join(directory, 'config.yaml')
  writeFileSync(
    file,
    `${config}
sinks: { out: { type: file, path: out.jsonl, prefix: '' } }
server: { listen: 127.0.0.1:0 }
log: { level: error }
`,
  )
  const errors: string[] = []
  const code = await cli(['run', '-c', file], {
    out: () => {},
    err: (text) => errors.push(text),
    env: {},
    directory,
    stop: new AbortController().signal,
  })
  assert.deepEqual({ code, errors }, { code: 0, errors: [] })

  const values = new Map<string, Record<string, number>>()
  for (const { metric, tags, timestamp, value } of lines<Written>(join(directory, 'out.jsonl'))) {
    const key = `${timestamp} ${tags.source}`
    values.set(key, { ...values.get(key), [metric]: value })
  }
  const expected = bruteForce(lines<Login>(join(fixture, 'logins.jsonl')))
  const withEvents = [...values].filter(([, cell]) => cell['login.events'] !== 0)
  assert.equal(withEvents.length, expected.size)
  for (const [key, { events, users }] of expected) {
    const success = [...users.values()].filter(Boolean).length
    const cell = values.get(key)
    assert.equal(cell?.['login.events'], events, key)
    assert.equal(cell?.['login.users'], users.size, key)
    assert.equal(cell?.['login.count'], users.size, key)
    assert.ok(Math.abs((cell?.['login.rate'] ?? -1) - success / users.size) < 1e-12, key)
  }

  const sum = (pick: (cell: Record<string, number>) => number) =>
    [...values.values()].reduce((total, cell) => total + pick(cell), 0)
  const kept = sum((cell) => cell['login.users'] ?? 0)
  const raw = sum((cell) => cell['login.events'] ?? 0)
  assert.equal(kept, 188 + 126)
  assert.equal(raw, 226 + 632)
  assert.equal(
    Math.round(sum((cell) => (cell['login.rate'] ?? 0) * (cell['login.users'] ?? 0))),
    188,
  )
  assert.equal(
    Math.round(sum((cell) => (cell['login.rawRate'] ?? 0) * (cell['login.events'] ?? 0))),
    226,
  )

  // 145 of 578 hours have events, and only those have points: silence is a gap, not a zero.
  const hours = new Set([...values.keys()].map((key) => key.split(' ')[0]))
  assert.equal(hours.size, 145)
})
