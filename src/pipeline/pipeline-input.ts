import { asWardenError, WardenError } from '../core/errors.ts'
import type { StateStore } from '../core/state-store.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import type { KeyQuestion } from '../enrich/key-question.ts'
import type { KeyResolver } from '../enrich/key-resolver.ts'
import type { SideOutput } from '../ingest/side-output.ts'
import type { PartitionPosition, PartitionStatus } from '../ingest/source.ts'
import { type LaneLayout, layoutText } from './lanes/lane-layout.ts'
import type { LaneLink } from './lanes/lane-link.ts'
import type { FromLane, InputReport, LaneTimes, View } from './lanes/lane-messages.ts'
import { LaneSetup } from './lanes/lane-setup.ts'
import type { MetricState } from './metric-state.ts'
import { RecentRecords } from './recent-records.ts'
import type { PartitionToSave, RestoredSource, SourceTotals } from './source-state.ts'
import type { SourceWindows } from './source-windows.ts'

export interface InputParts {
  readonly windows: SourceWindows
  readonly states: readonly MetricState[]
  readonly lanes: readonly LaneLink[]
  readonly layout: LaneLayout
  /** See `RestoredSource.mixedUntil`. */
  readonly mixedUntil?: number | undefined
  readonly store: StateStore
  readonly deadLetters: SideOutput
  /** What keys of its lanes stand for; undefined where nothing is looked up. */
  readonly keys?: KeyResolver | undefined
  readonly restored: RestoredSource | undefined
  /** Metrics that the state knew nothing of when the source already had a position. */
  readonly newMetrics: ReadonlySet<string>
}

type Counted = Extract<FromLane, { kind: 'counted' }>

const noTimes: LaneTimes = { busy: 0, idle: 0, backPressured: 0 }

/** What the main half knows of one lane. */
interface LaneState {
  readonly link: LaneLink
  report: InputReport | undefined
  /** Where its time went since that was asked. */
  times: LaneTimes
  /** Index of a partition of the report among all. */
  readonly partitions: number[]
  /** It gave its share of the checkpoint under way; what came since belongs to the next one. */
  hasAnswered: boolean
  heldBack: Counted[]
  /** Text of the view it was told last. */
  told: string
}

/** One source on its way into its windows: lanes read, decode and count; here their hand-overs are put together. */
export class PipelineInput {
  readonly windows: SourceWindows
  readonly states: readonly MetricState[]
  readonly layout: string
  readonly mixedUntil: number | undefined
  readonly totals: SourceTotals
  readonly recent = new RecentRecords()
  ended = false
  /** Called after every message of a lane. */
  onChange: () => void = () => {}
  /** What broke; the pipeline ends with it. */
  failure: WardenError | undefined
  readonly #parts: InputParts
  readonly #lanes: readonly LaneState[]
  readonly #setup: LaneSetup
  readonly #statuses: PartitionStatus[] = []
  readonly #lost = new Map<string, { readonly from: EpochMs; readonly to: EpochMs }>()
  readonly #stopped = new AbortController()
  /** Partitions that wait for others. */
  readonly #held = new Set<number>()
  #isPaused = false
  /** From `cut` to `release`. */
  #isCutting = false

