import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { MetricPlan } from '../../../src/core/plan.ts'
import { metricPlan } from '../../support/lane-rig.ts'
import { LookupRig } from '../../support/lookup-rig.ts'

const lookup = { from: 'products', field: 'bizLine', unknown: 'unknown' }
const bizLine = { name: 'bizLine', path: ['product'], missing: undefined, lookup }
const first: MetricPlan = metricPlan({ dimensions: [bizLine], keep: 'first', values: [] })
const cash = { bizLine: 'cash', owner: 'ann' }
const card = { bizLine: 'card', owner: 'bob' }
const loan = (t: number, product: unknown, u: number | string = 1) => ({ t, product, u, o: 'fail' })

function rig(plan: MetricPlan = first, options: ConstructorParameters<typeof LookupRig>[1] = {}) {
  const made = new LookupRig(plan, options)
  made.tables = { products: { p1: cash, p2: cash, p3: card } }
  return made
}

const counts = (of: LookupRig) =>
  Object.fromEntries([...of.final()].map(([series, { count }]) => [series, count]))

for (const kind of ['json-parse', 'json-walk', 'json-wasm'] as const) {
  test(`${kind}: a user counts once in the value's series, whatever the keys, and once in each other series`, () => {
    const one = rig(first, { kind })
    one.feed(0, loan(1, 'p1', 'u1'), loan(2, 'p2', 'u1'), loan(3, 'p3', 'u1'), loan(4, 'p1', 'u2'))
    one.end()
    assert.deepEqual(counts(one), { 'cash@0': 2, 'card@0': 1 })
  })
}

test('several dimensions, some looked up by one key, some not: a series is their combination', () => {
  const plan = metricPlan({
    dimensions: [
      {
        name: 'owner',
        path: ['product'],
        missing: undefined,
        lookup: { ...lookup, field: 'owner' },
      },
      { name: 'channel', path: ['channel'], missing: 'none' },
      bizLine,
    ],
    keep: 'first',
  })
  const one = rig(plan)
  const from = (channel: string | null, product: string, u: number) => ({
    ...loan(1, product, u),
    channel,
  })
  one.feed(0, from('app', 'p1', 1), from('app', 'p2', 1), from('web', 'p1', 1), from(null, 'p3', 1))
  one.end()
  assert.deepEqual(counts(one), {
    'ann/app/cash@0': 1,
    'ann/web/cash@0': 1,
    'bob/none/card@0': 1,
  })
})

test('the window that has begun keeps the value of a key; the next one has the new value', () => {
  const one = rig()
  one.feed(0, loan(1, 'p1', 1))
  one.tables = { products: { p1: card } }
  one.feed(0, loan(2, 'p1', 2), loan(1_001, 'p1', 2))
  one.feed(0, loan(3, 'p1', 3))
  one.end()
  assert.deepEqual(counts(one), { 'cash@0': 3, 'card@1000': 1 })
})

test('a key without an entry, without the field, or of a table that is away is unknown, for the whole window', () => {
  const one = rig(first, {})
  one.tables = { products: { p1: cash, empty: { owner: 'x' }, blank: { bizLine: '' } } }
  one.feed(0, loan(1, 'p9', 1), loan(2, 'empty', 2), loan(3, 'blank', 3), loan(4, 'constructor', 4))
  one.isAway = true
  one.feed(0, loan(5, 'p1', 5))
  one.isAway = false
  one.tables = { products: { p1: cash, p9: cash } }
  one.feed(0, loan(6, 'p1', 6), loan(7, 'p9', 7), loan(1_001, 'p9', 7))
  one.end()
  assert.deepEqual(counts(one), { 'unknown@0': 7, 'cash@1000': 1 })
  assert.equal(one.metrics.value('warden_enrich_unknown_events_total', { metric: 'loan' }), 7)
  const keys = (reason: string) =>
    one.metrics.value('warden_enrich_unknown_keys_total', {
      metric: 'loan',
      enrich: 'products',
      reason,
    })
  assert.deepEqual([keys('missing'), keys('away')], [4, 1])
})

test('an entry that is a text is the value; numbers are keys by their text; a missing key may have a stand-in', () => {
  const one = rig(metricPlan({ dimensions: [{ ...bizLine, missing: 'p1' }] }))
  one.tables = { products: { '7': 'seven', true: 'yes', p1: 'stand-in' } }
  one.feed(0, loan(1, 7), loan(2, true), loan(3, null), { t: 4, u: 1, o: 'fail' })
  one.end()
  assert.deepEqual(counts(one), { 'seven@0': 1, 'yes@0': 1, 'stand-in@0': 2 })
})

test('an event without the key is a dead letter where nothing stands in', () => {
  const one = rig()
  one.feed(0, { t: 1, u: 1, o: 'fail' })
  assert.deepEqual(
    one.rejects.map(({ reason }) => reason),
    ['missing_dimension'],
  )
})

test('beyond maxKeys new keys are unknown and counted, and known ones keep their values', () => {
  const one = rig({ ...first, maxKeys: 2 })
  one.feed(0, loan(1, 'p1', 1), loan(2, 'p3', 2), loan(3, 'p2', 3), loan(4, 'p9', 4))
  one.feed(0, loan(5, 'p1', 5), loan(1_001, 'p2', 6), loan(1_002, 'p3', 6))
  one.end()
  assert.deepEqual(counts(one), {
    'cash@0': 2,
    'card@0': 1,
    'unknown@0': 2,
    'unknown@1000': 1,
    'card@1000': 1,
  })
  assert.equal(one.metrics.value('warden_enrich_keys_over_limit_total', { metric: 'loan' }), 2)
  assert.deepEqual(one.rejects, [])
})

