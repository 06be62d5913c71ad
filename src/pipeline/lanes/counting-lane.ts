import type { EventPlan, MetricPlan } from '../../core/plan.ts'
import type { DecodedBatch, LateEvent } from '../../core/rows.ts'
import type { SeriesDictionary } from '../../core/series.ts'
import type { EpochMs } from '../../core/time.ts'
import type { KeyClaims } from '../../dedup/dedup-store.ts'
import type { SharedDedup } from '../../dedup/shared/shared-dedup.ts'
import { WatermarkTracker } from '../../ingest/watermark.ts'
import type {
  BarrierAnswer,
  BetweenLanes,
  HandOver,
  KeyBlob,
  LaneStart,
  Mark,
  Segment,
  View,
} from './lane-messages.ts'
import { type LanePlace, MetricCounter, positionHash } from './metric-counter.ts'
import type { RowPacket } from './row-packet.ts'

export interface LaneParts {
  readonly place: LanePlace
  readonly plan: EventPlan
  readonly metrics: readonly MetricPlan[]
  /** One per metric; the lane's own. */
  readonly dictionaries: readonly SeriesDictionary[]
  /** By metric: what claims its users elsewhere; batches must have been prepared by `claims` then. */
  readonly shared?: readonly (SharedDedup | undefined)[] | undefined
  /** Takes a message to another lane. */
  readonly send: (lane: number, message: BetweenLanes) => void
}

/** Rows that wait for one receiver; more of them and the lane waits too. */
const maxRowsAhead = 32_768
/** Rows that go out before anything else asks for it. */
const packetRows = 8_192

/**
 * Everything one lane does to the rows of its partitions, without I/O. An event is classified against the watermark as the
 * lane knows it, as it was before the event, and moves the watermark after it. What was counted piles up as differences, cut
 * where that watermark changes a window, so that with one lane the result does not depend on how events were batched.
 *
 * A checkpoint's cut goes through all lanes: `barrier` stops this one's rows, a marker behind its packets tells the others,
 * and what comes behind their markers is held back until all have come. reading → aligning → reading.
 */
export class CountingLane {
  readonly tracker: WatermarkTracker
  readonly metrics: readonly MetricCounter[]
  readonly #place: LanePlace
  readonly #plan: EventPlan
  readonly #send: LaneParts['send']
  readonly #partitionHashes = new Map<string, number>()
  readonly #partitions: number[] = []
  #segments: Segment[] = []
  #late: LateEvent[] = []
  /** Combined watermark by which rows are judged. */
  #advancedTo: number = Number.NEGATIVE_INFINITY
  /** The next combined watermark that changes a window. */
  #boundary: number = Number.NEGATIVE_INFINITY
  #isDirty = true
  readonly #sent: number[]
  readonly #applied: number[]
  /** Rows sent and not counted yet, by lane. */
  readonly #ahead: number[]
  #barrier: number | undefined
  readonly #markers = new Set<number>()
  #heldBack: (readonly [from: number, message: BetweenLanes])[] = []

  constructor(parts: LaneParts) {
    const { place, plan, metrics, dictionaries } = parts
    this.#place = place
    this.#plan = plan
    this.#send = parts.send
    this.tracker = new WatermarkTracker(plan.watermark)
    if (place.lanes > 1) {
      const unknown = Number.NEGATIVE_INFINITY
      this.tracker.setOthers({ active: 1, minimum: unknown, maximum: unknown }, unknown)
    }
    this.metrics = metrics.map((metric, index) => {
      const dictionary = dictionaries[index]
      if (dictionary === undefined) throw new RangeError(`no dictionary for ${metric.name}`)
      return new MetricCounter(metric, dictionary, place, parts.shared?.[index])
    })
    const zeros = (): number[] => new Array(place.lanes).fill(0)
    this.#sent = zeros()
    this.#applied = zeros()
    this.#ahead = zeros()
  }

