import { Accumulators } from '../../aggregate/accumulators.ts'
import { TouchedSlices } from '../../aggregate/touched-slices.ts'
import { WindowLifetime } from '../../aggregate/window-lifetime.ts'
import {
  type MetricPlan,
  needsIntegerUser,
  needsUser,
  OTHER_OUTCOME_NAME,
} from '../../core/plan.ts'
import type { DecodedBatch, LateEvent, MetricRows } from '../../core/rows.ts'
import type { SeriesDictionary } from '../../core/series.ts'
import { epochMs } from '../../core/time.ts'
import { createWindowAssigner, type WindowAssigner } from '../../core/window.ts'
import { type FalsePositives, falsePositivesOf } from '../../dedup/bloom/false-positives.ts'
import type { KeyClaims } from '../../dedup/dedup-store.ts'
import { DUPLICATE, FIRST, groupOf } from '../../dedup/fingerprint-table.ts'
import type { SharedDedup } from '../../dedup/shared/shared-dedup.ts'
import type { KeyBlob, MetricSegment, MetricTotals } from './lane-messages.ts'
import { LaneSlice } from './lane-slice.ts'
import { PacketColumns, type PacketMetric } from './row-packet.ts'
import { UserMemory } from './user-memory.ts'

/** Where the rows of a call come from. */
export interface RowOrigin {
  readonly partition: string
  /** Hash of source and partition name. */
  readonly partitionHash: number
  /** Combined watermark as it was just before event `event` of the batch. */
  watermarkBefore(event: number): number
}

/** Which of the lanes this is, and whether users have a lane of their own. */
export interface LanePlace {
  readonly lane: number
  readonly lanes: number
  /** Rows go to the lane that owns the key group of their user; else every lane counts the users of its partitions. */
  readonly shuffled: boolean
}

const noValues = new Float64Array(0)

export const noTotals = (): MetricTotals => ({ rows: 0, kept: 0, duplicates: 0, late: 0 })

/** dedup and counting of one metric in one lane: rows in, differences out. */
export class MetricCounter {
  readonly plan: MetricPlan
  readonly dictionary: SeriesDictionary
  readonly lifetime: WindowLifetime
  /** By lane; undefined for this one, and where rows stay where they are. */
  readonly outgoing: readonly (PacketColumns | undefined)[]
  /** Since the last `takeTotals`. */
  #totals = noTotals()
  readonly #place: LanePlace
  readonly #assigner: WindowAssigner
  readonly #accumulators: Accumulators
  readonly #slices = new Map<number, LaneSlice>()
  readonly #users: UserMemory
  /** Rows go to the lane of their user. */
  readonly #routes: boolean
  readonly #timed: boolean
  readonly #deduplicates: boolean
  /** The key of a row is its series and its user, not their hash. */
  readonly #integers: boolean
  readonly #speaksOfDuplicates: boolean
  readonly #touched = new TouchedSlices()
  #newlyTouched: number[] = []
  #toldSeries = 0
  /** Ids here of the series ids of other lanes. */
  readonly #ids: number[][]
  /** Slice of the last row. */
  #slice: LaneSlice | undefined

  /** @param shared of a metric whose users are claimed elsewhere: rows are claimed before they are added */
  constructor(
    plan: MetricPlan,
    dictionary: SeriesDictionary,
    place: LanePlace,
    shared?: SharedDedup,
  ) {
    this.plan = plan
    this.dictionary = dictionary
    this.#place = place
    this.#assigner = createWindowAssigner(plan.window)
    this.#accumulators = new Accumulators(plan)
    this.lifetime = new WindowLifetime(this.#assigner, plan.allowedLateness)
    this.#users = new UserMemory(plan, place.lanes, shared)
    this.#deduplicates = plan.keep !== undefined
    this.#timed = this.#users.isTimed
    this.#integers = needsIntegerUser(plan)
    this.#speaksOfDuplicates = plan.aggregates.some(
      (one) => one.kind === 'events' || (one.kind === 'rate' && one.raw),
    )
    // Who claims users elsewhere claims them for all lanes.
    this.#routes = place.shuffled && needsUser(plan) && shared === undefined
    this.outgoing = Array.from({ length: place.lanes }, (_, lane) =>
      this.#routes && lane !== place.lane
        ? new PacketColumns(dictionary, plan.values.length)
        : undefined,
    )
    this.#ids = Array.from({ length: place.lanes }, () => [])
  }