test('beyond maxSeries a new value is unknown, and no event is lost', () => {
  const one = rig({ ...first, maxSeries: 1 })
  one.feed(0, loan(1, 'p1', 1), loan(2, 'p3', 2), loan(3, 'p2', 3))
  one.end()
  assert.deepEqual(counts(one), { 'cash@0': 2, 'unknown@0': 1 })
})

test('a late event carries a value too, and leaves none behind', async () => {
  const one = rig()
  one.feed(0, loan(1, 'p1', 1))
  one.feed(0, loan(10_000, 'p1', 1))
  one.tables = { products: { p1: card, p3: card } }
  one.feed(0, loan(2, 'p3', 2))
  assert.deepEqual(
    one.late.map(({ tags }) => tags),
    [{ bizLine: 'card' }],
  )
  await one.checkpoint()
  assert.equal(one.stored('fixed').length, 1)
})

test('fixed values go from the state with their window', async () => {
  const one = rig()
  one.feed(0, loan(1, 'p1', 1))
  await one.checkpoint()
  assert.equal(one.stored('fixed').length, 1)
  one.feed(0, loan(2_000, 'p1', 1), loan(3_000, 'p1', 1))
  await one.checkpoint()
  assert.deepEqual(
    one.stored('fixed').map((key) => Number.parseInt(key.split('/').at(-2) ?? '', 16) - 2 ** 52),
    [2_000, 3_000],
  )
})

test('killed and replayed, a window has the values that it had seen, though the table has changed', async () => {
  const one = rig()
  one.feed(0, loan(1, 'p1', 1))
  await one.checkpoint()
  one.feed(0, loan(2, 'p1', 2), loan(3, 'p3', 2))
  one.tables = { products: { p1: { bizLine: 'new' }, p3: { bizLine: 'new' } } }
  one.restart()
  one.feed(0, loan(2, 'p1', 2), loan(3, 'p3', 2))
  one.end()
  // What the checkpoint did not know was never said by anybody.
  assert.deepEqual(counts(one), { 'cash@0': 2, 'new@0': 1 })
})

const lanes = (n: number) => ({ lanes: n, shuffled: n > 1, partitions: undefined })
const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('event' as const),
      partition: fc.integer({ min: 0, max: 3 }),
      window: fc.integer({ min: 0, max: 2 }),
      product: fc.integer({ min: 0, max: 3 }),
      user: fc.integer({ min: 0, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('table' as const),
      product: fc.integer({ min: 0, max: 3 }),
      value: fc.constantFrom('cash', 'card', undefined),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('checkpoint' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('kill' as const),
      lanes: fc.integer({ min: 1, max: 3 }),
    }),
  },
)

/** Counts by brute force: the first value a window is given for a key holds in it, kills undo what no checkpoint has. */
class Model {
  values: Record<string, string | undefined> = {}
  #now = { fixed: new Map<string, string>(), users: new Set<string>() }
  #saved = { fixed: new Map<string, string>(), users: new Set<string>() }

  event(window: number, product: number, user: number): void {
    const key = `${window} ${product}`
    const value = this.#now.fixed.get(key) ?? this.values[`p${product}`] ?? 'unknown'
    this.#now.fixed.set(key, value)
    this.#now.users.add(`${value}@${window * 1_000} ${user}`)
  }

  checkpoint(): void {
    this.#saved = { fixed: new Map(this.#now.fixed), users: new Set(this.#now.users) }
  }

  kill(): void {
    this.#now = { fixed: new Map(this.#saved.fixed), users: new Set(this.#saved.users) }
  }

  counts(): Record<string, number> {
    const counted: Record<string, number> = {}
    for (const one of this.#now.users) {
      const series = one.slice(0, one.indexOf(' '))
      counted[series] = (counted[series] ?? 0) + 1
    }
    return counted
  }
}

test('any lanes, changed, killed and refreshed at any time, count what brute force counts with the values fixed per window', async () => {
  const plan = { ...first, allowedLateness: 1_000_000 as MetricPlan['allowedLateness'] }
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 3 }),
      async (steps, n) => {
        const one = new LookupRig(plan, { layout: lanes(n), partitions: 4 })
        const model = new Model()
        let committed = 0
        await one.checkpoint()
        for (const now of steps) {
          if (now.kind === 'event') {
            one.feed(now.partition, loan(now.window * 1_000 + 1, `p${now.product}`, now.user))
            model.event(now.window, now.product, now.user)
          } else if (now.kind === 'table') {
            model.values[`p${now.product}`] = now.value
            one.tables = {
              products: Object.fromEntries(
                Object.entries(model.values).flatMap(([key, value]) =>
                  value === undefined ? [] : [[key, value]],
                ),
              ),
            }
          } else if (now.kind === 'checkpoint') {
            await one.checkpoint()
            committed = one.panes.length
            model.checkpoint()
          } else {
            one.restart(lanes(now.lanes))
            one.panes.length = committed
            model.kill()
          }
        }
        one.end()
        assert.deepEqual(counts(one), model.counts())
      },
    ),
    { numRuns: 60 },
  )
})
