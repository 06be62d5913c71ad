import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Accumulators } from '../../../src/aggregate/accumulators.ts'
import type { AggregatePlan, MetricPlan } from '../../../src/core/plan.ts'
import { metricPlan } from '../../support/lane-rig.ts'

const fail = 1
const success = 2

interface Row {
  readonly accumulators: Accumulators
  readonly cells: Float64Array
}

function rowOf(plan: Partial<MetricPlan>): Row {
  const accumulators = new Accumulators(metricPlan(plan))
  return { accumulators, cells: new Float64Array(accumulators.stride) }
}

/** As a lane counts: into a difference, which is added to the whole. */
function change({ accumulators, cells }: Row, ...changes: ((delta: Float64Array) => void)[]): void {
  const delta = accumulators.blank.slice()
  for (const one of changes) one(delta)
  accumulators.add(cells, 0, delta, 0)
}

function count(row: Row, outcome: number, value: number): void {
  const { accumulators } = row
  change(row, (delta) => {
    accumulators.addEvent(delta, 0, outcome)
    accumulators.addKept(delta, 0, outcome, 1)
    accumulators.addValue(delta, 0, outcome, 0, value, 1)
  })
}

const value = (row: Row, aggregate: AggregatePlan, outcome?: number): number =>
  row.accumulators.evaluate(row.cells, 0, aggregate, outcome)

const over = (kind: 'sum' | 'min' | 'max' | 'avg'): AggregatePlan => ({
  kind,
  name: kind,
  value: 0,
})
const rate = (
  of: readonly string[] | undefined,
  raw = false,
  successes: readonly string[] = ['success'],
): Extract<AggregatePlan, { kind: 'rate' }> => ({
  kind: 'rate',
  name: 'rate',
  raw,
  success: successes,
  of,
})

test('sum, min, max and avg are those of the values, whatever their signs', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 1 }), (values) => {
      const row = rowOf({})
      for (const one of values) count(row, fail, one)
      const sum = values.reduce((total, one) => total + one, 0)
      assert.equal(value(row, over('sum')), sum)
      assert.equal(value(row, over('min')), Math.min(...values))
      assert.equal(value(row, over('max')), Math.max(...values))
      assert.equal(value(row, over('avg')), sum / values.length)
    }),
  )
})

test('a missing value is left out, and over nothing only the sum says something', () => {
  const row = rowOf({})
  count(row, fail, Number.NaN)
  assert.deepEqual(
    (['sum', 'min', 'max', 'avg'] as const).map((kind) => value(row, over(kind))),
    [0, Number.NaN, Number.NaN, Number.NaN],
  )
  count(row, fail, -5)
  count(row, fail, Number.NaN)
  assert.deepEqual(
    (['sum', 'min', 'max', 'avg'] as const).map((kind) => value(row, over(kind))),
    [-5, -5, -5, -5],
  )
})

test('what is withdrawn is gone from counts and sums, without a trace of rounding when nothing is left', () => {
  const row = rowOf({ keep: 'last' })
  for (const [one, sign] of [
    [0.1, 1],
    [0.2, 1],
    [0.1, -1],
    [0.2, -1],
  ] as const) {
    change(row, (delta) => {
      row.accumulators.addKept(delta, 0, fail, sign)
      row.accumulators.addValue(delta, 0, fail, 0, one, sign)
    })
  }
  assert.equal(value(row, { kind: 'count', name: 'count' }), 0)
  assert.equal(value(row, over('sum')), 0)
  assert.equal(value(row, over('avg')), Number.NaN)
})

test('a winner that takes the place of another within one difference changes the sum, not the count', () => {
  const row = rowOf({ keep: 'last' })
  const { accumulators } = row
  count(row, fail, 5)
  change(row, (delta) => {
    accumulators.addKept(delta, 0, fail, -1)
    accumulators.addValue(delta, 0, fail, 0, 5, -1)
    accumulators.addKept(delta, 0, success, 1)
    accumulators.addValue(delta, 0, success, 0, 7, 1)
  })
  assert.equal(value(row, { kind: 'count', name: 'count' }), 1)
  assert.equal(value(row, over('sum')), 7)
})

