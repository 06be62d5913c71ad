import { WardenError } from '../core/errors.ts'
import type { JobEvidence, SinkEvidence, WindowClosing } from '../core/evidence.ts'
import type { Pane } from '../core/pane.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { Clock, Telemetry } from '../core/telemetry.ts'
import type { EpochMs } from '../core/time.ts'
import type { SideOutput } from '../ingest/side-output.ts'
import { Wakeup } from '../ingest/wakeup.ts'
import { type PointOptions, pointsOf } from '../sink/data-point.ts'
import type { Outbox } from '../sink/outbox.ts'
import type { CheckpointCompanion } from './checkpoint-companion.ts'
import type { CheckpointContent, Checkpointer } from './checkpointer.ts'
import { jobEvidence } from './job-evidence.ts'
import { lateRecord } from './late-record.ts'
import type { PipelineInput } from './pipeline-input.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'
import { saveSource } from './source-state.ts'

/** Processing time between looks at idleness, early panes and the metrics. */
const tickMs = 200
/** Late panes wait this long for more of their kind. */
const lateFlushMs = 1_000
/** New dedup entries that make a checkpoint due before its time. */
const maxChangedKeys = 1_000_000
/** Dead letters and late events held in memory before the pipeline waits for their file. */
const maxPendingSideBytes = 64 * 2 ** 20
/** Records from which on the share of dead letters is judged. */
const minJudgedRecords = 1_000

export interface PipelineParts {
  readonly inputs: readonly PipelineInput[]
  readonly store: StateStore
  readonly checkpointer: Checkpointer
  readonly outbox: Outbox
  readonly points: PointOptions
  readonly deadLetters: SideOutput
  readonly lateEvents: SideOutput
  /** Share of dead letters at which the pipeline stops; undefined: never. */
  readonly maxDeadLetterRate: number | undefined
  readonly telemetry: Telemetry
  /** Lives as long as the process: a pipeline that is built anew goes on with the same counters. */
  readonly metrics: PipelineMetrics
  /** Decide on the panes of a checkpoint, and write what they decided along with them. */
  readonly companions: readonly CheckpointCompanion[]
  /** What is known of the sinks now. */
  readonly sinks: () => readonly SinkEvidence[]
  /** Aborted when this process may not act any more: the pipeline ends at once, and commits nothing. Never unless given. */
  readonly lost?: AbortSignal | undefined
  /** Called with the panes of a checkpoint once it is durable. */
  readonly onPanes: (panes: readonly Pane[]) => void
}

/** Keys of the marks of the side outputs in the state. */
export const sideOutputKeys = { dead: 'side/dead', late: 'side/late' } as const

/** A checkpoint on its way from the decision to take it to the cut of the last lane. */
interface Cut {
  readonly begunAt: EpochMs
}

/**
 * Sources to outbox: puts together what lanes counted, keeps time, takes checkpoints. For a checkpoint every lane is cut; when
 * the last one has answered everything is collected at one instant, and nothing is published before it is durable.
 */
export class Pipeline {
  readonly #parts: PipelineParts
  readonly #clock: Clock
  readonly #metrics: PipelineMetrics
  readonly #wakeup = new Wakeup()
  #opened = false
  #tickedAt: EpochMs | undefined
  #lateSince: EpochMs | undefined
  #blockedSince: EpochMs | undefined
  #cuts = 0
  #cut: Cut | undefined
  /** The cut is the lanes' last: `checkpoint` collects it. */
  #isLast = false
  /** What broke in the middle of a lane's message. */
  #failure: unknown

  constructor(parts: PipelineParts) {
    this.#parts = parts
    this.#clock = parts.telemetry.clock
    this.#metrics = parts.metrics
    for (const input of parts.inputs) input.onChange = () => this.#changed(input)
  }

  /** The sources have said where they stand. */
  get opened(): boolean {
    return this.#opened
  }

