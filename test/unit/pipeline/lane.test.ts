import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Pane } from '../../../src/core/pane.ts'
import type { Keep, MetricPlan } from '../../../src/core/plan.ts'
import { createDecodedBatch, type DecodedBatch, resetDecodedBatch } from '../../../src/core/rows.ts'
import type { StateStore } from '../../../src/core/state-store.ts'
import { durationMs, epochMs } from '../../../src/core/time.ts'
import { InlineSource } from '../../../src/pipeline/lanes/inline-source.ts'
import { oneLane } from '../../../src/pipeline/lanes/lane-layout.ts'
import { LmdbStateStore } from '../../../src/state/lmdb-state-store.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'

const size = 1_000
const lateness = 500
const disorder = 100

const plan = (keep: Keep | undefined): MetricPlan => ({
  name: 'loan',
  source: 'orders',
  where: undefined,
  dimensions: [{ name: 'product', path: ['product'], missing: undefined }],
  splitByOutcome: false,
  outcomes: ['fail', 'success'],
  values: keep === 'best' ? [] : [{ name: 'amount', path: ['amount'] }],
  keep,
  window: {
    sizeMs: durationMs(size),
    slideMs: durationMs(size),
    alignment: { kind: 'offset', offsetMs: 0 },
  },
  allowedLateness: durationMs(lateness),
  accumulation: 'accumulating',
  earlyAfter: undefined,
  aggregates: [
    { kind: 'count', name: 'count' },
    { kind: 'events', name: 'events' },
    { kind: 'users', name: 'users' },
    { kind: 'rate', name: 'rate', raw: false, success: ['success'], of: undefined },
    ...(keep === 'best' ? [] : ([{ kind: 'sum', name: 'sum.amount', value: 0 }] as const)),
  ],
  zeroFill: { enabled: true, expireAfter: durationMs(10 * size), whenSilent: 'gap' },
  emitPartial: false,
  declaredSeries: [],
  maxSeries: 100,
})

interface Event {
  readonly at: number
  readonly product: number
  readonly user: number
  readonly outcome: number
  readonly amount: number
  readonly offset: number
}

class Rig {
  readonly store: StateStore
  readonly panes: Pane[] = []
  late = 0
  source: InlineSource
  readonly #plan: MetricPlan

  constructor(metric: MetricPlan, store: StateStore = new MemoryStateStore()) {
    this.store = store
    this.#plan = metric
    this.source = this.#build()
    this.source.addPartition(0, epochMs(0))
  }

