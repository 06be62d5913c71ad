import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeriesSeen } from '../../../src/aggregate/series-seen.ts'
import { epochMs } from '../../../src/core/time.ts'

const window = (start: number) => ({ start: epochMs(start), end: epochMs(start + 10) })

test('a series is known from its first window until it was silent for longer than it may', () => {
  const seen = new SeriesSeen(30, 0)
  assert.equal(seen.isKnown(5, window(100)), false)
  seen.see(5, window(100))
  assert.deepEqual(
    [90, 100, 110, 140, 150].map((start) => seen.isKnown(5, window(start))),
    [false, true, true, true, false],
  )
})

test('late events make a series known earlier, and never forgotten sooner', () => {
  const seen = new SeriesSeen(30, 0)
  seen.see(0, window(100))
  seen.see(0, window(80))
  assert.deepEqual(
    [70, 80, 140].map((start) => seen.isKnown(0, window(start))),
    [false, true, true],
  )
})

test('a declared series is known always', () => {
  const seen = new SeriesSeen(30, 0)
  seen.declare(300)
  assert.equal(seen.isKnown(300, window(-1e9)), true)
  assert.equal(seen.isKnown(299, window(100)), false)
})

test('what was seen is restored from the changed blocks; what was declared is the plan’s to say', () => {
  const seen = new SeriesSeen(30, 0)
  seen.see(700, window(100))
  seen.declare(1)
  const blocks = [...seen.takeDirtyBlocks()]
  assert.deepEqual(
    blocks.map(([block]) => block),
    [2],
  )
  assert.deepEqual([...seen.takeDirtyBlocks()], [])
  const restored = new SeriesSeen(30, 0)
  for (const [block, bytes] of blocks) restored.loadBlock(block, bytes)
  assert.equal(restored.isKnown(700, window(110)), true)
  assert.equal(restored.isKnown(1, window(110)), false)
})
