import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { AggregatePlan, MetricPlan } from '../../../src/core/plan.ts'
import { durationMs, epochMs } from '../../../src/core/time.ts'
import { type LaneEvent, LaneRig, metricPlan, never, sliding } from '../../support/lane-rig.ts'

const count = { kind: 'count', name: 'count' } as const
const sum = { kind: 'sum', name: 'sum', value: 0 } as const
const zeroFill = { enabled: true, expireAfter: durationMs(3_000), whenSilent: 'gap' } as const

/** What was said of a series, in order. */
const said = (rig: LaneRig, series: string, start: number) =>
  rig.panes
    .filter(({ tags, windowStart }) => tags.product === series && windowStart === start)
    .map(({ firing, revision, values }) => [firing, revision, values.count] as const)

test('an event on the very start of a window belongs to it, one on the end to the next', () => {
  const rig = new LaneRig([metricPlan()])
  rig.feed({ at: 10_000 }, { at: 10_999 }, { at: 11_000 })
  rig.end()
  assert.deepEqual(
    rig.final(),
    new Map([
      ['a@10000', { count: 2 }],
      ['a@11000', { count: 1 }],
    ]),
  )
})

test('a window fires when the watermark is end − 1, not a millisecond sooner', () => {
  const rig = new LaneRig([metricPlan()])
  rig.feed({ at: 10_000 }, { at: 10_999 + 100 })
  rig.collect()
  assert.deepEqual(rig.panes, [])
  rig.feed({ at: 11_000 + 100 })
  rig.collect()
  assert.deepEqual(said(rig, 'a', 10_000), [['on-time', 0, 1]])
})

test('the last event that is not late comes at end − 1 + lateness − 1', () => {
  const rig = new LaneRig([metricPlan()])
  rig.feed({ at: 10_000 }, { at: 10_999 + 500 + 100 }, { at: 10_001 })
  rig.feed({ at: 11_000 + 500 + 100 }, { at: 10_002 })
  rig.end()
  assert.deepEqual(rig.final().get('a@10000'), { count: 2 })
  assert.deepEqual(
    rig.late.map(({ time, windowEnd, watermark }) => [time, windowEnd, watermark]),
    [[10_002, 11_000, 11_499]],
  )
})

test('without lateness the event that passes a window is not late, the next one of that window is', () => {
  const rig = new LaneRig([metricPlan({ allowedLateness: durationMs(0) })])
  rig.feedBatch([{ at: 10_000 }, { at: 10_500 }, { at: 11_100 }, { at: 10_900 }])
  rig.end()
  assert.deepEqual(rig.final().get('a@10000'), { count: 2 })
  assert.equal(rig.late.length, 1)
})

const events = fc.array(
  fc.record<LaneEvent>({
    at: fc.integer({ min: 10_000, max: 10_060 }),
    series: fc.constantFrom('a', 'b'),
    outcome: fc.nat(2),
    value: fc.integer({ min: -5, max: 5 }),
  }),
  { maxLength: 40 },
)
const shapes = fc.constantFrom(sliding(10, 5), sliding(12, 5), sliding(9, 3), sliding(7, 1))

test('sliding windows hold every event that is in them, once each', () => {
  fc.assert(
    fc.property(events, shapes, fc.boolean(), (all, window, isOneBatch) => {
      const aggregates: AggregatePlan[] = [
        count,
        sum,
        { kind: 'min', name: 'min', value: 0 },
        { kind: 'max', name: 'max', value: 0 },
        { kind: 'avg', name: 'avg', value: 0 },
      ]
      const rig = new LaneRig([metricPlan({ window, aggregates, allowedLateness: never })])
      if (isOneBatch) rig.feedBatch(all)
      else rig.feed(...all)
      rig.end()
      assert.deepEqual(rig.final(), inWindows(all, window))
      assert.equal(rig.late.length, 0)
    }),
  )
})

function inWindows(all: readonly LaneEvent[], window: MetricPlan['window']) {
  const { sizeMs, slideMs } = window
  const values = new Map<string, number[]>()
  for (const { at, series, value = 0 } of all) {
    for (let start = Math.floor(at / slideMs) * slideMs; start > at - sizeMs; start -= slideMs) {
      const key = `${series}@${start}`
      values.set(key, [...(values.get(key) ?? []), value])
    }
  }
  return new Map(
    [...values].map(([key, list]) => {
      const total = list.reduce((whole, one) => whole + one, 0)
      return [
        key,
        {
          count: list.length,
          sum: total,
          min: Math.min(...list),
          max: Math.max(...list),
          avg: total / list.length,
        },
      ]
    }),
  )
}