  /** Users remembered. */
  get keys(): number {
    let keys = this.#users.horizon?.size ?? 0
    for (const { remembered } of this.#slices.values()) keys += remembered?.size ?? 0
    return Math.round(keys)
  }

  /** Keys that the next checkpoint must write. */
  get changedKeys(): number {
    let keys = this.#users.horizon?.changes ?? 0
    for (const { remembered } of this.#slices.values()) keys += remembered?.changes ?? 0
    return keys
  }

  /** How wrong its Bloom filters are; undefined where there is none. */
  get falsePositives(): FalsePositives | undefined {
    return falsePositivesOf([...this.#slices.values()].map(({ store }) => store))
  }

  /** What claims its users elsewhere. */
  get shared(): SharedDedup | undefined {
    return this.#users.shared
  }

  /** Counts rows `from`…`to` (exclusive), or hands them to the lane of their user; late ones are appended to `late`. */
  add(
    batch: DecodedBatch,
    rows: MetricRows,
    from: number,
    to: number,
    origin: RowOrigin,
    late: LateEvent[],
  ): void {
    const { time, offset } = batch
    const { event: events, series, outcome, keyHigh, keyLow, values } = rows
    const { lane, lanes } = this.#place
    const routes = this.#routes
    const timed = this.#timed
    let slice = this.#slice
    this.#totals.rows += to - from
    for (let row = from; row < to; row++) {
      const event = events[row] as number
      const at = time[event] as number
      if (slice === undefined || at < slice.start || at >= slice.end) {
        slice = this.#sliceFor(at, origin.watermarkBefore(event))
        if (slice === undefined) {
          this.#totals.late++
          late.push(this.#lateEvent(batch, rows, row, origin))
          continue
        }
      }
      const high = keyHigh[row] as number
      const tie = timed ? positionHash(origin.partitionHash, offset[event] as number) : 0
      const id = series[row] as number
      const code = outcome[row] as number
      const low = keyLow[row] as number
      const owner = routes ? groupOf(high) % lanes : lane
      if (owner === lane) this.#count(slice, id, code, high, low, at, tie, values, row)
      else this.outgoing[owner]?.append(id, high, low, code, at, tie, values, row)
    }
    this.#slice = slice
  }

  /** Counts rows that another lane judged; their windows live until every lane knows that they are gone. */
  addPacket(from: number, { series, rows }: PacketMetric): void {
    const ids = this.#ids[from] as number[]
    for (const values of series) ids.push(this.dictionary.learn(values))
    let slice: LaneSlice | undefined
    for (let row = 0; row < rows.length; row++) {
      const at = rows.time[row] as number
      if (slice === undefined || at < slice.start || at >= slice.end) slice = this.sliceAt(at)
      this.#count(
        slice,
        ids[rows.series[row] as number] as number,
        rows.outcome[row] as number,
        rows.keyHigh[row] as number,
        rows.keyLow[row] as number,
        at,
        rows.tie[row] as number,
        rows.values,
        row,
      )
    }
  }

  /** The source had events between the two times: their windows are not silent. */
  touch(time: Float64Array, from: number, to: number, oldest: number, newest: number): void {
    if (this.#touched.cover(oldest, newest)) return
    for (let event = from; event < to; event++) {
      const at = time[event] as number
      if (this.#touched.cover(at, at)) continue
      const slice = this.#assigner.sliceAt(at)
      if (this.#touched.add(slice)) this.#newlyTouched.push(slice.start)
    }
  }

  /** The watermark changed a window: what is late is judged anew. */
  forgetSlice(): void {
    this.#slice = undefined
  }

  /** Every lane judges by `watermark` or a later one: what is gone there gets no row any more. */
  drop(watermark: number): void {
    for (const slice of this.#slices.values()) {
      if (this.lifetime.isGone(slice.last, watermark)) this.#slices.delete(slice.start)
    }
    this.lifetime.dropUntil(watermark)
    this.#users.horizon?.dropWhere((time) => this.lifetime.isAllGone(time, watermark))
    this.#slice = undefined
  }

  /** The slice that holds `at`, whether or not it is gone. */
  sliceAt(at: number): LaneSlice {
    const window = this.#assigner.sliceAt(at)
    const known = this.#slices.get(window.start)
    if (known !== undefined) return known
    const last = this.#assigner.lastWindowAt(window.start)
    const slice = new LaneSlice(window, last, this.#accumulators, this.#users.create())
    this.#slices.set(slice.start, slice)
    return slice
  }

  /** Puts back entries of the state. */
  load(blob: KeyBlob): void {
    const { lane, lanes, shuffled } = this.#place
    const isMine = shuffled ? (group: number) => group % lanes === lane : undefined
    const { horizon } = this.#users
    // Over windows, entries are kept by bucket.
    const into = horizon?.bucketOf(blob.slice) ?? this.sliceAt(blob.slice).remembered
    into?.load(blob.bytes, isMine)
  }

  /** What was counted since the last call. */
  takeSegment(): MetricSegment {
    const touched = this.#newlyTouched
    if (touched.length > 0) this.#newlyTouched = []
    const slices = []
    for (const { start, delta } of this.#slices.values()) {
      const taken = delta.take(start)
      if (taken !== undefined) slices.push(taken)
    }
    return { slices, touched }
  }

  takeTotals(): MetricTotals {
    const totals = this.#totals
    this.#totals = noTotals()
    return totals
  }

  /** Series that the main half was not told of, in the order of their ids. */
  takeSeries(): (readonly string[])[] {
    const series: (readonly string[])[] = []
    for (; this.#toldSeries < this.dictionary.size; this.#toldSeries++) {
      series.push(this.dictionary.valuesOf(this.#toldSeries))
    }
    return series
  }

  /** Dedup entries that are new or changed since the last call. */
  takeChanges(metric: number): KeyBlob[] {
    const blobs: KeyBlob[] = []
    const take = (slice: number, from: { takeChanges(): Uint8Array | undefined } | undefined) => {
      for (let bytes = from?.takeChanges(); bytes !== undefined; bytes = from?.takeChanges()) {
        blobs.push({ metric, slice, bytes })
      }
    }
    for (const { start, remembered } of this.#slices.values()) take(start, remembered)
    for (const [start, bucket] of this.#users.horizon?.buckets ?? []) take(start, bucket)
    return blobs
  }

  /**
   * What is to be claimed elsewhere before the rows are added: rows that are late already are not.
   * @param latest a combined watermark that no row of the batch is judged after
   */
  claims(batch: DecodedBatch, rows: MetricRows, origin: RowOrigin, latest: number): KeyClaims {
    const { length, event: events, keyHigh: high, keyLow: low } = rows
    const slice = new Float64Array(length)
    const offset = new Float64Array(length)
    for (let row = 0; row < length; row++) {
      const event = events[row] as number
      const at = batch.time[event] as number
      const isLate =
        this.lifetime.isAllGone(at, latest) &&
        this.lifetime.isAllGone(at, origin.watermarkBefore(event))
      slice[row] = isLate ? Number.NaN : this.#assigner.sliceAt(at).start
      offset[row] = batch.offset[event] as number
    }
    return { length, partitionHash: origin.partitionHash, offset, high, low, slice }
  }

  #count(
    slice: LaneSlice,
    id: number,
    outcome: number,
    high: number,
    low: number,
    at: number,
    tie: number,
    values: readonly Float64Array[],
    row: number,
  ): void {
    const { delta, table } = slice
    const accumulators = this.#accumulators
    const cell = delta.touch(id)
    const cells = delta.data
    accumulators.addEvent(cells, cell, outcome)
    if (!this.#deduplicates) {
      this.#totals.kept++
      if (table !== undefined) {
        if (table.offer(high, low, 0, at, 0, values, row) === FIRST) {
          accumulators.addUser(cells, cell)
        }
      } else if (slice.counter !== undefined) {
        accumulators.addUsers(cells, cell, slice.counter.add(id, high, low))
      }
      this.#addValues(cells, cell, outcome, values, row)
      delta.speak(cell)
      return
    }
    const code =
      table === undefined
        ? this.#offerByArrival(slice, id, high, low, at, row)
        : table.offer(high, low, outcome, at, tie, values, row)
    if (code === DUPLICATE) {
      this.#totals.duplicates++
      if (this.#speaksOfDuplicates) delta.speak(cell)
      return
    }
    if (code === FIRST) this.#totals.kept++
    else {
      this.#totals.duplicates++
      this.#withdraw(cells, cell, code, table?.withdrawn ?? noValues)
    }
    accumulators.addKept(cells, cell, outcome, 1)
    this.#addValues(cells, cell, outcome, values, row)
    delta.speak(cell)
  }

  /** Apart from the exact table, so that each call site knows one kind of store. */
  #offerByArrival(
    { store }: LaneSlice,
    id: number,
    high: number,
    low: number,
    at: number,
    row: number,
  ): number {
    return store?.offer(this.#integers ? id + 1 : high, low, 0, at, 0, [], row) ?? FIRST
  }

  #addValues(
    cells: Float64Array,
    cell: number,
    outcome: number,
    values: readonly Float64Array[],
    row: number,
  ): void {
    for (let index = 0; index < values.length; index++) {
      const value = values[index]?.[row] ?? Number.NaN
      this.#accumulators.addValue(cells, cell, outcome, index, value, 1)
    }
  }

  #withdraw(cells: Float64Array, cell: number, outcome: number, values: Float64Array): void {
    this.#accumulators.addKept(cells, cell, outcome, -1)
    for (let index = 0; index < values.length; index++) {
      const value = values[index] ?? Number.NaN
      this.#accumulators.addValue(cells, cell, outcome, index, value, -1)
    }
  }

  /** undefined when an event of time `at` is late: all its windows are gone. */
  #sliceFor(at: number, watermark: number): LaneSlice | undefined {
    const known = this.#slices.get(this.#assigner.sliceAt(at).start)
    const isGone =
      known === undefined
        ? this.lifetime.isAllGone(at, watermark)
        : this.lifetime.isGone(known.last, watermark)
    return isGone ? undefined : (known ?? this.sliceAt(at))
  }

  #lateEvent(batch: DecodedBatch, rows: MetricRows, row: number, origin: RowOrigin): LateEvent {
    const event = rows.event[row] as number
    const values = this.dictionary.valuesOf(rows.series[row] as number)
    const code = rows.outcome[row] as number
    return {
      metric: this.plan.name,
      partition: origin.partition,
      offset: batch.offset[event] as number,
      time: epochMs(batch.time[event] as number),
      tags: Object.fromEntries(
        this.plan.dimensions.map((dimension, index) => [dimension.name, values[index] ?? '']),
      ),
      outcome: this.plan.outcomes[code - 1] ?? OTHER_OUTCOME_NAME,
      values: rows.values.map((column) => column[row] ?? Number.NaN),
      windowEnd: this.lifetime.lastWindowEnd(batch.time[event] as number),
      watermark: epochMs(origin.watermarkBefore(event)),
    }
  }
}

/** 32-bit hash of a position, the last tie-break of dedup: does not depend on arrival. Finalizer of MurmurHash3 (Appleby). */
export function positionHash(partitionHash: number, offset: number): number {
  let hash = partitionHash ^ (offset | 0) ^ Math.imul(Math.floor(offset / 2 ** 32), 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
