import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Keep, MetricPlan } from '../../../src/core/plan.ts'
import { durationMs, epochMs } from '../../../src/core/time.ts'
import type { LaneLayout } from '../../../src/pipeline/lanes/lane-layout.ts'
import { type LaneEvent, LaneRig, metricPlan, sliding } from '../../support/lane-rig.ts'

const partitions = 4
const layouts: readonly LaneLayout[] = [1, 2, 3, 4].flatMap((lanes) => [
  { lanes, shuffled: false, partitions },
  { lanes, shuffled: true, partitions },
])

const plan = (keep: Keep | undefined, over: Partial<MetricPlan> = {}): MetricPlan =>
  metricPlan({
    keep,
    // Beyond what disorder can do here: what is late depends on how partitions interleave.
    allowedLateness: durationMs(1_000_000),
    values: keep === 'best' ? [] : [{ name: 'amount', path: ['amount'] }],
    aggregates: [
      { kind: 'count', name: 'count' },
      { kind: 'events', name: 'events' },
      { kind: 'users', name: 'users' },
      ...(keep === 'best' ? [] : ([{ kind: 'sum', name: 'sum', value: 0 }] as const)),
    ],
    ...over,
  })

interface Step {
  readonly events: readonly LaneEvent[]
  /** What follows. */
  readonly next: 'nothing' | 'checkpoint' | 'kill'
  readonly layout: LaneLayout
}

/** @param keyed the events of a user are all in one partition */
const historyOf = (keyed: boolean): fc.Arbitrary<Step[]> =>
  fc
    .array(
      fc.record({
        events: fc.array(
          fc.record({
            back: fc.nat(2_500),
            step: fc.nat(150),
            partition: fc.nat(partitions - 1),
            user: fc.nat(9),
            series: fc.constantFrom('a', 'b', 'c'),
            outcome: fc.nat(2),
          }),
          { minLength: 1, maxLength: 10 },
        ),
        next: fc.constantFrom('nothing', 'checkpoint', 'kill'),
        layout: fc.constantFrom(...layouts.filter(({ shuffled }) => keyed || shuffled)),
      }),
      { maxLength: 12 },
    )
    .map((steps) => {
      let now = 10_000
      return steps.map(({ events, next, layout }): Step => {
        const [first] = events
        const of = events.map(({ back, step, user, series, outcome }) => {
          now += step
          const partition = keyed ? user % partitions : (first?.partition ?? 0)
          // The value follows from what decides ties, so that equal events are equal.
          return { at: now - back, partition, user, series, outcome, value: outcome + user }
        })
        return { events: of, next, layout } as Step
      })
    })

/** What the windows hold when nothing was lost and nothing counted twice. */
function bruteForce(keep: Keep | undefined, events: readonly LaneEvent[]) {
  const windows = new Map<string, LaneEvent[]>()
  for (const event of events) {
    const key = `${event.series}@${Math.floor(event.at / 1_000) * 1_000}`
    windows.set(key, [...(windows.get(key) ?? []), event])
  }
  return new Map(
    [...windows].map(([key, all]) => {
      const users = [...new Set(all.map(({ user }) => user))]
      const kept = keep === undefined ? all : users.map((user) => winner(keep, all, user))
      const sum = kept.reduce((total, { value }) => total + (value ?? 0), 0)
      const counts = { count: kept.length, events: all.length, users: users.length }
      return [key, keep === 'best' ? counts : { ...counts, sum }]
    }),
  )
}

function winner(keep: Keep, events: readonly LaneEvent[], user: number | undefined): LaneEvent {
  return events
    .filter((event) => event.user === user)
    .reduce((a, b) => {
      const better = (b.outcome ?? 0) > (a.outcome ?? 0)
      if (keep === 'best' || a.at === b.at) return better ? b : a
      return (keep === 'first') === b.at < a.at ? b : a
    })
}

