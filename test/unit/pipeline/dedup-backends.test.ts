import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { MetricPlan } from '../../../src/core/plan.ts'
import { durationMs } from '../../../src/core/time.ts'
import type { LaneLayout } from '../../../src/pipeline/lanes/lane-layout.ts'
import { type LaneEvent, LaneRig, metricPlan } from '../../support/lane-rig.ts'

const partitions = 4
const layouts: readonly LaneLayout[] = [1, 2, 4].flatMap((lanes) => [
  { lanes, shuffled: false, partitions },
  { lanes, shuffled: true, partitions },
])
const one: LaneLayout = { lanes: 1, shuffled: false, partitions }
const horizonMs = 3_000

/** Lateness beyond what disorder can do here. */
const patient = { allowedLateness: durationMs(1_000_000) }
const kept = (over: Partial<MetricPlan>): MetricPlan =>
  metricPlan({
    keep: 'first',
    aggregates: [
      { kind: 'count', name: 'count' },
      { kind: 'events', name: 'events' },
      { kind: 'sum', name: 'sum', value: 0 },
    ],
    ...patient,
    ...over,
  })
const plans = {
  bloom: kept({ backend: { type: 'bloom', keys: 10_000, falsePositives: 0.0001 } }),
  bitmap: kept({ backend: { type: 'bitmap' } }),
  redis: kept({ backend: { type: 'redis', cacheKeys: 0 } }),
  horizon: kept({ horizon: durationMs(horizonMs) }),
  hyperloglog: metricPlan({
    backend: { type: 'hyperloglog', error: 0.02 },
    values: [],
    aggregates: [
      { kind: 'count', name: 'count' },
      { kind: 'users', name: 'users' },
    ],
    ...patient,
  }),
} as const

interface Step {
  readonly events: readonly LaneEvent[]
  readonly next: 'nothing' | 'checkpoint' | 'kill'
  readonly layout: LaneLayout
}

/** The events of a user are all in one partition, so that they arrive in one order whatever the lanes. */
const history: fc.Arbitrary<Step[]> = fc
  .array(
    fc.record({
      events: fc.array(
        fc.record({
          back: fc.nat(2_500),
          step: fc.nat(300),
          user: fc.nat(9),
          series: fc.constantFrom('a', 'b', 'c'),
        }),
        { minLength: 1, maxLength: 10 },
      ),
      next: fc.constantFrom('nothing', 'checkpoint', 'kill'),
      layout: fc.constantFrom(...layouts),
    }),
    { maxLength: 12 },
  )
  .map((steps) => {
    let now = 10_000
    return steps.map(
      ({ events, next, layout }): Step => ({
        events: events.map(({ back, step, user, series }) => {
          now += step
          return { at: now - back, partition: user % partitions, user, series, value: now }
        }),
        next: next as Step['next'],
        layout,
      }),
    )
  })

async function run(plan: MetricPlan, steps: readonly Step[]): Promise<LaneRig> {
  const rig = new LaneRig([plan], partitions, steps[0]?.layout)
  let uncommitted: (readonly LaneEvent[])[] = []
  for (const { events, next, layout } of steps) {
    feed(rig, events)
    uncommitted.push(events)
    if (next === 'checkpoint') {
      await rig.checkpoint()
      uncommitted = []
    }
    if (next !== 'kill') continue
    rig.restart([plan], layout)
    for (let n = 0; n < partitions; n++) rig.addPartition(n)
    for (const again of uncommitted) feed(rig, again)
  }
  rig.end()
  return rig
}

function feed(rig: LaneRig, events: readonly LaneEvent[]): void {
  for (let partition = 0; partition < partitions; partition++) {
    const own = events.filter((event) => event.partition === partition)
    if (own.length > 0) rig.feedBatch(own)
  }
}

/** What the windows hold when the first event to arrive counts, and others of its key within `per` do not. */
function bruteForce(plan: MetricPlan, events: readonly LaneEvent[]) {
  const counted = new Map<string, LaneEvent[]>()
  const windows = new Map<string, { count: number; events: number; sum: number }>()
  const users = new Map<string, Set<number>>()
  for (const event of events) {
    const { at, user = 0, series, value = 0 } = event
    const start = Math.floor(at / 1_000) * 1_000
    const window = windows.get(`${series}@${start}`) ?? { count: 0, events: 0, sum: 0 }
    windows.set(`${series}@${start}`, window)
    window.events++
    const seen = users.get(`${series}@${start}`) ?? new Set()
    users.set(`${series}@${start}`, seen.add(user))
    const before = counted.get(`${series}/${user}`) ?? []
    const isKnown = before.some((other) =>
      plan.horizon === undefined
        ? Math.floor(other.at / 1_000) * 1_000 === start
        : Math.abs(other.at - at) < plan.horizon,
    )
    if (isKnown) continue
    counted.set(`${series}/${user}`, [...before, event])
    window.count++
    window.sum += value
  }
  if (plan.keep !== undefined) return windows
  return new Map(
    [...windows].map(([key, window]) => [
      key,
      { count: window.events, users: users.get(key)?.size ?? 0 },
    ]),
  )
}