  /** Between its own cut of a checkpoint and that of the others: it must not count rows of its own. */
  get isAligning(): boolean {
    return this.#barrier !== undefined
  }

  /** Another lane is too slow to be given more rows. */
  get isAhead(): boolean {
    return this.#ahead.some((rows) => rows > maxRowsAhead)
  }

  /** Segments that wait to be handed over. */
  get segments(): number {
    return this.#segments.length + this.#late.length / 1_000
  }

  /** There is something to hand over. */
  get isDirty(): boolean {
    return this.#isDirty
  }

  /** What waits to be handed over has grown: windows passed, or many events are late. */
  get isUrgent(): boolean {
    return this.#segments.length > 0 || this.#late.length >= 1_000
  }

  /** A partition that has delivered nothing yet. */
  addPartition(partition: number, now: EpochMs): void {
    if (this.#partitions.includes(partition)) return
    this.#partitions.push(partition)
    this.tracker.add(partition, now)
    this.#isDirty = true
  }

  removePartition(partition: number): void {
    const at = this.#partitions.indexOf(partition)
    if (at >= 0) this.#partitions.splice(at, 1)
    this.tracker.remove(partition)
  }

  load(blobs: readonly KeyBlob[]): void {
    for (const blob of blobs) this.metrics[blob.metric]?.load(blob)
  }

  /** Goes on where the state left off. */
  start({ view, watermarks, goneThrough }: LaneStart, now: EpochMs): void {
    this.tracker.restore(view.combined, watermarks, now)
    this.tracker.setOthers(view.others, view.combined)
    this.metrics.forEach((metric, index) => {
      metric.lifetime.restore(goneThrough[index] ?? Number.NEGATIVE_INFINITY)
    })
    this.#advancedTo = this.tracker.combined
    this.#boundary = this.#nextBoundary()
  }

  /** Counts a decoded batch. */
  apply(batch: DecodedBatch, partition: string, now: EpochMs): void {
    const { time, length } = batch
    this.#isDirty = true
    const starts = batch.metrics.map(() => 0)
    let mark = this.#sayMarks(batch, 0, 0, now)
    for (let from = 0; from < length; ) {
      const to = Math.min(this.#segmentEnd(batch, from), batch.marks[mark]?.event ?? length)
      let oldest = Number.POSITIVE_INFINITY
      let newest = Number.NEGATIVE_INFINITY
      for (let event = from; event < to; event++) {
        const at = time[event] as number
        if (at < oldest) oldest = at
        if (at > newest) newest = at
      }
      const origin = {
        partition,
        partitionHash: this.#partitionHash(partition),
        watermarkBefore: this.#watermarkBefore(batch, from),
      }
      this.metrics.forEach((metric, index) => {
        metric.touch(time, from, to, oldest, newest)
        const rows = batch.metrics[index]
        if (rows === undefined) return
        const first = starts[index] ?? 0
        let end = rows.length
        if (to < length) {
          end = first
          while (end < rows.length && (rows.event[end] as number) < to) end++
        }
        metric.add(batch, rows, first, end, origin, this.#late)
        starts[index] = end
      })
      this.tracker.observe(batch.partition, newest, now)
      this.#advance()
      from = to
      mark = this.#sayMarks(batch, mark, to, now)
    }
    if (this.#place.shuffled) this.#sendPackets(packetRows)
  }

  /** What metric `index` has to claim before the batch is applied; `apply` judges the same rows to be late. */
  claims(batch: DecodedBatch, partition: string, index: number): KeyClaims | undefined {
    const rows = batch.metrics[index]
    if (rows === undefined || rows.length === 0) return undefined
    const origin = {
      partition,
      partitionHash: this.#partitionHash(partition),
      watermarkBefore: this.#watermarkBefore(batch, 0),
    }
    const latest = this.tracker.combinedAfter(batch.partition, batch.maxTime)
    return this.metrics[index]?.claims(batch, rows, origin, latest)
  }

  /** Watermarks of records behind `events` events of the batch, from number `mark` on. @returns the next one */
  #sayMarks(
    { marks, partition }: DecodedBatch,
    mark: number,
    events: number,
    now: EpochMs,
  ): number {
    let next = mark
    for (let one = marks[next]; one !== undefined && one.event <= events; one = marks[++next]) {
      this.tracker.advance(partition, one.watermark, now)
      this.#advance()
    }
    return next
  }

  /** A watermark that the partition says itself. */
  advancePartition(partition: number, watermark: number, now: EpochMs): void {
    this.#isDirty = true
    this.tracker.advance(partition, watermark, now)
    this.#advance()
  }

  setIdle(partition: number, idle: boolean, now: EpochMs): void {
    this.#isDirty = true
    this.tracker.setIdle(partition, idle, now)
    this.#advance()
  }

  /** Processing time went by: partitions may have fallen idle. */
  tick(now: EpochMs, caughtUpAt: (partition: number) => EpochMs | undefined): void {
    const before = this.#partitions.map((partition) => this.tracker.isIdle(partition))
    this.tracker.probe(now, caughtUpAt)
    if (this.#partitions.some((one, index) => this.tracker.isIdle(one) !== before[index])) {
      this.#isDirty = true
    }
    this.#advance()
  }

  /** News of the other lanes. */
  learn(view: View): void {
    view.series.forEach((series, metric) => {
      for (const values of series) this.metrics[metric]?.dictionary.learn(values)
    })
    if (this.#place.lanes > 1) {
      this.tracker.setOthers(view.others, view.combined)
      this.#advance()
    }
    for (const metric of this.metrics) metric.drop(view.gone)
  }

  /** A message of another lane; returns a share of a checkpoint that it completed. */
  receive(from: number, message: BetweenLanes): BarrierAnswer | undefined {
    if (message.kind === 'applied') {
      this.#ahead[from] = (this.#ahead[from] ?? 0) - message.rows
      return undefined
    }
    if (this.#markers.has(from)) {
      this.#heldBack.push([from, message])
      return undefined
    }
    if (message.kind === 'marker') {
      this.#markers.add(from)
      return this.#aligned()
    }
    this.#count(from, message.packet)
    return undefined
  }

  /** Cuts for checkpoint `number`; returns its share, or undefined while the markers of other lanes are under way. */
  barrier(number: number): BarrierAnswer | undefined {
    this.#cut()
    this.#barrier = number
    if (this.#place.shuffled) {
      for (let lane = 0; lane < this.#place.lanes; lane++) {
        if (lane !== this.#place.lane) this.#send(lane, { kind: 'marker', number })
      }
    }
    return this.#aligned()
  }

  /** After the share of a checkpoint was handed over: counts what was held back. Returns the next share, if that completed one. */
  resume(): BarrierAnswer | undefined {
    const held = this.#heldBack
    this.#heldBack = []
    let answer: BarrierAnswer | undefined
    for (const [from, message] of held) answer = this.receive(from, message) ?? answer
    return answer
  }

  /** By metric: no row of these slices is judged anew, whatever is read again. */
  dropClaims(gone: readonly (readonly number[])[]): void {
    for (const [metric, slices] of gone.entries()) {
      if (slices.length > 0) void this.metrics[metric]?.shared?.drop(slices)
    }
  }

  /** Everything since the last call. */
  takeHandOver(now: EpochMs): HandOver {
    this.#cut()
    const segments = this.#segments
    const late = this.#late
    this.#segments = []
    this.#late = []
    this.#isDirty = false
    return {
      now,
      series: this.metrics.map((metric) => metric.takeSeries()),
      segments,
      applied: this.#applied.slice(),
      totals: this.metrics.map((metric) => metric.takeTotals()),
      late,
    }
  }

  #aligned(): BarrierAnswer | undefined {
    const number = this.#barrier
    const others = this.#place.shuffled ? this.#place.lanes - 1 : 0
    if (number === undefined || this.#markers.size < others) return undefined
    this.#barrier = undefined
    this.#markers.clear()
    return { number, blobs: this.metrics.flatMap((metric, index) => metric.takeChanges(index)) }
  }

  #count(from: number, packet: RowPacket): void {
    this.#isDirty = true
    packet.metrics.forEach((one, index) => {
      if (one !== undefined) this.metrics[index]?.addPacket(from, one)
    })
    this.#applied[from] = (this.#applied[from] ?? 0) + 1
    this.#send(from, { kind: 'applied', rows: packet.rows })
  }

  /** Packets that hold at least `least` rows are sent. */
  #sendPackets(least: number): void {
    for (let lane = 0; lane < this.#place.lanes; lane++) {
      let rows = 0
      for (const { outgoing } of this.metrics) rows += outgoing[lane]?.length ?? 0
      if (rows === 0 || rows < least) continue
      const metrics = this.metrics.map(({ outgoing }) => outgoing[lane]?.take())
      this.#sent[lane] = (this.#sent[lane] ?? 0) + 1
      this.#ahead[lane] = (this.#ahead[lane] ?? 0) + rows
      this.#send(lane, { kind: 'rows', packet: { rows, metrics } })
    }
  }

  /** Ends a segment: its rows and the watermarks behind them. */
  #cut(): void {
    if (this.#place.shuffled) this.#sendPackets(1)
    const mark: Mark = {
      view: this.tracker.combined,
      partitions: this.#partitions.map((index) => [index, this.tracker.snapshot(index)]),
      sent: this.#sent.slice(),
    }
    this.#segments.push({ metrics: this.metrics.map((metric) => metric.takeSegment()), mark })
  }

  #advance(): void {
    const watermark = this.tracker.combined
    if (watermark < this.#boundary || watermark === this.#advancedTo) return
    this.#advancedTo = watermark
    this.#boundary = this.#nextBoundary()
    this.#isDirty = true
    this.#cut()
    for (const metric of this.metrics) metric.forgetSlice()
  }

  /** One past the last event of the batch that can be counted before a window changes: it is the one that changes it. */
  #segmentEnd(batch: DecodedBatch, from: number): number {
    const { time, length, partition } = batch
    const reach = Number.isFinite(this.#advancedTo)
      ? this.tracker.timeToReach(this.#boundary, partition)
      : this.#firstReach(partition, time[from] as number)
    if (batch.maxTime < reach) return length
    let event = from
    while (event < length && (time[event] as number) < reach) event++
    return Math.min(event + 1, length)
  }

  /** Before the first watermark every event that gives one is on its own. */
  #firstReach(partition: number, at: number): number {
    const after = this.tracker.combinedAfter(partition, at)
    return Number.isFinite(after) ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  }

  /** Combined watermark just before an event of the segment that starts at `from`; asked in ascending order it is linear. */
  #watermarkBefore(batch: DecodedBatch, from: number): (event: number) => number {
    let next = from
    let newest = Number.NEGATIVE_INFINITY
    return (event) => {
      if (event < next) {
        next = from
        newest = Number.NEGATIVE_INFINITY
      }
      for (; next < event; next++) newest = Math.max(newest, batch.time[next] as number)
      if (newest === Number.NEGATIVE_INFINITY) return this.tracker.combined
      return this.tracker.combinedAfter(batch.partition, newest)
    }
  }

  #nextBoundary(): number {
    let boundary = Number.POSITIVE_INFINITY
    for (const { lifetime } of this.metrics) {
      boundary = Math.min(boundary, lifetime.nextBoundary(this.#advancedTo))
    }
    return boundary
  }

  #partitionHash(partition: string): number {
    const known = this.#partitionHashes.get(partition)
    if (known !== undefined) return known
    let hash = 0x811c9dc5
    for (const character of `${this.#plan.source}/${partition}`) {
      hash = positionHash(hash, character.codePointAt(0) ?? 0)
    }
    this.#partitionHashes.set(partition, hash)
    return hash
  }
}
