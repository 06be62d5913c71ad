import type { EventPlan, MetricPlan } from '../../core/plan.ts'
import type { DecodedBatch } from '../../core/rows.ts'
import { SeriesDictionary } from '../../core/series.ts'
import type { StateOperation, StateStore } from '../../core/state-store.ts'
import type { EpochMs } from '../../core/time.ts'
import type { BatchEnricher } from '../../enrich/batch-enricher.ts'
import type { KeyResolver, Known } from '../../enrich/key-resolver.ts'
import { MetricState } from '../metric-state.ts'
import { MetricWindows } from '../metric-windows.ts'
import { type PartitionToSave, restoreSource, saveSource } from '../source-state.ts'
import { SourceWindows } from '../source-windows.ts'
import { CountingLane } from './counting-lane.ts'
import { type LaneLayout, lanesKnowing, layoutText } from './lane-layout.ts'
import type { BarrierAnswer } from './lane-messages.ts'

export interface InlineParts {
  readonly job: string
  readonly plan: EventPlan
  readonly metrics: readonly MetricPlan[]
  readonly layout: LaneLayout
  /** Whose state it goes on from, where there is any. */
  readonly store: StateStore
  /** Of metrics with dimensions that are looked up. */
  readonly lookups?: InlineLookups | undefined
}

/** Look-ups that are answered at once. */
export interface InlineLookups {
  readonly createEnricher: (dictionaries: readonly SeriesDictionary[]) => BatchEnricher
  readonly createResolver: (metrics: readonly MetricWindows[]) => KeyResolver
  readonly known: Known
}

/** Of the last checkpoint's number: entries of users are kept by it, so it never begins anew. */
const numberKey = (source: string): string => `checkpoint/${source}`

/**
 * Lanes and windows of one source without a loop: every call is counted and put together before it returns. Partition `n` is
 * lane `n` modulo lanes. For spec files and tests, where an event follows the other.
 */
export class InlineSource {
  readonly windows: SourceWindows
  readonly lanes: readonly CountingLane[]
  readonly #parts: InlineParts
  readonly #dictionaries: readonly (readonly SeriesDictionary[])[]
  readonly #states: readonly MetricState[]
  /** One per lane; undefined where nothing is looked up. */
  readonly #enrichers: readonly (BatchEnricher | undefined)[]
  readonly #resolver: KeyResolver | undefined
  /** Index in its lane by partition. */
  readonly #own = new Map<number, number>()
  readonly #counts: number[]
  readonly #answers: (BarrierAnswer | undefined)[] = []
  #checkpoints: number

  constructor(parts: InlineParts) {
    const { layout, metrics, plan, store, job } = parts
    this.#parts = parts
    this.#checkpoints = Number(Buffer.from(store.get(numberKey(plan.source)) ?? '0').toString())
    const windows = metrics.map(
      (metric) => new MetricWindows(metric, new SeriesDictionary(metric.maxSeries), job),
    )
    this.#states = windows.map((one) => new MetricState(one))
    for (const state of this.#states) state.restore(store)
    this.windows = new SourceWindows(plan, windows, layout.lanes)
    const places = Array.from({ length: layout.lanes }, (_, lane) => ({ ...layout, lane }))
    this.#dictionaries = places.map(() =>
      windows.map(({ dictionary, plan: metric }) => {
        const own = new SeriesDictionary(metric.maxSeries)
        for (let id = 0; id < dictionary.size; id++) own.restore(dictionary.valuesOf(id))
        return own
      }),
    )
    this.#enrichers = this.#dictionaries.map((own) => parts.lookups?.createEnricher(own))
    this.#resolver = parts.lookups?.createResolver(windows)
    this.lanes = places.map((place) => {
      const dictionaries = this.#dictionaries[place.lane] ?? []
      return new CountingLane({
        place,
        plan,
        metrics,
        dictionaries,
        send: (to, message) => {
          this.#answers[to] ??= this.lanes[to]?.receive(place.lane, message)
        },
      })
    })
    this.#counts = places.map(() => 0)
    this.#load()
    this.#start([], 0 as EpochMs)
  }

  /** Ids of a batch of this partition are of these dictionaries, one per metric. */
  dictionariesOf(partition: number): readonly SeriesDictionary[] {
    const lane = this.#laneOf(partition)
    return this.#enrichers[lane]?.dictionaries ?? this.#dictionaries[lane] ?? []
  }

  addPartition(partition: number, now: EpochMs): void {
    if (!this.#own.has(partition)) {
      const lane = this.#laneOf(partition)
      this.#own.set(partition, this.#counts[lane] ?? 0)
      this.#counts[lane] = (this.#counts[lane] ?? 0) + 1
      this.windows.addPartition(lane, partition, now)
    }
    this.#lane(partition).addPartition(this.#own.get(partition) ?? 0, now)
    this.windows.tracker.add(partition, now)
    this.#settle(now)
  }

  removePartition(partition: number, now: EpochMs): void {
    this.#lane(partition).removePartition(this.#own.get(partition) ?? 0)
    this.windows.tracker.remove(partition)
    this.#settle(now)
  }