  constructor(parts: InputParts) {
    this.#parts = parts
    this.windows = parts.windows
    this.states = parts.states
    this.layout = layoutText(parts.layout)
    this.mixedUntil = parts.mixedUntil
    this.totals = parts.restored?.totals ?? { records: 0, dead: {} }
    this.#lanes = parts.lanes.map((link) => ({
      link,
      report: undefined,
      times: noTimes,
      partitions: [],
      hasAnswered: true,
      heldBack: [],
      told: '',
    }))
    this.#setup = new LaneSetup(parts.lanes, parts.layout)
    parts.lanes.forEach((link, lane) => {
      link.onMessage = (message) => this.#receive(lane, message)
    })
  }

  get name(): string {
    return this.windows.plan.source
  }

  /** Largest record timestamp seen; 0 when the source gives none. */
  get lastRecordTimestamp(): number {
    return Math.max(0, ...this.reports.map((one) => one.lastRecordTimestamp))
  }

  /** The latest report of every lane that gave one. */
  get reports(): readonly InputReport[] {
    return this.#lanes.flatMap(({ report }) => report ?? [])
  }

  /** By lane: where its time went since the last call. */
  takeLaneTimes(): readonly LaneTimes[] {
    return this.#lanes.map((lane) => {
      const { times } = lane
      lane.times = noTimes
      return times
    })
  }

  /** Dedup entries that the next checkpoint must write. */
  get changedKeys(): number {
    return this.reports.reduce((keys, { changedKeys }) => keys + changedKeys, 0)
  }

  /** Every lane gave its share of the checkpoint that was asked for last. */
  get isCut(): boolean {
    return this.#lanes.every(({ hasAnswered }) => hasAnswered)
  }

  /** All partitions known, in a stable order. */
  partitions(): readonly PartitionStatus[] {
    return this.#statuses
  }

  /** Opens the source where the checkpoint left it, and starts its lanes. */
  async open(now: EpochMs): Promise<void> {
    const { windows, restored, states, store } = this.#parts
    const positions = restored?.positions ?? new Map<string, PartitionPosition>()
    const series = windows.metrics.map(({ dictionary }) =>
      Array.from({ length: dictionary.size }, (_, id) => dictionary.valuesOf(id)),
    )
    const opened = await this.#setup.open(positions, series)
    for (const [lane, statuses] of opened.entries()) {
      for (const status of statuses) this.#register(lane, status, now)
    }
    const indices = new Map(this.#statuses.map(({ name }, index) => [name, index]))
    restored?.restoreWatermarks(windows, (name) => indices.get(name), now)
    this.#markNewMetrics(now)
    for (const { name, readFrom } of this.#statuses) this.#markUnread(name, readFrom)
    await this.#setup.load(states, windows.metrics, store)
    this.#startLanes()
  }

  /** Time went by: early panes are due, and partitions that are far ahead wait for the others. */
  tick(now: EpochMs): void {
    this.windows.tick(now)
    this.#align()
  }

  /** Nothing is read while it is so. */
  pause(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    for (const { link } of this.#lanes) link.send({ kind: 'pause', paused: isPaused })
  }

  /** Cuts every lane for checkpoint `number`; `isCut` tells when that is done. @param last nothing is read after it */
  cut(number: number, last: boolean): void {
    this.#isCutting = true
    for (const lane of this.#lanes) lane.hasAnswered = false
    for (const { link } of this.#lanes) link.send({ kind: 'barrier', number, last })
  }

  /** The checkpoint was collected: what lanes handed over since their cut is counted. */
  release(): void {
    this.#isCutting = false
    for (const [index, lane] of this.#lanes.entries()) {
      const held = lane.heldBack
      lane.heldBack = []
      for (const message of held) this.#take(index, message)
    }
    this.#tellLanes()
  }

  /** Where every partition stands, for the checkpoint. */
  positions(): PartitionToSave[] {
    return this.#statuses.map(({ name, position }, index) => ({ index, name, position }))
  }

  /** By metric: slices that the checkpoint collected now is without, and earlier ones that failed. */
  goneClaims(): readonly (readonly number[])[] {
    return this.windows.metrics.map(({ goneClaims }) => goneClaims.slice())
  }

  /** The checkpoint with these positions, and without the claims of these slices, is durable. */
  checkpointed(
    positions: ReadonlyMap<string, PartitionPosition>,
    gone: readonly (readonly number[])[] = [],
  ): void {
    for (const [index, slices] of gone.entries()) {
      this.windows.metrics[index]?.goneClaims.splice(0, slices.length)
    }
    for (const [lane, { link }] of this.#lanes.entries()) {
      // One lane speaks for all: what is claimed elsewhere is common to them.
      link.send({ kind: 'checkpointed', positions, gone: lane === 0 ? gone : undefined })
    }
  }

  positionsByName(): ReadonlyMap<string, PartitionPosition> {
    return new Map(this.positions().map(({ name, position }) => [name, position]))
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('stopped'))
    await Promise.all(this.#lanes.map(({ link }) => link.stop()))
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map(({ link }) => link.close()))
  }

  #receive(lane: number, message: FromLane): void {
    try {
      if (message.kind === 'counted') this.#counted(lane, message)
      else if (message.kind === 'ask') {
        void this.#resolve(lane, message.number, message.questions)
        return
      } else if (message.kind === 'failed') this.failure ??= asWardenError(message.error)
      this.#setup.receive(lane, message)
    } catch (error) {
      this.failure ??= asWardenError(error)
    }
    this.onChange()
  }

  /** Tells a lane what keys stand for; it holds its batch meanwhile. */
  async #resolve(lane: number, number: number, questions: readonly KeyQuestion[]): Promise<void> {
    const { keys } = this.#parts
    const { signal } = this.#stopped
    try {
      if (keys === undefined) throw new WardenError('internal', 'nothing is looked up here')
      const answers = await keys.resolve(questions, signal)
      if (!signal.aborted) this.#lanes[lane]?.link.send({ kind: 'answer', number, answers })
    } catch (error) {
      if (signal.aborted) return
      this.failure ??= asWardenError(error)
      this.onChange()
    }
  }

  #counted(index: number, message: Counted): void {
    const lane = this.#lanes[index]
    if (lane === undefined) return
    lane.link.send({ kind: 'taken' })
    // What comes behind a lane's cut belongs to the next checkpoint.
    if (this.#isCutting && lane.hasAnswered) {
      lane.heldBack.push(message)
      return
    }
    this.#take(index, message)
    this.#tellLanes()
  }

  #take(index: number, { handOver, report, barrier, ended }: Counted): void {
    const lane = this.#lanes[index]
    if (lane === undefined) return
    this.#report(index, lane, report, epochMs(handOver.now))
    this.windows.receive(index, handOver)
    if (ended) this.windows.endLane(index)
    this.ended = this.windows.hasEnded
    if (barrier === undefined) return
    this.windows.addBlobs(index, barrier)
    lane.hasAnswered = true
  }

  #report(index: number, lane: LaneState, report: InputReport, now: EpochMs): void {
    lane.report = report
    lane.times = {
      busy: lane.times.busy + report.times.busy,
      idle: lane.times.idle + report.times.idle,
      backPressured: lane.times.backPressured + report.times.backPressured,
    }
    this.totals.records += report.records
    this.recent.add(report.records, report.deadRecords)
    for (const { reason, key, json } of report.dead) {
      this.totals.dead[reason] = (this.totals.dead[reason] ?? 0) + 1
      this.#parts.deadLetters.append({ key, json })
    }
    for (const [own, status] of report.partitions.entries()) {
      const known = lane.partitions[own]
      if (known === undefined) {
        this.#register(index, status, now)
        this.#markUnread(status.name, status.readFrom)
      } else this.#statuses[known] = status
      this.#noticeLoss(status)
    }
  }

  #register(lane: number, status: PartitionStatus, now: EpochMs): void {
    const index = this.#statuses.length
    this.#statuses.push(status)
    this.#lanes[lane]?.partitions.push(index)
    this.windows.addPartition(lane, index, now)
  }

  #noticeLoss({ name, lost }: PartitionStatus): void {
    const known = this.#lost.get(name)
    if (lost === undefined || (known?.from === lost.from && known.to === lost.to)) return
    this.#lost.set(name, lost)
    this.#markMissing(lost.from, lost.to)
  }

  /** What lay in a partition before it was read is missing. */
  #markUnread(name: string, readFrom: EpochMs): void {
    if (this.#parts.restored?.positions.has(name)) return
    this.#markMissing(Number.NEGATIVE_INFINITY, readFrom)
  }

  #markMissing(from: number, to: number): void {
    if (to === Number.NEGATIVE_INFINITY) return
    for (const metric of this.windows.metrics) metric.operator.markMissing(from, to)
  }

  /** A metric that joins later has not seen the windows that had begun. */
  #markNewMetrics(now: EpochMs): void {
    const { restored, newMetrics } = this.#parts
    if (restored === undefined || restored.positions.size === 0) return
    const { tracker, plan, metrics } = this.windows
    let newest = Number.NEGATIVE_INFINITY
    for (const index of this.#statuses.keys()) {
      newest = Math.max(newest, tracker.watermarkOf(index))
    }
    if (!Number.isFinite(newest)) return
    // Events may be far ahead of the watermarks that records say, but not of the clock.
    const newestEvent =
      plan.watermark.marks === undefined
        ? newest + plan.watermark.outOfOrderness + 1
        : now + plan.maxFutureSkew
    for (const metric of metrics) {
      if (!newMetrics.has(metric.plan.name)) continue
      metric.operator.markMissing(Number.NEGATIVE_INFINITY, newestEvent + 1)
    }
  }

  #startLanes(): void {
    const { restored, windows } = this.#parts
    const goneThrough = windows.metrics.map(({ operator }) => operator.lifetime.goneThrough)
    const starts = this.#lanes.map(({ partitions }, lane) => ({
      view: windows.viewFor(lane, []),
      watermarks: partitions.flatMap((index, own) => {
        const name = this.#statuses[index]?.name ?? ''
        const watermark = restored?.watermarkOf(name)
        return watermark === undefined ? [] : [[own, watermark] as const]
      }),
      goneThrough,
    }))
    for (const [lane, start] of starts.entries()) {
      this.#lanes[lane]?.link.send({ kind: 'start', start })
    }
  }

  /** News for lanes: what the others' partitions say, what is gone, and series that others met. */
  #tellLanes(): void {
    const { windows } = this.#parts
    const fresh: View['series'] = windows.freshSeries.map((series) => series.splice(0))
    const isAlone = this.#lanes.length === 1
    const hasFresh = !isAlone && fresh.some((series) => series.length > 0)
    for (const [index, lane] of this.#lanes.entries()) {
      const view = windows.viewFor(index, isAlone ? [] : fresh)
      const { minimum, maximum, active } = view.others
      const text = isAlone
        ? `${view.gone}`
        : `${view.combined} ${minimum} ${maximum} ${active} ${view.gone}`
      if (text === lane.told && !hasFresh) continue
      lane.told = text
      lane.link.send({ kind: 'view', view })
    }
  }

  /** Partitions far ahead in event time wait for the others; the slowest that is not idle never does, so that one can always go on. */
  #align(): void {
    const { tracker, plan } = this.windows
    const { maxDrift } = plan.watermark
    const { slowest } = tracker
    if (!Number.isFinite(maxDrift) || !Number.isFinite(slowest)) return
    for (const { link, partitions } of this.#lanes) {
      for (const [own, index] of partitions.entries()) {
        const held = tracker.watermarkOf(index) - slowest > maxDrift
        if (held === this.#held.has(index)) continue
        if (held) this.#held.add(index)
        else this.#held.delete(index)
        link.send({ kind: 'hold', partition: own, held })
      }
    }
  }
}
