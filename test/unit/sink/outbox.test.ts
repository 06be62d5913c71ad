import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { StateStore } from '../../../src/core/state-store.ts'
import { epochMs } from '../../../src/core/time.ts'
import { Outbox } from '../../../src/sink/outbox.ts'
import { readCursors } from '../../../src/sink/outbox-cursors.ts'
import type { DataPoint } from '../../../src/sink/sink.ts'
import { LmdbStateStore } from '../../../src/state/lmdb-state-store.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'

const points = (count: number): DataPoint[] =>
  Array.from({ length: count }, (_, i) => ({
    metric: 'm',
    tags: { series: String(i) },
    timestamp: 1,
    value: i,
    incarnation: 0,
    revision: 0,
  }))

const open = (store: StateStore, sinks: readonly string[], maxBytes = 1e9) =>
  new Outbox(store, { sinks, maxBytes })

async function checkpoint(store: StateStore, outbox: Outbox, count = 0): Promise<void> {
  const operations = [...outbox.append(points(count), epochMs(1_000)), ...outbox.cursorOperations()]
  await store.commit(operations)
  outbox.committed()
}

const entries = (store: StateStore) => [...store.range('outbox/', 'outbox0')].length

describe('Outbox', () => {
  it('shows entries when they are durable, not before', async () => {
    const store = new MemoryStateStore()
    const outbox = open(store, ['a'])
    const operations = outbox.append(points(3), epochMs(5))
    assert.equal(outbox.read(0), undefined)
    await store.commit(operations)
    outbox.committed()
    assert.deepEqual(outbox.read(0), { position: 0, appendedAt: 5, points: points(3) })
    assert.equal(outbox.read(1), undefined)
  })

  it('splits many points into small entries', async () => {
    const store = new MemoryStateStore()
    const outbox = open(store, ['a'])
    await checkpoint(store, outbox, 1_200)
    assert.equal(entries(store), 3)
    assert.equal(outbox.depth('a'), 1_200)
  })

  it('goes on after a restart where each sink acknowledged, and knows depth, bytes and age', async () => {
    const store = new MemoryStateStore()
    const outbox = open(store, ['a', 'b'])
    await checkpoint(store, outbox, 10)
    await checkpoint(store, outbox, 20)
    outbox.acknowledge('a', 2)
    outbox.acknowledge('b', 1)
    await checkpoint(store, outbox)
    const again = open(store, ['a', 'b'])
    assert.deepEqual([again.cursor('a'), again.cursor('b')], [2, 1])
    assert.deepEqual([again.depth('a'), again.depth('b')], [0, 20])
    assert.equal(again.bytes, outbox.bytes)
    assert.equal(again.appendedAt(1), 1_000)
    assert.equal(again.read(1)?.points.length, 20)
  })

  it('forgets an acknowledgement that no checkpoint took', async () => {
    const store = new MemoryStateStore()
    const outbox = open(store, ['a'])
    await checkpoint(store, outbox, 1)
    outbox.acknowledge('a', 1)
    assert.equal(open(store, ['a']).cursor('a'), 0)
  })

  it('removes what all sinks have acknowledged', async () => {
    const store = new MemoryStateStore()
    const outbox = open(store, ['a', 'b'])
    await checkpoint(store, outbox, 1)
    await checkpoint(store, outbox, 1)
    outbox.acknowledge('a', 2)
    await checkpoint(store, outbox)
    assert.equal(entries(store), 2)
    outbox.acknowledge('b', 1)
    await checkpoint(store, outbox)
    assert.equal(entries(store), 1)
  })

  it('never uses a position twice, also after it was empty', async () => {
    const store = new MemoryStateStore()
    const outbox = open(store, ['a'])
    await checkpoint(store, outbox, 1)
    outbox.acknowledge('a', 1)
    await checkpoint(store, outbox)
    const again = open(store, ['a'])
    await checkpoint(store, again, 1)
    assert.equal(again.end, 2)
    assert.equal(open(store, ['a']).read(1)?.points.length, 1)
  })

  it('writes what a failed transaction did not, and acknowledges it again', async () => {
    const store = new MemoryStateStore()
    const outbox = open(store, ['a'])
    await checkpoint(store, outbox, 1)
    outbox.acknowledge('a', 1)
    outbox.append(points(2), epochMs(1))
    outbox.cursorOperations()
    await checkpoint(store, outbox, 3)
    const again = open(store, ['a'])
    assert.equal(again.cursor('a'), 1)
    assert.equal(again.depth('a'), 5)
    assert.equal(entries(store), 2)
  })

  it('keeps hidden what was appended while a transaction was under way', async () => {
    const store = new MemoryStateStore()
    const outbox = open(store, ['a'])
    const first = outbox.append(points(1), epochMs(1))
    const { end } = outbox
    await store.commit(first)
    outbox.append(points(2), epochMs(2))
    outbox.committed(end)
    assert.equal(outbox.visibleEnd, 1)
    assert.equal(outbox.read(1), undefined)
    await checkpoint(store, outbox)
    assert.equal(outbox.read(1)?.points.length, 2)
  })

  it('starts a new sink at the end, and holds that place from the first transaction on', async () => {
    const store = new MemoryStateStore()
    await checkpoint(store, open(store, ['a']), 5)
    const outbox = open(store, ['a', 'new'])
    assert.equal(outbox.cursor('new'), 1)
    await store.commit(outbox.append(points(1), epochMs(1)))
    const afterCrash = open(store, ['a', 'new'])
    assert.equal(afterCrash.cursor('new'), 1)
    assert.equal(afterCrash.depth('new'), 1)
  })

  it('names a removed sink with what it never got, and drops its cursor', async () => {
    const store = new MemoryStateStore()
    await checkpoint(store, open(store, ['kept', 'old sink']), 7)
    const outbox = open(store, ['kept'])
    assert.deepEqual(outbox.removed, [{ sink: 'old sink', points: 7 }])
    outbox.acknowledge('kept', 1)
    await checkpoint(store, outbox)
    assert.deepEqual([...readCursors(store).keys()], ['kept'])
    assert.equal(entries(store), 0)
  })

  it('is full at its bound until the slowest sink has caught up', async () => {
    const store = new MemoryStateStore()
    const outbox = open(store, ['a', 'b'], 300)
    await checkpoint(store, outbox, 3)
    assert.equal(outbox.full(), false)
    await checkpoint(store, outbox, 10)
    assert.equal(outbox.full(), true)
    outbox.acknowledge('a', 2)
    assert.equal(outbox.full(), true)
    outbox.acknowledge('b', 2)
    assert.equal(outbox.full(), false)
  })

  it('holds nothing when there is no sink', async () => {
    const store = new MemoryStateStore()
    const outbox = open(store, [])
    await checkpoint(store, outbox, 10)
    assert.equal(entries(store), 0)
    assert.equal(outbox.full(), false)
  })

  it('tells a listener of entries and acknowledgements, until it no longer listens', async () => {
    const store = new MemoryStateStore()
    const outbox = open(store, ['a'])
    let told = 0
    const end = outbox.onChange(() => told++)
    await checkpoint(store, outbox, 1)
    outbox.acknowledge('a', 1)
    assert.equal(told, 2)
    end()
    await checkpoint(store, outbox, 1)
    assert.equal(told, 2)
  })

  it('is found again in LMDB by the next process', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'warden-outbox-'))
    try {
      const store = new LmdbStateStore(directory)
      const outbox = open(store, ['a'])
      await checkpoint(store, outbox, 1_200)
      outbox.acknowledge('a', 1)
      await checkpoint(store, outbox, 7)
      await store.close()
      const next = new LmdbStateStore(directory)
      const again = open(next, ['a'])
      assert.deepEqual([again.cursor('a'), again.end, again.depth('a')], [1, 4, 707])
      assert.equal(entries(next), 3)
      assert.deepEqual(again.read(3)?.points, points(7))
      await next.close()
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('refuses a store with a hole or a cursor beyond the end', async () => {
    const hole = new MemoryStateStore()
    const outbox = open(hole, ['a'])
    for (let i = 0; i < 3; i++) await checkpoint(hole, outbox, 1)
    await hole.commit([{ kind: 'remove', key: 'outbox/0000000000000001' }])
    assert.throws(() => open(hole, ['a']), { code: 'state_corrupt' })
    await hole.commit([{ kind: 'remove-range', from: 'outbox/0000000000000001', to: 'outbox0' }])
    await hole.commit([{ kind: 'put', key: 'outbox-cursor/a', value: Buffer.from('1 9') }])
    assert.throws(() => open(hole, ['a']), { code: 'state_corrupt' })
  })
})
