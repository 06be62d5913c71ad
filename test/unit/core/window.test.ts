import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WindowPlan } from '../../../src/core/plan.ts'
import { durationMs } from '../../../src/core/time.ts'
import { createWindowAssigner } from '../../../src/core/window.ts'
import { ZoneCalendar } from '../../../src/core/zone.ts'

const hour = 3_600_000
const day = 24 * hour

const offsetPlan = (sizeMs: number, slideMs = sizeMs, offsetMs = 0): WindowPlan => ({
  sizeMs: durationMs(sizeMs),
  slideMs: durationMs(slideMs),
  alignment: { kind: 'offset', offsetMs },
})
const zonePlan = (sizeMs: number, timezone: string): WindowPlan => ({
  sizeMs: durationMs(sizeMs),
  slideMs: durationMs(sizeMs),
  alignment: { kind: 'zone', timezone },
})

const times = fc.integer({ min: -4e12, max: 4e12 })
const shapes = fc
  .record({
    slide: fc.integer({ min: 1, max: 50 }),
    times: fc.integer({ min: 1, max: 7 }),
    rest: fc.nat(10),
    offset: fc.integer({ min: -100, max: 100 }),
  })
  .map(({ slide, times: n, rest, offset }) =>
    offsetPlan(slide * n + (n > 1 ? rest % slide : 0), slide, offset),
  )

test('the windows of the slice of a time are all windows that hold it, and no other', () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: -500, max: 500 }), (plan, at) => {
      const assigner = createWindowAssigner(plan)
      const { sizeMs, slideMs, alignment } = plan
      assert.equal(alignment.kind, 'offset')
      const offsetMs = alignment.kind === 'offset' ? alignment.offsetMs : 0
      const expected: number[] = []
      for (let start = at - sizeMs + 1; start <= at; start++) {
        const into = (((start - offsetMs) % slideMs) + slideMs) % slideMs
        if (into === 0) expected.push(start)
      }
      const slice = assigner.sliceAt(at)
      assert.ok(slice.start <= at && at < slice.end)
      assert.deepEqual(
        assigner.windowsOf(slice).map(({ start }) => start),
        expected,
      )
      assert.deepEqual(assigner.lastWindowAt(at), assigner.windowsOf(slice).at(-1))
    }),
  )
})

test('the slices of a window follow on each other and fill it', () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: -500, max: 500 }), (plan, at) => {
      const assigner = createWindowAssigner(plan)
      for (const window of assigner.windowsOf(assigner.sliceAt(at))) {
        const slices = assigner.slicesOf(window)
        assert.equal(slices[0]?.start, window.start)
        assert.equal(slices.at(-1)?.end, window.end)
        for (const [index, slice] of slices.entries()) {
          if (index > 0) assert.equal(slice.start, slices[index - 1]?.end)
          assert.ok(assigner.windowsOf(slice).some(({ start }) => start === window.start))
        }
      }
    }),
  )
})

test('endAfter gives the smallest window end above a time', () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: -500, max: 500 }), (plan, at) => {
      const assigner = createWindowAssigner(plan)
      const end = assigner.endAfter(at)
      assert.ok(end > at)
      const ends = new Set<number>()
      for (let near = at - 1; near <= end; near++) {
        for (const window of assigner.windowsOf(assigner.sliceAt(near))) ends.add(window.end)
      }
      assert.equal(end, Math.min(...[...ends].filter((one) => one > at)))
    }),
  )
  const assigner = createWindowAssigner(offsetPlan(10))
  assert.equal(assigner.endAfter(Number.NEGATIVE_INFINITY), Number.NEGATIVE_INFINITY)
  assert.equal(assigner.endAfter(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY)
})

for (const timezone of [
  'Asia/Shanghai',
  'America/New_York',
  'Europe/Berlin',
  'Australia/Lord_Howe',
  'America/Sao_Paulo',
  'Asia/Kolkata',
  'Africa/Casablanca',
  'America/Havana',
  'Pacific/Apia',
]) {
  test(`days in ${timezone} tile time, hold what they should, and begin at local midnight where there is one`, () => {
    const assigner = createWindowAssigner(zonePlan(day, timezone))
    const calendar = new ZoneCalendar(timezone)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2e12 }), (at) => {
        const window = assigner.sliceAt(at)
        assert.ok(window.start <= at && at < window.end)
        const length = (window.end - window.start) / hour
        assert.ok(length >= 23 && length <= 25, `${length} h at ${at}`)
        assert.equal(assigner.sliceAt(window.start).start, window.start)
        assert.equal(
          createWindowAssigner(zonePlan(day, timezone)).sliceAt(window.end).start,
          window.end,
        )
        const local = window.start + calendar.offsetAt(window.start)
        assert.ok(((local % day) + day) % day <= hour, `${local % day} past midnight`)
      }),
      { numRuns: 60 },
    )
  })
}

test('hours in a zone of half hours begin at the local hour', () => {
  const assigner = createWindowAssigner(zonePlan(hour, 'Asia/Kolkata'))
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2e12 }), (at) => {
      const { start, end } = assigner.sliceAt(at)
      assert.equal(end - start, hour)
      assert.equal((start + 5.5 * hour) % hour, 0)
    }),
    { numRuns: 50 },
  )
})

test('six-hour windows of a 23-hour day end at the next midnight', () => {
  const assigner = createWindowAssigner(zonePlan(6 * hour, 'America/New_York'))
  const midnight = Date.parse('2026-03-08T05:00:00Z')
  const starts: number[] = []
  for (let at = midnight; at < midnight + 23 * hour; at += hour) {
    const { start } = assigner.sliceAt(at)
    if (starts.at(-1) !== start) starts.push(start)
  }
  assert.deepEqual(
    starts,
    [0, 6, 12, 18].map((hours) => midnight + hours * hour),
  )
  assert.equal(assigner.sliceAt(midnight + 22 * hour).end, midnight + 23 * hour)
})

test('an offset moves windows and a time before 1970 has one', () => {
  fc.assert(
    fc.property(times, (at) => {
      const { start, end } = createWindowAssigner(offsetPlan(day, day, -8 * hour)).sliceAt(at)
      assert.ok(start <= at && at < end)
      assert.equal((((start + 8 * hour) % day) + day) % day, 0)
    }),
  )
})
