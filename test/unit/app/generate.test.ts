import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type GenerateOptions, generate } from '../../../src/app/generate.ts'
import { WardenError } from '../../../src/core/errors.ts'

const directory = mkdtempSync(join(tmpdir(), 'warden-generate-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const start = Date.parse('2026-11-01T00:00:00Z')
const never = new AbortController().signal
const told: string[] = []

const options = (path: string, changes: Partial<GenerateOptions> = {}): GenerateOptions => ({
  to: { kind: 'file', path },
  rate: 0,
  limit: 2_500,
  users: 100,
  seed: 1,
  density: 1_000,
  start,
  print: (text) => told.push(text),
  ...changes,
})

let files = 0
/** What was written to a new file. */
async function written(changes: Partial<GenerateOptions> = {}): Promise<string> {
  const path = join(directory, `deep/${files++}.jsonl`)
  await generate(options(path, changes), never)
  return readFileSync(path, 'utf8')
}

test('as many whole lines as asked for, at once or at a rate', async () => {
  for (const changes of [{}, { limit: 1 }, { limit: 300, rate: 3_000 }, { limit: 1_001 }]) {
    const text = await written(changes)
    assert.ok(text.endsWith('\n'))
    assert.equal(text.split('\n').length - 1, changes.limit ?? 2_500)
  }
})

test('the same seed and start give the same bytes, at whatever rate; another seed gives others', async () => {
  const bytes = await written({ limit: 500 })
  assert.equal(await written({ limit: 500, rate: 5_000 }), bytes)
  assert.notEqual(await written({ limit: 500, seed: 2 }), bytes)
})

test('nearly all lines are lending events of the population, from the start on and at the density', async () => {
  const lines = (await written()).trimEnd().split('\n')
  const events = lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as { userId?: string; event?: string; eventTime?: unknown }]
    } catch {
      return []
    }
  })
  assert.ok(events.length > 2_450)
  const users = new Set(events.map(({ userId }) => userId).filter((user) => user !== undefined))
  assert.ok(users.size > 50 && users.size <= 101, `${users.size} users`)
  assert.ok(events.some(({ event }) => event === 'apply'))
  const times = events.map(({ eventTime }) => eventTime).filter((at) => typeof at === 'number')
  assert.ok(times.filter((at) => at >= start && at < start + 60_000).length > 2_400)
})

test('a file that is there is appended to', async () => {
  const path = join(directory, 'twice.jsonl')
  assert.equal(await generate(options(path, { limit: 10 }), never), 10)
  assert.equal(await generate(options(path, { limit: 10 }), never), 10)
  assert.equal(readFileSync(path, 'utf8').split('\n').length - 1, 20)
})

test('a stop ends it between two writes, and what it says is written is there', async () => {
  const path = join(directory, 'stopped.jsonl')
  const stop = new AbortController()
  const running = generate(options(path, { limit: undefined, rate: 1_000 }), stop.signal)
  stop.abort()
  const count = await running
  assert.equal(readFileSync(path, 'utf8').split('\n').length - 1, count)
})

test('whoever generates the future is told once that Warden will not take it', async () => {
  told.length = 0
  await written({ start: Date.now() + 3_600_000, limit: 3_000 })
  assert.deepEqual(told.filter((text) => text.includes('ahead of the clock')).length, 1)
  told.length = 0
  await written()
  assert.deepEqual(told, [])
})

test('a disk that is full ends it with the error of the system', {
  skip: !existsSync('/dev/full') && 'needs /dev/full',
}, async () => {
  await assert.rejects(generate(options('/dev/full'), never), { code: 'ENOSPC' })
})

test('what Kafka does not take is an error that names topic and brokers', async () => {
  // A broker that is away is tried for some seconds; none at all is refused at once.
  const to = { kind: 'kafka', brokers: [], topic: 'loans' } as const
  await assert.rejects(generate({ ...options('-'), to }, never), (error) => {
    assert.ok(error instanceof WardenError)
    assert.equal(error.code, 'sink_unreachable')
    assert.match(error.message, /^can't write to topic loans at no broker: ./)
    return true
  })
})