  apply(batch: DecodedBatch, name: string, now: EpochMs): void {
    const { partition } = batch
    if (!this.#own.has(partition)) this.addPartition(partition, now)
    batch.partition = this.#own.get(partition) ?? 0
    this.#enrich(batch, partition)
    this.#lane(partition).apply(batch, name, now)
    batch.partition = partition
    this.#settle(now)
  }

  /** A watermark that the partition says itself. */
  advancePartition(partition: number, watermark: number, now: EpochMs): void {
    this.addPartition(partition, now)
    this.#lane(partition).advancePartition(this.#own.get(partition) ?? 0, watermark, now)
    this.#settle(now)
  }

  setIdle(partition: number, idle: boolean, now: EpochMs): void {
    this.addPartition(partition, now)
    this.#lane(partition).setIdle(this.#own.get(partition) ?? 0, idle, now)
    this.#settle(now)
  }

  /** Processing time went by. @param caughtUpAt of every partition */
  tick(now: EpochMs, caughtUpAt: EpochMs | undefined = now): void {
    for (const lane of this.lanes) lane.tick(now, () => caughtUpAt)
    this.#settle(now)
    this.windows.tick(now)
  }

  /** The bounded source ended: every window fires. */
  end(now: EpochMs): void {
    this.#settle(now)
    for (const lane of this.lanes.keys()) this.windows.endLane(lane)
  }

  /** Everything that changed since the last checkpoint; late panes must have been flushed. */
  checkpoint(partitions: readonly PartitionToSave[], now: EpochMs): StateOperation[] {
    const number = ++this.#checkpoints
    for (const [index, lane] of this.lanes.entries()) {
      this.#answers[index] ??= lane.barrier(number)
    }
    for (const [index, lane] of this.lanes.entries()) {
      this.windows.receive(index, lane.takeHandOver(now))
      const answer = this.#answers[index]
      if (answer === undefined) throw new Error(`lane ${index} gave no share of the checkpoint`)
      this.windows.addBlobs(index, answer)
    }
    this.#answers.length = 0
    for (const lane of this.lanes) lane.resume()
    const layout = layoutText(this.#parts.layout)
    return [
      ...this.#states.flatMap((state) => state.takeChanges(number, layout)),
      saveSource(this.windows, partitions, { records: 0, dead: {} }),
      { kind: 'put', key: numberKey(this.#parts.plan.source), value: Buffer.from(String(number)) },
    ]
  }

  /** Goes on from the state's watermarks. @param indexOf partition of a name in the state */
  resume(indexOf: (name: string) => number | undefined, now: EpochMs): void {
    const restored = restoreSource(this.#parts.store, this.#parts.plan.source)
    if (restored === undefined) return
    const names = [...restored.positions.keys()]
    for (const name of names) {
      const partition = indexOf(name)
      if (partition !== undefined) this.addPartition(partition, now)
    }
    restored.restoreWatermarks(this.windows, indexOf, now)
    this.#start(
      names.flatMap((name) => {
        const partition = indexOf(name)
        const watermark = restored.watermarkOf(name)
        if (partition === undefined || watermark === undefined) return []
        return [[partition, watermark] as const]
      }),
      now,
    )
    this.#settle(now)
  }

  #enrich(batch: DecodedBatch, partition: number): void {
    const enricher = this.#enrichers[this.#laneOf(partition)]
    const questions = enricher?.begin(batch) ?? []
    if (enricher === undefined || this.#resolver === undefined || questions.length === 0) return
    const known = this.#parts.lookups?.known ?? (() => ({ kind: 'missing' }))
    enricher.finish(batch, this.#resolver.settle(questions, known))
  }

  #start(
    known: readonly (readonly [number, { readonly watermark: number; readonly idle: boolean }])[],
    now: EpochMs,
  ): void {
    const goneThrough = this.windows.metrics.map(({ operator }) => operator.lifetime.goneThrough)
    for (const [index, lane] of this.lanes.entries()) {
      const watermarks = known.flatMap(([partition, watermark]) =>
        this.#laneOf(partition) === index
          ? [[this.#own.get(partition) ?? 0, watermark] as const]
          : [],
      )
      lane.start({ view: this.windows.viewFor(index, []), watermarks, goneThrough }, now)
    }
  }

  #load(): void {
    for (const [metric, state] of this.#states.entries()) {
      for (const { slice, layout, lane, bytes } of state.savedKeys(this.#parts.store)) {
        if (this.windows.metrics[metric]?.remembers(slice) !== true) continue
        for (const to of lanesKnowing(this.#parts.layout, layout, lane)) {
          this.lanes[to]?.load([{ metric, slice, bytes }])
        }
      }
    }
  }

  /** Until nobody has anything to say to anybody. */
  #settle(now: EpochMs): void {
    for (let isStill = false; !isStill; ) {
      isStill = true
      for (const [index, lane] of this.lanes.entries()) {
        if (!lane.isDirty) continue
        isStill = false
        this.windows.receive(index, lane.takeHandOver(now))
      }
      const fresh = this.windows.freshSeries.map((series) => series.splice(0))
      for (const [index, lane] of this.lanes.entries()) {
        const view = this.windows.viewFor(index, fresh)
        lane.learn(view)
        const { metrics } = lane
        this.#enrichers[index]?.drop(
          (metric, slice) => metrics[metric]?.lifetime.isGone(slice, view.gone) ?? true,
        )
      }
    }
  }

  #laneOf(partition: number): number {
    return partition % this.lanes.length
  }

  #lane(partition: number): CountingLane {
    return this.lanes[this.#laneOf(partition)] as CountingLane
  }
}