test('a rate is that of the kept outcomes, a raw one that of all events, and over nothing there is none', () => {
  const all = { success: rate(undefined), raw: rate(undefined, true) }
  const row = rowOf({ keep: 'best', aggregates: [all.success, all.raw] })
  assert.deepEqual([value(row, all.success), value(row, all.raw)], [Number.NaN, Number.NaN])
  const { accumulators, cells } = row
  for (let retry = 0; retry < 3; retry++) accumulators.addEvent(cells, 0, fail)
  accumulators.addEvent(cells, 0, success)
  accumulators.addKept(cells, 0, success, 1)
  assert.deepEqual([value(row, all.success), value(row, all.raw)], [1, 0.25])
})

test('of names the outcomes that a rate is over; the others are in neither part', () => {
  const some = rate(['success', 'fail'])
  const everything = rate(undefined)
  const row = rowOf({ aggregates: [some, everything] })
  for (const outcome of [0, 0, fail, success]) count(row, outcome, 1)
  assert.equal(value(row, some), 1 / 2)
  assert.equal(value(row, everything), 1 / 4)
})

test('without dedup count is events; with it count is kept events and users are all of them', () => {
  const counts = ['count', 'events', 'users'].map((kind) => ({ kind, name: kind }) as AggregatePlan)
  const all = rowOf({ keep: undefined, aggregates: counts })
  const once = rowOf({ keep: 'first', aggregates: counts })
  for (const { accumulators, cells } of [all, once]) {
    for (let event = 0; event < 3; event++) accumulators.addEvent(cells, 0, fail)
  }
  once.accumulators.addKept(once.cells, 0, fail, 1)
  all.accumulators.addUser(all.cells, 0)
  assert.deepEqual(
    counts.map((one) => value(all, one)),
    [3, 3, 1],
  )
  assert.deepEqual(
    counts.map((one) => value(once, one)),
    [1, 3, 1],
  )
})

test('split by outcome, counts and values have a group each; rates and users stay whole', () => {
  const users = { kind: 'users', name: 'users' } as const
  const plan = {
    splitByOutcome: true,
    aggregates: [{ kind: 'count', name: 'count' }, over('avg'), users, rate(undefined)],
  } as const
  const row = rowOf(plan)
  count(row, fail, 10)
  count(row, success, 1)
  count(row, success, 3)
  assert.deepEqual(
    row.accumulators.groups.map(({ outcomeName, aggregates }) => [
      outcomeName,
      aggregates.map(({ name }) => name).join(),
    ]),
    [
      [undefined, 'users,rate'],
      ['other', 'count,avg'],
      ['fail', 'count,avg'],
      ['success', 'count,avg'],
    ],
  )
  assert.deepEqual(
    [fail, success].map((one) => value(row, over('avg'), one)),
    [10, 2],
  )
  assert.equal(value(row, over('avg'), 0), Number.NaN)
})

test('rows of slices add up to the row of all their events', () => {
  const events = fc.array(
    fc.record({
      slice: fc.nat(3),
      outcome: fc.nat(2),
      value: fc.option(fc.integer(), { nil: Number.NaN }),
    }),
  )
  fc.assert(
    fc.property(events, fc.boolean(), (all, splitByOutcome) => {
      const whole = rowOf({ splitByOutcome })
      const slices = Array.from({ length: 4 }, () => rowOf({ splitByOutcome }))
      for (const one of all) {
        count(whole, one.outcome, one.value)
        const slice = slices[one.slice]
        if (slice !== undefined) count(slice, one.outcome, one.value)
      }
      const merged = new Float64Array(whole.accumulators.stride)
      for (const { cells } of slices) whole.accumulators.merge(merged, cells, 0)
      assert.deepEqual(merged, whole.cells)
    }),
  )
})
