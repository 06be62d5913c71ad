import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parseTarget, reset } from '../../../src/app/reset.ts'
import { readFacts } from '../../../src/app/state-facts.ts'
import { loadConfig } from '../../../src/config/file-config.ts'
import type { StateOperation } from '../../../src/core/state-store.ts'
import { resetSource } from '../../../src/pipeline/reset-state.ts'
import { LmdbStateStore } from '../../../src/state/lmdb-state-store.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'

const root = mkdtempSync(join(tmpdir(), 'warden-reset-'))
after(() => rmSync(root, { recursive: true, force: true }))

const put = (key: string, value: unknown): StateOperation => ({
  kind: 'put',
  key,
  value: Buffer.from(JSON.stringify(value)),
})

/** A state of source `orders` with metrics that read it (`loan`) and one that does not (`other`). */
const state = (identity: string): StateOperation[] => [
  put('job', { format: 3, job: 'lending', hashKey: 'aa', incarnation: 100, metrics: [] }),
  put('checkpoint', 7),
  put('source/orders', {
    combined: 1_000,
    partitions: { '0': { offset: 500, identity, watermark: 1_000, idle: true } },
    totals: { records: 5, dead: {} },
  }),
  ...['loan', 'other'].flatMap((metric) => [
    put(`metric/${metric}/windows`, {
      windows: [{ start: 0 }],
      slices: [0],
      missing: [],
      goneThrough: 900,
      partialWindows: 2,
      totals: { rows: 9 },
      emissionLayout: [1],
    }),
    put(`metric/${metric}/keys/0/1`, 'k'),
    put(`metric/${metric}/cells/0/1`, 'c'),
    put(`metric/${metric}/seen/0`, 's'),
  ]),
]

const read = (store: { get(key: string): Uint8Array | undefined }, key: string) =>
  JSON.parse(Buffer.from(store.get(key) ?? []).toString() || 'null')

test('a reset source has other positions and no watermark, and its metrics start anew, partial before them', async () => {
  const store = new MemoryStateStore()
  await store.commit(state('id'))
  const to = new Map([['0', { offset: 20, identity: 'id', readFrom: 600 }]])
  await store.commit(resetSource(store, 'orders', to, ['loan']))
  assert.deepEqual(read(store, 'source/orders'), {
    combined: null,
    partitions: { '0': { offset: 20, identity: 'id', watermark: null, idle: false } },
    totals: { records: 5, dead: {} },
  })
  const keys = [...store.range('metric/loan/', 'metric/loan0')].map(([key]) => key)
  assert.deepEqual(keys, ['metric/loan/windows'])
  const windows = read(store, 'metric/loan/windows')
  assert.deepEqual([windows.windows, windows.slices, windows.goneThrough], [[], [], null])
  assert.deepEqual(windows.missing, [{ from: null, to: 600 }])
  assert.deepEqual([windows.totals, windows.partialWindows], [{ rows: 9 }, 2])
  assert.equal([...store.range('metric/other/', 'metric/other0')].length, 4)
})

test('read from its very beginning nothing is partial; a source the state does not know is refused', async () => {
  const store = new MemoryStateStore()
  await store.commit(state('id'))
  const to = new Map([['0', { offset: 0, identity: 'id', readFrom: Number.NEGATIVE_INFINITY }]])
  await store.commit(resetSource(store, 'orders', to, ['loan']))
  assert.deepEqual(read(store, 'metric/loan/windows').missing, [])
  assert.throws(() => resetSource(store, 'payments', to, []), { code: 'state_incompatible' })
})

test('targets are words, times or offsets; anything else is refused with what would be right', () => {
  assert.deepEqual(parseTarget('earliest'), { kind: 'earliest' })
  const at = Date.UTC(2026, 10, 20)
  assert.deepEqual(parseTarget('2026-11-20T00:00:00Z'), { kind: 'timestamp', at })
  assert.deepEqual(parseTarget('a-b-0=12,a-b-1=0'), {
    kind: 'offsets',
    offsets: new Map([
      ['a-b-0', 12],
      ['a-b-1', 0],
    ]),
  })
  for (const wrong of ['yesterday', '2026-13-40T00:00:00Z', 'orders-0=-3', 'orders-0', ''])
    assert.throws(() => parseTarget(wrong), { code: 'usage', message: /earliest, latest, a time/ })
})

test('a file source is shown what a reset means, and nothing changes until it is confirmed', async () => {
  const directory = join(root, 'job')
  const events = join(root, 'events.jsonl')
  writeFileSync(events, `${'x'.repeat(99)}\n`.repeat(5))
  const file = join(root, 'warden.yaml')
  writeFileSync(
    file,
    `job: lending
stateDir: ${directory}
sources:
  orders: { type: file, path: ${events}, event: { time: at, user: user } }
metrics:
  loan: { window: { size: 1h } }
log: { level: error }
`,
  )
  const config = loadConfig(file, {})
  const store = new LmdbStateStore(join(directory, 'state'))
  await store.commit(state('{"v":1,"from":null,"files":[]}'))
  await store.close()
  let text = ''
  const options = {
    config,
    source: undefined,
    to: parseTarget('earliest'),
    print: (line: string) => {
      text += line
    },
  }
  assert.equal(await reset({ ...options, confirmed: false }), false)
  assert.match(text, /orders 0: 500 → 0 \(500 bytes read again\)/)
  assert.match(text, /loan: windows of 1h from the beginning to .* are counted again/)
  assert.match(text, /nothing was changed/)
  const facts = async () => {
    const opened = new LmdbStateStore(join(directory, 'state'))
    const found = readFacts(opened)
    await opened.close()
    return found
  }
  assert.equal((await facts()).positions.orders?.['0']?.offset, 500)
  assert.equal(await reset({ ...options, confirmed: true }), true)
  const after = await facts()
  assert.equal(after.positions.orders?.['0']?.offset, 0)
  assert.ok(after.incarnation > 100)
  await assert.rejects(reset({ ...options, to: parseTarget('0=12'), confirmed: true }), {
    code: 'usage',
    message: /files/,
  })
})