  /**
   * Runs until every source has ended (`ended`) or `stop` is aborted (`stopped`); both leave a final checkpoint.
   * @throws WardenError from a lane, when too many checkpoints failed, or the reason of `lost`; nothing is committed then
   */
  async run(stop: AbortSignal): Promise<'ended' | 'stopped'> {
    const { lost } = this.#parts
    const wake = () => this.#wakeup.notify()
    stop.addEventListener('abort', wake, { once: true })
    lost?.addEventListener('abort', wake, { once: true })
    try {
      this.#opened = await this.#open(lost === undefined ? stop : AbortSignal.any([stop, lost]))
      lost?.throwIfAborted()
      if (!this.#opened) return 'stopped'
      await this.#runOpened(stop)
      return stop.aborted ? 'stopped' : 'ended'
    } finally {
      stop.removeEventListener('abort', wake)
      lost?.removeEventListener('abort', wake)
      await Promise.all(this.#parts.inputs.map((input) => input.stop()))
    }
  }

  async #runOpened(stop: AbortSignal): Promise<void> {
    const { inputs } = this.#parts
    while (!stop.aborted && !inputs.every((input) => input.ended)) {
      this.#check()
      const now = this.#clock.now()
      this.#pauseWhereFull(now)
      if (this.#tickedAt === undefined || now - this.#tickedAt >= tickMs) this.#tick(now)
      if (this.#isCheckpointDue(now)) this.#cutLanes(false)
      await this.#wait()
    }
    // The lanes' last cut: after it nothing is read.
    while (this.#cut !== undefined) await this.#waitForLanes()
    this.#cutLanes(true)
    while (this.#cut !== undefined) await this.#waitForLanes()
    await this.checkpoint()
  }

  /** Opens every source; false when told to stop before that was done: then there is nothing to commit. */
  async #open(stop: AbortSignal): Promise<boolean> {
    const now = this.#clock.now()
    const opened = Promise.all(this.#parts.inputs.map((input) => input.open(now)))
    const stopped = new Promise<false>((resolve) => {
      if (stop.aborted) resolve(false)
      else stop.addEventListener('abort', () => resolve(false), { once: true })
    })
    // A source that fails after the stop fails nobody.
    opened.catch(() => {})
    return Promise.race([opened.then(() => true), stopped])
  }

  /** @throws WardenError what broke */
  #check(): void {
    this.#parts.lost?.throwIfAborted()
    this.#parts.checkpointer.check()
    for (const { failure } of this.#parts.inputs) if (failure !== undefined) throw failure
    if (this.#failure !== undefined) throw this.#failure
  }

  /** A lane said something, and its rows are counted. */
  #changed(input: PipelineInput): void {
    try {
      if (input.windows.panes.length > 0) this.#parts.checkpointer.request()
      this.#setAsideLate(input)
      this.#judgeDeadLetters()
      this.#collectIfCut()
    } catch (error) {
      this.#failure ??= error
    }
    this.#wakeup.notify()
  }

  #tick(now: EpochMs): void {
    this.#tickedAt = now
    const { inputs, companions, checkpointer } = this.#parts
    for (const input of inputs) {
      input.tick(now)
      if (input.windows.panes.length > 0) checkpointer.request()
    }
    this.#noteLate(now)
    if (companions.length > 0) {
      const evidence = this.#evidence(now)
      for (const one of companions) if (one.isDue(evidence)) checkpointer.request()
    }
    this.#metrics.update(this.#parts, now)
  }

  #noteLate(now: EpochMs): void {
    const late = this.#parts.inputs.some(({ windows }) =>
      windows.metrics.some((metric) => metric.operator.hasLate()),
    )
    if (!late) this.#lateSince = undefined
    else if (this.#lateSince === undefined) this.#lateSince = now
    else if (now - this.#lateSince >= lateFlushMs) this.#parts.checkpointer.request()
  }

  #isCheckpointDue(now: EpochMs): boolean {
    const { checkpointer, inputs } = this.#parts
    if (checkpointer.running) return false
    if (this.#cut !== undefined) {
      this.#judgeCut(this.#cut, now)
      return false
    }
    const changed = inputs.reduce((keys, input) => keys + input.changedKeys, 0)
    if (changed >= maxChangedKeys) checkpointer.request()
    return checkpointer.isDue(now)
  }

  /** Begins a checkpoint. */
  #cutLanes(last: boolean): void {
    const number = ++this.#cuts
    this.#cut = { begunAt: this.#clock.now() }
    this.#isLast = last
    for (const input of this.#parts.inputs) input.cut(number, last)
    this.#collectIfCut()
  }

  /** When the last lane was cut, everything is of one instant. */
  #collectIfCut(): void {
    const { inputs, checkpointer } = this.#parts
    if (this.#cut === undefined || !inputs.every((input) => input.isCut)) return
    this.#cut = undefined
    if (!this.#isLast) checkpointer.start((number) => this.#collect(number))
    for (const input of inputs) input.release()
  }

  #judgeCut({ begunAt }: Cut, now: EpochMs): void {
    const waitedMs = now - begunAt
    if (waitedMs <= this.#parts.checkpointer.timeoutMs) return
    throw new WardenError(
      'checkpoint_timeout',
      `a lane did not answer to a checkpoint within ${waitedMs / 1000} s`,
    )
  }

  async #waitForLanes(): Promise<void> {
    this.#check()
    if (this.#cut !== undefined) this.#judgeCut(this.#cut, this.#clock.now())
    await this.#wait()
  }

  /** A bounded buffer is full: nothing more is taken until it has drained. */
  #pauseWhereFull(now: EpochMs): void {
    const { outbox, deadLetters, lateEvents, checkpointer, inputs } = this.#parts
    const side = deadLetters.pendingBytes() + lateEvents.pendingBytes()
    const blocked = outbox.full() || side >= maxPendingSideBytes
    if (side >= maxPendingSideBytes) checkpointer.request()
    this.#blockedSince = this.#metrics.blocked(blocked, this.#blockedSince, now)
    for (const input of inputs) input.pause(blocked)
  }

  /** Until a lane said something, it is to stop, or the next tick. */
  async #wait(): Promise<void> {
    const cancel = this.#clock.after(tickMs, () => this.#wakeup.notify())
    try {
      await this.#wakeup.wait()
    } finally {
      cancel()
    }
  }

  /** At once, so that they count against the bound of what waits for its file. */
  #setAsideLate({ windows, name }: PipelineInput): void {
    if (windows.late.length === 0) return
    for (const event of windows.takeLate()) {
      this.#parts.lateEvents.append(lateRecord(name, event))
    }
  }

  #judgeDeadLetters(): void {
    const { maxDeadLetterRate } = this.#parts
    if (maxDeadLetterRate === undefined) return
    for (const { name, recent } of this.#parts.inputs) {
      const { records, dead } = recent
      if (records < minJudgedRecords || dead <= records * maxDeadLetterRate) continue
      throw new WardenError(
        'too_many_dead_letters',
        `${Math.round(dead)} of the last ${Math.round(records)} records of ${name} are dead letters, more than deadLetters.maxRate allows; see their reasons in the dead-letter output`,
      )
    }
  }

