import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { LmdbPointStore } from '../../../src/store/lmdb-point-store.ts'
import { UNVERSIONED } from '../../../src/store/point-columns.ts'
import type { StorePoint } from '../../../src/store/point-store.ts'

const HOUR_MS = 3_600_000
const START = 1_795_132_800_000

function storePoint(change: Partial<StorePoint>): StorePoint {
  return {
    metric: 'm',
    tags: { host: 'a' },
    timeMs: START,
    value: 1,
    integer: false,
    incarnation: UNVERSIONED,
    revision: 0,
    ...change,
  }
}

type Row = readonly [series: string, timeMs: number, value: number, integer: number]

/** Everything in the store, in order. */
function contents(store: LmdbPointStore): Row[] {
  return store.index
    .all()
    .map((series) => ({
      series,
      key: `${series.metric}${JSON.stringify([...series.tags].sort())}`,
    }))
    .sort((left, right) => (left.key < right.key ? -1 : 1))
    .flatMap(({ series, key }) => {
      const points = store.readPoints(series.id, 0, Number.MAX_SAFE_INTEGER)
      return Array.from(
        { length: points.length },
        (_, at): Row => [
          key,
          points.times[at] ?? 0,
          points.values[at] ?? 0,
          points.integers?.[at] ?? 0,
        ],
      )
    })
}

