import type { Pane } from '../../src/core/pane.ts'
import { type EventPlan, type MetricPlan, needsIntegerUser } from '../../src/core/plan.ts'
import { createDecodedBatch, type LateEvent, resetDecodedBatch } from '../../src/core/rows.ts'
import { durationMs, type EpochMs, epochMs } from '../../src/core/time.ts'
import { InlineSource } from '../../src/pipeline/lanes/inline-source.ts'
import { type LaneLayout, oneLane } from '../../src/pipeline/lanes/lane-layout.ts'
import type { SourceWindows } from '../../src/pipeline/source-windows.ts'
import { MemoryStateStore } from '../../src/state/memory-state-store.ts'

export const never = durationMs(Number.POSITIVE_INFINITY)

/** Windows of one second, half a second of lateness, outcomes fail < success, dimension `product`, value `amount`. */
export function metricPlan(over: Partial<MetricPlan> = {}): MetricPlan {
  return {
    name: 'loan',
    source: 'orders',
    where: undefined,
    dimensions: [{ name: 'product', path: ['product'], missing: undefined }],
    splitByOutcome: false,
    outcomes: ['fail', 'success'],
    values: [{ name: 'amount', path: ['amount'] }],
    keep: undefined,
    window: tumbling(1_000),
    allowedLateness: durationMs(500),
    accumulation: 'accumulating',
    earlyAfter: undefined,
    aggregates: [{ kind: 'count', name: 'count' }],
    zeroFill: { enabled: false, expireAfter: durationMs(10_000), whenSilent: 'gap' },
    emitPartial: false,
    declaredSeries: [],
    maxSeries: 1_000_000,
    ...over,
  }
}

export function tumbling(sizeMs: number): MetricPlan['window'] {
  return sliding(sizeMs, sizeMs)
}

export function sliding(sizeMs: number, slideMs: number): MetricPlan['window'] {
  return {
    sizeMs: durationMs(sizeMs),
    slideMs: durationMs(slideMs),
    alignment: { kind: 'offset', offsetMs: 0 },
  }
}

/** 100 ms of disorder, a minute to idleness. */
export function eventPlan(over: Partial<EventPlan> = {}): EventPlan {
  return {
    source: 'orders',
    time: { path: ['t'], format: 'epoch-ms' },
    user: ['u'],
    outcome: ['o'],
    outcomeNames: new Map(),
    where: undefined,
    minEventTime: epochMs(0),
    maxFutureSkew: never,
    watermark: {
      outOfOrderness: durationMs(100),
      idleTimeout: durationMs(60_000),
      maxDrift: never,
    },
    ...over,
  }
}

/** One event; what is left out is partition 0, series `a`, user 1, outcome `fail`, value 1. */
export interface LaneEvent {
  readonly at: number
  readonly partition?: number
  readonly series?: string
  readonly user?: number
  /** 0: other, else 1 + index into the outcomes. */
  readonly outcome?: number
  readonly value?: number
}

/** The lanes of one source and their state: what a pipeline does with rows, without the pipeline. */
export class LaneRig {
  readonly panes: Pane[] = []
  readonly late: LateEvent[] = []
  now: EpochMs = epochMs(0)
  readonly store = new MemoryStateStore()
  #plans: readonly MetricPlan[]
  readonly #partitions: number
  #source: InlineSource
  #offset = 0

  constructor(plans: readonly MetricPlan[], partitions = 1, layout = oneLane) {
    this.#plans = plans
    this.#partitions = partitions
    this.#source = this.#build(layout)
    for (let index = 0; index < partitions; index++) this.#source.addPartition(index, this.now)
  }

  get windows(): SourceWindows {
    return this.#source.windows
  }

  /** Applies events one after the other, each a batch of its own. */
  feed(...events: readonly LaneEvent[]): void {
    for (const event of events) this.feedBatch([event])
  }

  /** Applies events of one partition as one batch. */
  feedBatch(events: readonly LaneEvent[]): void {
    const partition = events[0]?.partition ?? 0
    const columns = this.#plans.map((plan) => plan.values.length)
    const batch = createDecodedBatch(Math.max(1, events.length), columns)
    resetDecodedBatch(batch, partition)
    const dictionaries = this.#source.dictionariesOf(partition)
    for (const { at, series = 'a', user = 1, outcome = 1, value = 1 } of events) {
      const index = batch.length++
      batch.time[index] = at
      batch.offset[index] = this.#offset++
      batch.maxTime = Math.max(batch.maxTime, at)
      for (const [metric, rows] of batch.metrics.entries()) {
        const id = dictionaries[metric]?.idOf([series]) ?? -1
        rows.length = batch.length
        rows.event[index] = index
        rows.series[index] = id
        rows.keyHigh[index] = Math.imul(user, 0x9e3779b1) >>> 0
        const plan = this.#plans[metric]
        rows.keyLow[index] = plan && needsIntegerUser(plan) ? user : keyLow(series, user)
        rows.outcome[index] = outcome
        for (const column of rows.values) column[index] = value
      }
    }
    this.#source.apply(batch, `orders-${partition}`, this.now)
  }

  addPartition(partition: number): void {
    this.#source.addPartition(partition, this.now)
  }

  /** Id of a series in the lane of a partition; -1 when it takes no more. */
  seriesId(partition: number, series: string): number {
    return this.#source.dictionariesOf(partition)[0]?.idOf([series]) ?? -1
  }

  /** Processing time goes on; every partition is proved to stand at its end. */
  tick(now: EpochMs): void {
    this.now = now
    this.#source.tick(now)
  }

  /** Speaks of late changes, and takes what was said. */
  collect(): void {
    this.windows.flushLate()
    for (const pane of this.windows.takePanes()) this.panes.push(pane)
    for (const event of this.windows.takeLate()) this.late.push(event)
  }

  async checkpoint(): Promise<void> {
    this.collect()
    const partitions = Array.from({ length: this.#partitions }, (_, index) => ({
      index,
      name: String(index),
      position: { offset: this.#offset, identity: '' },
    }))
    await this.store.commit(this.#source.checkpoint(partitions, this.now))
  }

  /** Starts again from the last checkpoint, perhaps under another config or with other lanes. */
  restart(plans: readonly MetricPlan[] = this.#plans, layout = oneLane): void {
    this.#plans = plans
    this.#source = this.#build(layout)
    this.#source.resume(Number, this.now)
  }

  end(): void {
    this.#source.end(this.now)
    this.collect()
  }

  /** Values of the last pane of each series and window, as `series@start`. @param metric left out: there is one */
  final(metric?: string): Map<string, Readonly<Record<string, number>>> {
    const last = new Map<string, Readonly<Record<string, number>>>()
    for (const { metric: name, tags, windowStart, values } of this.panes) {
      if (metric !== undefined && name !== metric) continue
      const outcome = tags.outcome === undefined ? '' : `/${tags.outcome}`
      last.set(`${tags.product}${outcome}@${windowStart}`, values)
    }
    return last
  }

  #build(layout: LaneLayout): InlineSource {
    const { store } = this
    return new InlineSource({ job: 'job', plan: eventPlan(), metrics: this.#plans, layout, store })
  }
}

function keyLow(series: string, user: number): number {
  let hash = Math.imul(hashOf(series) ^ user, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) | 1) >>> 0
}

/** The same in every lane, as a key's hash is. */
function hashOf(series: string): number {
  let hash = 1
  for (const character of series) {
    hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) >>> 0
  }
  return hash
}