  #evidence(now: EpochMs): JobEvidence {
    const { inputs, sinks, checkpointer } = this.#parts
    return jobEvidence(inputs, sinks(), checkpointer.succeededAt, now)
  }

  /** Everything at this instant, for one checkpoint. */
  #collect(number: number): CheckpointContent {
    const { inputs, outbox, points, companions } = this.#parts
    const now = this.#clock.now()
    const operations: StateOperation[][] = []
    let panes: readonly Pane[] = []
    let closings: readonly WindowClosing[] = []
    for (const input of inputs) {
      const { windows, states, totals, layout, mixedUntil } = input
      windows.flushLate()
      panes = panes.concat(windows.takePanes())
      closings = closings.concat(windows.takeClosings())
      this.#setAsideLate(input)
      for (const state of states) operations.push(state.takeChanges(number, layout))
      operations.push([saveSource(windows, input.positions(), totals, mixedUntil)])
    }
    if (companions.length > 0) {
      const evidence = this.#evidence(now)
      for (const one of companions) operations.push([...one.collect(panes, closings, evidence)])
    }
    this.#lateSince = undefined
    operations.push(
      outbox.append(
        panes.flatMap((pane) => pointsOf(pane, points)),
        now,
      ),
    )
    operations.push(outbox.cursorOperations())
    const end = outbox.end
    const positions = inputs.map((input) => input.positionsByName())
    const gone = inputs.map((input) => input.goneClaims())
    return {
      operations: operations.flat(),
      marks: this.#flushSideOutputs(),
      committed: () => {
        if (panes.length > 0) {
          this.#parts.telemetry.logger.debug({ panes: panes.length }, 'panes committed')
        }
        outbox.committed(end)
        this.#metrics.emitted(panes, now)
        this.#parts.onPanes(panes)
        inputs.forEach((input, index) => {
          input.checkpointed(positions[index] ?? new Map(), gone[index])
        })
        for (const one of companions) one.committed()
      },
    }
  }

  /** A checkpoint now; what was counted, and what sinks acknowledged, is durable when it is done. */
  async checkpoint(): Promise<void> {
    // Before the sources said where they stand there is nothing that may replace the last checkpoint.
    if (!this.#opened) return
    await this.#parts.checkpointer.complete((number) => this.#collect(number))
  }

  /** Resolves when neither output writes any more, also when one failed: what comes later belongs to the next checkpoint. */
  async #flushSideOutputs(): Promise<StateOperation[]> {
    const { deadLetters, lateEvents } = this.#parts
    const flushed = await Promise.allSettled([deadLetters.flush(), lateEvents.flush()])
    return flushed.map((mark, index) => {
      if (mark.status === 'rejected') throw mark.reason
      const key = index === 0 ? sideOutputKeys.dead : sideOutputKeys.late
      return { kind: 'put', key, value: Buffer.from(mark.value) }
    })
  }
}