describe('the store on disk', () => {
  let directory: string
  let store: LmdbPointStore
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'warden-store-'))
    store = new LmdbPointStore(directory)
  })
  afterEach(async () => {
    await store.close()
    await rm(directory, { recursive: true, force: true })
  })

  const reopen = async (): Promise<void> => {
    await store.close()
    store = new LmdbPointStore(directory)
  }

  it('a restart keeps points, names, notes and their ids', async () => {
    await store.write([
      storePoint({ value: 1.25 }),
      storePoint({ metric: '订单', tags: { 城市: '上海', a: 'b' }, value: 7, integer: true }),
    ])
    const note = { tsuid: '', startTime: 5, endTime: 0, description: 'x', notes: '' }
    await store.putAnnotation(note)
    const before = { rows: contents(store), tsuids: store.index.all().map((one) => one.tsuid) }
    await reopen()
    assert.deepEqual(
      { rows: contents(store), tsuids: store.index.all().map((one) => one.tsuid) },
      before,
    )
    assert.deepEqual(store.annotation('', 5), note)
    await store.write([storePoint({ metric: 'new', tags: { neu: 'x' } })])
    assert.equal(new Set(store.index.all().map((one) => one.tsuid)).size, 3)
  })

  it('a point with a smaller revision does not replace one with a larger, a later incarnation does', async () => {
    const write = (incarnation: number, revision: number, value: number): Promise<void> =>
      store.write([storePoint({ incarnation, revision, value })])
    await write(1, 2, 12)
    await write(1, 1, 11)
    assert.equal(contents(store)[0]?.[2], 12)
    await reopen()
    await write(1, 0, 10)
    assert.equal(contents(store)[0]?.[2], 12)
    await write(2, 0, 20)
    await write(1, 9, 19)
    assert.equal(contents(store)[0]?.[2], 20)
    await write(UNVERSIONED, 0, 99)
    assert.equal(contents(store)[0]?.[2], 99)
  })

  const anyPoint = fc.record({
    metric: fc.constantFrom('m', 'n'),
    tags: fc.constantFrom({ host: 'a' }, { host: 'b' }, { host: 'a', dc: 'x' }),
    timeMs: fc.oneof(
      fc.nat(3_000).map((hours) => START + hours * HOUR_MS),
      fc.nat(5_000).map((ms) => START + ms),
    ),
    value: fc.oneof(
      fc.integer({ min: -300, max: 70_000 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    ),
    integer: fc.boolean(),
    incarnation: fc.constantFrom(0, 1, 7_000_000_000),
    revision: fc.nat(3),
  })

  /** One value per (series, time, incarnation, revision): what a version says does not depend on who says it. */
  const versioned = fc.uniqueArray(anyPoint, {
    maxLength: 400,
    selector: (one) =>
      JSON.stringify([one.metric, one.tags, one.timeMs, one.incarnation, one.revision]),
  })

  it('the order of versioned writes and their batches do not matter, nor do repetitions', async () => {
    await fc.assert(
      fc.asyncProperty(
        versioned,
        fc.infiniteStream(fc.nat()),
        fc.nat(60),
        async (points, chance, size) => {
          const shuffled = [...points, ...points.slice(0, 20)]
            .map((one) => [chance.next().value as number, one] as const)
            .sort(([left], [right]) => left - right)
            .map(([, one]) => one)
          const stores = await Promise.all(
            [points, shuffled].map(async (order, at) => {
              const one = new LmdbPointStore(join(directory, `${at}-${chance.next().value}`))
              for (let from = 0; from < order.length; from += size + 1) {
                await one.write(order.slice(from, from + size + 1))
              }
              return one
            }),
          )
          const [left, right] = stores.map(contents)
          await Promise.all(stores.map((one) => one.close()))
          assert.deepEqual(left, right)
        },
      ),
      { numRuns: 15 },
    )
  })

  it('many points in any order come back sorted, whole, and bounded by the range asked for', async () => {
    const times = Array.from({ length: 4_000 }, (_, at) => START + ((at * 7_919) % 4_000) * 60_000)
    for (let from = 0; from < times.length; from += 500) {
      await store.write(
        times.slice(from, from + 500).map((timeMs) => storePoint({ timeMs, value: timeMs / 7 })),
      )
    }
    const all = store.readPoints(1, 0, Number.MAX_SAFE_INTEGER)
    assert.deepEqual(
      [...all.times.subarray(0, all.length)],
      times.toSorted((left, right) => left - right),
    )
    const some = store.readPoints(1, START + 90_000, START + 300_000)
    assert.deepEqual(
      [...some.times.subarray(0, some.length)],
      [2, 3, 4].map((minutes) => START + minutes * 60_000),
    )
    assert.equal(store.lastPoint(1, 0)?.timeMs, START + 3_999 * 60_000)
  })

  it('a write that fails leaves nothing behind, and the next one succeeds', async () => {
    await store.write([storePoint({})])
    const broken = {
      ...storePoint({ metric: 'late', timeMs: START + 1 }),
      get value(): number {
        throw new Error('broken')
      },
    }
    await assert.rejects(store.write([storePoint({ timeMs: START + HOUR_MS }), broken]), {
      code: 'state_write_failed',
    })
    assert.equal(contents(store).length, 1)
    await store.write([storePoint({ metric: 'late', timeMs: START + 1 })])
    await reopen()
    assert.deepEqual(
      contents(store).map(([series]) => series.slice(0, 1)),
      ['l', 'm'],
    )
  })

  it('what was acknowledged survives kill -9', async () => {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', 'test/support/store-writer.ts', join(directory, 'killed')],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let acknowledged = 0
    child.stdout.setEncoding('utf8')
    for await (const text of child.stdout) {
      acknowledged = Number(String(text).trim().split('\n').at(-1))
      if (acknowledged >= 50 && !child.killed) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    assert.ok(acknowledged >= 50)
    const survived = new LmdbPointStore(join(directory, 'killed'))
    const batches = new Map<number, number>()
    for (const [, , value] of contents(survived)) batches.set(value, (batches.get(value) ?? 0) + 1)
    await survived.close()
    for (let batch = 1; batch <= acknowledged; batch++) {
      assert.equal(batches.get(batch), 20, `batch ${batch} of ${acknowledged}`)
    }
    assert.ok(
      [...batches.values()].every((count) => count === 20),
      'a batch is stored whole or not at all',
    )
  })
})