for (const [name, plan] of Object.entries(plans)) {
  test(`${name}: any lanes, changed and killed at any time, count what brute force counts`, async () => {
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const rig = await run(plan, steps)
        const events = steps.flatMap((step) => step.events)
        assert.deepEqual(rig.final(), bruteForce(plan, events))
      }),
      { numRuns: name === 'bloom' ? 10 : 30 },
    )
  })
}

const keysInState = (rig: LaneRig): string[] =>
  [...rig.store.range('metric/loan/keys/', 'metric/loan/keys/\uffff')].map(([key]) => key)

test('over a horizon, users who never come again leave memory and state, also those of before a restart', async () => {
  const plan = kept({ horizon: durationMs(horizonMs), allowedLateness: durationMs(500) })
  const rig = new LaneRig([plan])
  let most = 0
  for (let second = 10; second < 60; second++) {
    for (let user = 0; user < 5; user++)
      rig.feed({ at: second * 1_000 + user, user: second * 10 + user })
    await rig.checkpoint()
    most = Math.max(most, keysInState(rig).length)
    if (second % 7 === 0) rig.restart([plan])
  }
  // A horizon of 3 s and an eighth, a window of 1 s, half a second of lateness: buckets of 375 ms with one blob each.
  assert.ok(most <= 8, `${most} blobs`)
  const remembered = rig.windows.metrics[0]?.buckets.size ?? 0
  assert.ok(remembered > 0 && remembered <= 8)
  rig.end()
  await rig.checkpoint()
  assert.deepEqual(keysInState(rig), [])
})

test('over a horizon, a user counts once in it, whatever windows and restarts lie in between', async () => {
  const plan = kept({ horizon: durationMs(horizonMs), allowedLateness: durationMs(500) })
  const rig = new LaneRig([plan])
  for (let second = 10; second < 20; second++) {
    rig.feed({ at: second * 1_000 })
    await rig.checkpoint()
    rig.restart([plan])
  }
  rig.end()
  const counts = [...rig.final().values()].map(({ count }) => count)
  assert.deepEqual(counts, [1, 0, 0, 1, 0, 0, 1, 0, 0, 1])
})

/** Feeds 20 000 users of one window, and kills lanes that exchange rows in the middle; what was not in a checkpoint comes again. */
async function manyUsers(plan: MetricPlan): Promise<LaneRig> {
  const [two, four] = [layouts[3], layouts[5]]
  const rig = new LaneRig([plan], partitions, two)
  const batch = (nth: number) =>
    Array.from({ length: 1_000 }, (_, index) => {
      const user = mixed(nth * 1_000 + index + 1)
      return { at: 10_500, user, partition: nth % partitions, series: 'a' }
    })
  for (let nth = 0; nth < 12; nth++) {
    rig.feedBatch(batch(nth))
    if (nth === 9) await rig.checkpoint()
  }
  rig.restart([plan], four)
  for (let n = 0; n < partitions; n++) rig.addPartition(n)
  for (let nth = 10; nth < 20; nth++) rig.feedBatch(batch(nth))
  for (let nth = 0; nth < 20; nth++) rig.feedBatch(batch(nth))
  rig.end()
  return rig
}

test('a HyperLogLog of many users is within three standard errors, over lanes, a kill and other lanes', async () => {
  const rig = await manyUsers(plans.hyperloglog)
  const estimate = rig.final().get('a@10000')?.users ?? 0
  assert.equal(estimate, Math.round(estimate))
  assert.ok(Math.abs(estimate - 20_000) < 0.06 * 20_000, `${estimate}`)
})

test('a Bloom filter made for the users that come misses no more than its share, over lanes, a kill and other lanes', async () => {
  const rig = await manyUsers(
    kept({ backend: { type: 'bloom', keys: 20_000, falsePositives: 0.01 } }),
  )
  const count = rig.final().get('a@10000')?.count ?? 0
  assert.ok(count <= 20_000 && count >= 20_000 * 0.99, `${count}`)
})

test('series that lanes met in another order keep their users apart in bitmaps after a restart', async () => {
  const plan = plans.bitmap
  const rig = new LaneRig([plan], 2, { lanes: 2, shuffled: false, partitions: 2 })
  rig.feed(
    { at: 10_000, partition: 0, series: 'a', user: 1 },
    { at: 10_001, partition: 0, series: 'b', user: 2 },
  )
  rig.feed(
    { at: 10_000, partition: 1, series: 'b', user: 3 },
    { at: 10_001, partition: 1, series: 'a', user: 4 },
  )
  await rig.checkpoint()
  rig.restart([plan], one)
  for (let n = 0; n < 2; n++) rig.addPartition(n)
  for (const [series, user] of [
    ['a', 1],
    ['b', 2],
    ['b', 3],
    ['a', 4],
    ['a', 2],
    ['b', 1],
  ] as const)
    rig.feed({ at: 10_100, partition: 0, series, user })
  rig.end()
  assert.equal(rig.final().get('a@10000')?.count, 3)
  assert.equal(rig.final().get('b@10000')?.count, 3)
})

/** Finalizer of MurmurHash3 (Appleby). */
function mixed(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