  feed(events: readonly Event[]): void {
    const batch = createDecodedBatch(Math.max(1, events.length), [this.#plan.values.length])
    resetDecodedBatch(batch, 0)
    const [dictionary] = this.source.dictionariesOf(0)
    for (const event of events) push(batch, event, dictionary?.idOf([`p${event.product}`]) ?? 0)
    this.source.apply(batch, 'orders-0', epochMs(0))
  }

  collect(): void {
    const { windows } = this.source
    windows.flushLate()
    this.panes.push(...windows.takePanes())
    this.late += windows.takeLate().length
  }

  async checkpoint(): Promise<void> {
    this.collect()
    const position = { offset: 0, identity: '' }
    const partitions = [{ index: 0, name: 'orders-0', position }]
    await this.store.commit(this.source.checkpoint(partitions, epochMs(0)))
  }

  /** kill -9 and start again: everything since the last checkpoint is forgotten. */
  async restart(): Promise<void> {
    this.source = this.#build()
    this.source.resume(() => 0, epochMs(0))
  }

  end(): void {
    this.source.end(epochMs(0))
    this.collect()
  }

  /** The last pane of each series and window. */
  final(): Map<string, Pane> {
    return new Map(this.panes.map((pane) => [`${pane.tags.product}@${pane.windowStart}`, pane]))
  }

  #build(): InlineSource {
    return new InlineSource({
      job: 'job',
      plan: {
        source: 'orders',
        time: { path: ['t'], format: 'epoch-ms' },
        user: ['u'],
        outcome: ['o'],
        outcomeNames: new Map(),
        where: undefined,
        minEventTime: epochMs(0),
        maxFutureSkew: durationMs(0),
        watermark: {
          outOfOrderness: durationMs(disorder),
          idleTimeout: durationMs(60_000),
          maxDrift: durationMs(Number.POSITIVE_INFINITY),
        },
      },
      metrics: [this.#plan],
      layout: oneLane,
      store: this.store,
    })
  }
}

function push(batch: DecodedBatch, event: Event, series: number): void {
  const index = batch.length++
  batch.time[index] = event.at
  batch.offset[index] = event.offset
  batch.maxTime = Math.max(batch.maxTime, event.at)
  const [rows] = batch.metrics
  if (rows === undefined) return
  rows.length = batch.length
  rows.event[index] = index
  rows.series[index] = series
  rows.keyHigh[index] = Math.imul(event.user * 31 + event.product + 1, 0x9e3779b1) >>> 0
  rows.keyLow[index] = event.user + 1
  rows.outcome[index] = event.outcome
  for (const column of rows.values) column[index] = event.amount
}

/** Event by event, with nothing but a list: which events count, and what their windows hold in the end. */
function bruteForce(keep: Keep | undefined, events: readonly Event[]) {
  let newest = Number.NEGATIVE_INFINITY
  const counted: Event[] = []
  let late = 0
  for (const event of events) {
    const watermark = newest - disorder - 1
    const end = (Math.floor(event.at / size) + 1) * size
    if (end - 1 + lateness <= watermark) late++
    else counted.push(event)
    newest = Math.max(newest, event.at)
  }
  const windows = new Map<string, Event[]>()
  for (const event of counted) {
    const key = `p${event.product}@${Math.floor(event.at / size) * size}`
    windows.set(key, [...(windows.get(key) ?? []), event])
  }
  const values = new Map(
    [...windows].map(([key, inWindow]) => {
      const users = new Set(inWindow.map((event) => event.user))
      const kept =
        keep === undefined ? inWindow : [...users].map((user) => best(keep, inWindow, user))
      const success = kept.filter((event) => event.outcome === 2).length
      return [
        key,
        {
          count: kept.length,
          events: inWindow.length,
          users: users.size,
          rate: success / kept.length,
          ...(keep === 'best'
            ? {}
            : { 'sum.amount': kept.reduce((sum, event) => sum + event.amount, 0) }),
        },
      ]
    }),
  )
  return { late, values }
}

function best(keep: Keep, events: readonly Event[], user: number): Event {
  const own = events.filter((event) => event.user === user)
  return own.reduce((a, b) => {
    if (keep === 'best') return b.outcome > a.outcome ? b : a
    if (a.at !== b.at) return (keep === 'first') === b.at < a.at ? b : a
    return b.outcome > a.outcome ? b : a
  })
}

const history = fc
  .array(
    fc.record({
      step: fc.integer({ min: 0, max: 120 }),
      back: fc.integer({ min: 0, max: 2_500 }),
      isBack: fc.nat(9),
      product: fc.nat(2),
      user: fc.nat(6),
      outcome: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 80 },
  )
  .map((steps) => {
    let now = 10_000
    return steps.map((step, offset): Event => {
      now += step.step
      const at = step.isBack === 0 ? now - step.back : now
      // The amount follows from what decides ties, so that equal events are equal.
      const amount = step.outcome * 10 + step.product
      return { ...step, at, offset, amount }
    })
  })

const chunksOf = (events: readonly Event[], cuts: readonly number[]): Event[][] => {
  const at = [...new Set(cuts.map((cut) => Math.min(cut, events.length)))].sort((a, b) => a - b)
  const bounds = [0, ...at, events.length]
  return bounds.slice(1).map((to, index) => events.slice(bounds[index], to))
}

const cuts = fc.array(fc.nat(80), { maxLength: 6 })

for (const keep of [undefined, 'first', 'last', 'best'] as const) {
  test(`keep ${keep ?? 'all'}: final panes and late events equal brute force, however the events were batched`, () => {
    fc.assert(
      fc.property(history, cuts, (events, at) => {
        const rig = new Rig(plan(keep))
        for (const chunk of chunksOf(events, at)) {
          rig.feed(chunk)
          rig.collect()
        }
        rig.end()
        expectEqual(rig, bruteForce(keep, events))
      }),
    )
  })

  test(`keep ${keep ?? 'all'}: killed and resumed anywhere gives the same panes as one run`, async () => {
    await fc.assert(
      fc.asyncProperty(history, cuts, fc.array(fc.boolean()), async (events, at, kills) => {
        const whole = new Rig(plan(keep))
        const killed = new Rig(plan(keep))
        for (const [index, chunk] of chunksOf(events, at).entries()) {
          whole.feed(chunk)
          whole.collect()
          if (kills[index]) {
            killed.feed(chunk)
            await killed.restart()
          }
          killed.feed(chunk)
          await killed.checkpoint()
        }
        whole.end()
        await killed.restart()
        killed.end()
        assert.deepEqual(killed.final(), whole.final())
        assert.equal(killed.late, whole.late)
      }),
    )
  })
}

test('killed and resumed on the real store gives the same panes as one run', async () => {
  const root = mkdtempSync(join(tmpdir(), 'warden-lane-'))
  let runs = 0
  await fc.assert(
    fc.asyncProperty(history, cuts, fc.constantFrom('first', 'best'), async (events, at, keep) => {
      const store = new LmdbStateStore(join(root, String(runs++)))
      const whole = new Rig(plan(keep))
      const killed = new Rig(plan(keep), store)
      for (const chunk of chunksOf(events, at)) {
        whole.feed(chunk)
        whole.collect()
        killed.feed(chunk)
        await killed.checkpoint()
        await killed.restart()
      }
      whole.end()
      killed.end()
      await store.close()
      assert.deepEqual(killed.final(), whole.final())
    }),
    { numRuns: 15 },
  )
  rmSync(root, { recursive: true })
})

function expectEqual(rig: Rig, expected: ReturnType<typeof bruteForce>): void {
  assert.equal(rig.late, expected.late)
  const counted = [...rig.final()].filter(([, pane]) => !pane.zero)
  assert.deepEqual(new Map(counted.map(([key, pane]) => [key, pane.values])), expected.values)
}

test('a known series without events gets a zero, a silent window stays a gap, and late data revises the zero', () => {
  const rig = new Rig(plan('best'))
  const event = (at: number, product: number, user: number, offset: number): Event => ({
    at,
    product,
    user,
    outcome: 2,
    amount: 1,
    offset,
  })
  rig.feed([event(10_100, 0, 1, 0), event(10_200, 1, 2, 1)])
  rig.feed([event(11_100, 0, 1, 2)])
  rig.feed([event(14_000, 0, 1, 3)])
  rig.collect()
  const of = (product: string, start: number) =>
    rig.panes.filter((pane) => pane.tags.product === product && pane.windowStart === start)
  assert.deepEqual(
    of('p1', 11_000).map(({ zero, values, revision }) => ({ zero, values, revision })),
    [{ zero: true, values: { count: 0, events: 0, users: 0 }, revision: 0 }],
  )
  assert.deepEqual(of('p0', 12_000), [])
  const late = new Rig(plan('best'))
  late.feed([event(10_100, 0, 1, 0), event(10_200, 1, 2, 1), event(11_100, 0, 1, 2)])
  late.feed([event(12_150, 0, 3, 3), event(11_900, 1, 4, 4)])
  late.collect()
  const revised = late.panes.filter(
    (pane) => pane.tags.product === 'p1' && pane.windowStart === 11_000,
  )
  assert.deepEqual(
    revised.map(({ firing, revision, values }) => ({ firing, revision, count: values.count })),
    [
      { firing: 'on-time', revision: 0, count: 0 },
      { firing: 'late', revision: 1, count: 1 },
    ],
  )
})

test('a window that began before the first position is partial and stays unwritten, the next one is whole', () => {
  const rig = new Rig(plan('best'))
  rig.source.windows.metrics[0]?.operator.markMissing(Number.NEGATIVE_INFINITY, 10_500)
  const base = { product: 0, user: 1, outcome: 1, amount: 1 }
  rig.feed([
    { ...base, at: 10_600, offset: 0 },
    { ...base, at: 11_000, offset: 1 },
    { ...base, at: 13_000, offset: 2 },
  ])
  rig.collect()
  assert.deepEqual(
    rig.panes.map((pane) => pane.windowStart),
    [11_000],
  )
  assert.equal(rig.source.windows.metrics[0]?.operator.partialWindows, 1)
})