test('a late event of sliding windows speaks in those that live and is late only when none does', () => {
  const rig = new LaneRig([
    metricPlan({ window: sliding(2_000, 1_000), allowedLateness: durationMs(500) }),
  ])
  rig.feed({ at: 10_100 }, { at: 12_500 }, { at: 10_200 }, { at: 9_900 })
  rig.collect()
  assert.deepEqual(said(rig, 'a', 9_000), [['on-time', 0, 1]])
  assert.deepEqual(said(rig, 'a', 10_000), [
    ['on-time', 0, 1],
    ['late', 1, 2],
  ])
  assert.deepEqual(
    rig.late.map(({ time }) => time),
    [9_900],
  )
})

test('discarding panes are the differences of accumulating ones, also over restarts and withdrawals', async () => {
  const steps = fc.array(
    fc.record({
      at: fc.integer({ min: 10_000, max: 11_600 }),
      user: fc.nat(3),
      outcome: fc.nat(2),
      series: fc.constantFrom('a', 'b'),
      value: fc.integer({ min: -5, max: 5 }),
      next: fc.constantFrom('nothing', 'collect', 'early', 'restart'),
    }),
    { maxLength: 30 },
  )
  const options = fc.record({
    keep: fc.constantFrom(undefined, 'best', 'last'),
    split: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(steps, options, async (history, { keep, split }) => {
      const plan = {
        ...(keep === undefined ? {} : { keep }),
        splitByOutcome: split,
        earlyAfter: durationMs(10),
        allowedLateness: durationMs(300),
        aggregates: [count, { kind: 'events', name: 'events' } as const, sum],
      }
      const whole = new LaneRig([metricPlan(plan)])
      const parts = new LaneRig([metricPlan({ ...plan, accumulation: 'discarding' })])
      for (const step of history) {
        for (const rig of [whole, parts]) {
          rig.feed(step)
          if (step.next === 'collect') rig.collect()
          if (step.next === 'early') {
            rig.now = epochMs(rig.now + 10)
            rig.tick(rig.now)
          }
          if (step.next === 'restart') {
            await rig.checkpoint()
            rig.restart()
          }
        }
      }
      for (const rig of [whole, parts]) rig.end()
      const added = new Map<string, Record<string, number>>()
      for (const { tags, windowStart, values } of parts.panes) {
        const outcome = tags.outcome === undefined ? '' : `/${tags.outcome}`
        const key = `${tags.product}${outcome}@${windowStart}`
        const before = added.get(key) ?? {}
        added.set(
          key,
          Object.fromEntries(
            Object.entries(values).map(([name, one]) => [name, (before[name] ?? 0) + one]),
          ),
        )
      }
      assert.deepEqual(new Map([...added].sort()), new Map([...whole.final()].sort()))
    }),
    { numRuns: 60 },
  )
})

test('a zero pane of a metric that is split has every named outcome, and no other', () => {
  const rig = new LaneRig([
    metricPlan({
      splitByOutcome: true,
      zeroFill,
      aggregates: [
        count,
        { kind: 'rate', name: 'rate', raw: true, success: ['success'], of: undefined },
      ],
    }),
  ])
  rig.feed({ at: 10_000, series: 'a' }, { at: 10_001, series: 'b' }, { at: 11_000, series: 'b' })
  rig.feed({ at: 12_200, series: 'b' })
  rig.collect()
  const zeros = rig.panes.filter(
    ({ tags, windowStart }) => tags.product === 'a' && windowStart === 11_000,
  )
  assert.deepEqual(
    zeros.map(({ tags, values, zero }) => [tags.outcome, values, zero]),
    [
      [undefined, {}, true],
      ['fail', { count: 0 }, true],
      ['success', { count: 0 }, true],
    ],
  )
})

test('zeros go on until a series has expired, and begin again with its next event', () => {
  const rig = new LaneRig([metricPlan({ zeroFill })])
  rig.feed({ at: 10_000, series: 'a' })
  for (let at = 10_000; at < 18_000; at += 1_000) rig.feed({ at: at + 1, series: 'b' })
  rig.feed({ at: 18_000, series: 'a' })
  rig.feed({ at: 20_000, series: 'b' })
  rig.end()
  const of = rig.panes.filter(({ tags }) => tags.product === 'a')
  assert.deepEqual(
    of.map(({ windowStart, values }) => [windowStart, values.count]),
    [
      [10_000, 1],
      [11_000, 0],
      [12_000, 0],
      [13_000, 0],
      [14_000, 0],
      [18_000, 1],
      [20_000, 0],
    ],
  )
})

test('an event of the source that is late for no window fills a passed one that nobody had opened', () => {
  const rig = new LaneRig([metricPlan({ zeroFill, allowedLateness: durationMs(5_000) })])
  rig.feed({ at: 10_000, series: 'a' }, { at: 12_500, series: 'a' })
  rig.collect()
  assert.deepEqual(said(rig, 'a', 11_000), [])
  rig.feed({ at: 11_500, series: 'b' })
  rig.collect()
  assert.deepEqual(said(rig, 'a', 11_000), [['late', 0, 0]])
  assert.deepEqual(said(rig, 'b', 11_000), [['late', 0, 1]])
})

test('early panes speak of what came, never of zeros, and the pane on time follows in revision', () => {
  const rig = new LaneRig([metricPlan({ zeroFill, earlyAfter: durationMs(1_000) })])
  rig.feed({ at: 10_000, series: 'b' }, { at: 11_200, series: 'a' })
  rig.collect()
  rig.now = epochMs(999)
  rig.tick(rig.now)
  rig.collect()
  assert.deepEqual(said(rig, 'a', 11_000), [])
  rig.now = epochMs(1_000)
  rig.tick(rig.now)
  rig.feed({ at: 12_200, series: 'a' })
  rig.collect()
  assert.deepEqual(said(rig, 'a', 11_000), [
    ['early', 0, 1],
    ['on-time', 1, 1],
  ])
  assert.deepEqual(said(rig, 'b', 11_000), [['on-time', 0, 0]])
})

test('partial windows are counted, not written, and their series are known afterwards', () => {
  const rig = new LaneRig([metricPlan({ zeroFill })])
  rig.windows.metrics[0]?.operator.markMissing(Number.NEGATIVE_INFINITY, 10_001)
  rig.feed({ at: 10_002, series: 'a' }, { at: 11_000, series: 'b' }, { at: 11_300, series: 'b' })
  rig.feed({ at: 10_003, series: 'a' }, { at: 12_200, series: 'b' })
  rig.collect()
  assert.equal(rig.windows.metrics[0]?.operator.partialWindows, 1)
  assert.deepEqual(said(rig, 'a', 10_000), [])
  assert.deepEqual(said(rig, 'a', 11_000), [['on-time', 0, 0]])
})

test('emitPartial writes partial windows all the same', () => {
  const rig = new LaneRig([metricPlan({ emitPartial: true })])
  rig.windows.metrics[0]?.operator.markMissing(Number.NEGATIVE_INFINITY, 10_001)
  rig.feed({ at: 10_002 }, { at: 11_200 }, { at: 10_003 })
  rig.collect()
  assert.deepEqual(said(rig, 'a', 10_000), [
    ['on-time', 0, 1],
    ['late', 1, 2],
  ])
})

test('other aggregates over a restart: revisions go on, and what is not known of before is left out', async () => {
  const rig = new LaneRig([metricPlan({ aggregates: [count] })])
  rig.feed({ at: 10_000, value: 7 }, { at: 11_200 })
  await rig.checkpoint()
  const events = { kind: 'events', name: 'events' } as const
  rig.restart([metricPlan({ aggregates: [sum, count] })])
  rig.feed({ at: 10_001, value: 1 })
  await rig.checkpoint()
  rig.restart([metricPlan({ aggregates: [events, sum] })])
  rig.feed({ at: 10_002, value: 2 })
  rig.collect()
  assert.deepEqual(
    rig.panes.map(({ revision, values, previous }) => ({ revision, values, previous })),
    [
      { revision: 0, values: { count: 1 }, previous: undefined },
      { revision: 1, values: { sum: 8, count: 2 }, previous: { count: 1 } },
      { revision: 2, values: { events: 3, sum: 10 }, previous: { sum: 8 } },
    ],
  )
})

test('other aggregates over a restart: discarding panes say nothing twice', async () => {
  const plan = { accumulation: 'discarding' } as const
  const rig = new LaneRig([metricPlan({ ...plan, aggregates: [count] })])
  rig.feed({ at: 10_000 }, { at: 10_001 }, { at: 11_200 })
  await rig.checkpoint()
  rig.restart([metricPlan({ ...plan, aggregates: [count, sum] })])
  rig.feed({ at: 10_002 })
  rig.collect()
  assert.deepEqual(said(rig, 'a', 10_000), [
    ['on-time', 0, 2],
    ['late', 1, 1],
  ])
})

test('a window of a thousand slices among thousands of passed ones answers quickly whether anything is late', () => {
  const second = 1_000
  const rig = new LaneRig([
    metricPlan({
      window: sliding(1_000 * second, second),
      allowedLateness: durationMs(2_000 * second),
      values: [],
    }),
  ])
  for (let at = 0; at < 3_000; at += 10) rig.feedBatch([{ at: 1e9 + at * second }])
  rig.collect()
  rig.feed({ at: 1e9 + 2_999 * second })
  const operator = rig.windows.metrics[0]?.operator
  const begun = performance.now()
  for (let tick = 0; tick < 200; tick++) operator?.hasLate()
  const perTickMs = (performance.now() - begun) / 200
  assert.ok(perTickMs < 20, `${perTickMs} ms`)
})
