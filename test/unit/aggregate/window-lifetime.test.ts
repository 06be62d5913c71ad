import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WindowLifetime } from '../../../src/aggregate/window-lifetime.ts'
import { epochMs } from '../../../src/core/time.ts'
import { createWindowAssigner } from '../../../src/core/window.ts'
import { sliding, tumbling } from '../../support/lane-rig.ts'

const window = { start: epochMs(10_000), end: epochMs(11_000) }
const lifetime = (latenessMs: number) =>
  new WindowLifetime(createWindowAssigner(tumbling(1_000)), latenessMs)

test('a window passes at its last millisecond, and is gone the lateness later', () => {
  const one = lifetime(500)
  assert.deepEqual(
    [10_998, 10_999].map((at) => one.isPassed(window, at)),
    [false, true],
  )
  assert.deepEqual(
    [11_498, 11_499].map((at) => one.isGone(window, at)),
    [false, true],
  )
})

test('without lateness a window is gone when it passes', () => {
  const one = lifetime(0)
  assert.deepEqual(
    [10_998, 10_999].map((at) => one.isGone(window, at)),
    [false, true],
  )
})

test('what was gone stays gone, and that never goes back', () => {
  const one = lifetime(500)
  one.dropUntil(11_499)
  one.dropUntil(5_000)
  const longer = lifetime(60_000)
  longer.restore(one.goneThrough)
  assert.equal(longer.isGone(window, 11_600), true)
  assert.equal(longer.isGone({ start: epochMs(11_000), end: epochMs(12_000) }, 12_500), false)
})

test('the next boundary is the first watermark at which any window passes or goes', () => {
  const shapes = fc.constantFrom(tumbling(7), sliding(9, 3), sliding(10, 4))
  fc.assert(
    fc.property(shapes, fc.nat(25), fc.integer({ min: -50, max: 50 }), (plan, lateness, from) => {
      const assigner = createWindowAssigner(plan)
      const one = new WindowLifetime(assigner, lateness)
      const changes = (at: number) =>
        [at + 1, at + 1 - lateness].some((end) =>
          assigner.windowsOf(assigner.sliceAt(end - 1)).some((each) => each.end === end),
        )
      let expected = from + 1
      while (!changes(expected)) expected++
      assert.equal(one.nextBoundary(from), expected)
    }),
  )
  assert.equal(lifetime(5).nextBoundary(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY)
})