async function run(plans: readonly MetricPlan[], history: readonly Step[]): Promise<LaneRig> {
  const rig = new LaneRig(plans, partitions, history[0]?.layout)
  let uncommitted: (readonly LaneEvent[])[] = []
  for (const { events, next, layout } of history) {
    feed(rig, events)
    uncommitted.push(events)
    if (next === 'checkpoint') {
      await rig.checkpoint()
      uncommitted = []
    }
    if (next !== 'kill') continue
    rig.restart(plans, layout)
    for (let n = 0; n < partitions; n++) rig.addPartition(n)
    for (const again of uncommitted) feed(rig, again)
  }
  rig.end()
  return rig
}

function feed(rig: LaneRig, events: readonly LaneEvent[]): void {
  for (let partition = 0; partition < partitions; partition++) {
    const own = events.filter((event) => (event.partition ?? 0) === partition)
    if (own.length > 0) rig.feedBatch(own)
  }
}

for (const keyed of [true, false]) {
  const what = keyed ? 'a topic keyed by user' : 'users on several partitions'
  for (const keep of [undefined, 'first', 'last', 'best'] as const) {
    test(`${what}, keep ${keep ?? 'all'}: any lanes, changed and killed at any time, count what brute force counts`, async () => {
      await fc.assert(
        fc.asyncProperty(historyOf(keyed), async (history) => {
          const rig = await run([plan(keep)], history)
          assert.deepEqual(
            rig.final(),
            bruteForce(
              keep,
              history.flatMap(({ events }) => events),
            ),
          )
          assert.equal(rig.late.length, 0)
        }),
        { numRuns: 30 },
      )
    })
  }
}

test('several lanes over sliding windows with zero fill say in the end what one lane says', async () => {
  const zeroFill = {
    enabled: true,
    expireAfter: durationMs(5_000),
    whenSilent: 'gap',
  } as const
  const plans = [
    plan('best', { window: sliding(2_000, 500), zeroFill }),
    plan('last', { zeroFill }),
  ]
  plans[1] = { ...(plans[1] as MetricPlan), name: 'other' }
  await fc.assert(
    fc.asyncProperty(historyOf(false), async (history) => {
      const one = history.map((step) => ({
        ...step,
        layout: { lanes: 1, shuffled: false, partitions },
      }))
      const [many, single] = [await run(plans, history), await run(plans, one)]
      for (const { name } of plans) assert.deepEqual(many.final(name), single.final(name))
      assert.deepEqual(
        many.windows.metrics.map(({ totals }) => totals),
        single.windows.metrics.map(({ totals }) => totals),
      )
    }),
    { numRuns: 30 },
  )
})

test('a window fires when the slowest lane has passed its end, and is dropped when every lane knows', () => {
  const layout = { lanes: 2, shuffled: true, partitions: 2 }
  const rig = new LaneRig([metricPlan({ keep: 'best', values: [] })], 2, layout)
  rig.feed({ at: 10_100, partition: 0 }, { at: 10_200, partition: 1, user: 2 })
  rig.feed({ at: 11_200, partition: 0, user: 3 })
  rig.collect()
  assert.equal(rig.panes.length, 0)
  rig.feed({ at: 11_200, partition: 1, user: 4 })
  rig.collect()
  assert.deepEqual(
    rig.panes.map(({ firing, values }) => [firing, values.count]),
    [['on-time', 2]],
  )
  rig.feed({ at: 10_300, partition: 0, user: 5 })
  rig.collect()
  assert.deepEqual(rig.final().get('a@10000'), { count: 3 })
  rig.feed({ at: 13_000, partition: 0 }, { at: 13_000, partition: 1 })
  rig.feed({ at: 10_400, partition: 1, user: 6 })
  rig.collect()
  assert.deepEqual(
    rig.late.map(({ time, partition, watermark }) => [time, partition, watermark]),
    [[10_400, 'orders-1', epochMs(12_899)]],
  )
})

test('two lanes keep to the bound of series, and know each other’s', () => {
  const layout = { lanes: 2, shuffled: false, partitions: 2 }
  const rig = new LaneRig([metricPlan({ maxSeries: 2 })], 2, layout)
  rig.feed({ at: 10_000, partition: 0, series: 'a' }, { at: 10_000, partition: 1, series: 'b' })
  assert.deepEqual(
    [0, 1].map((partition) => ['a', 'b', 'c'].map((one) => rig.seriesId(partition, one) >= 0)),
    [
      [true, true, false],
      [true, true, false],
    ],
  )
})
