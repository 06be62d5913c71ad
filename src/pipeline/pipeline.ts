import { WardenError } from '../core/errors.ts'
import type { Pane } from '../core/pane.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { Clock, Telemetry } from '../core/telemetry.ts'
import type { EpochMs } from '../core/time.ts'
import type { SideOutput } from '../ingest/side-output.ts'
import { type PointOptions, pointsOf } from '../sink/data-point.ts'
import type { Outbox } from '../sink/outbox.ts'
import type { CheckpointContent, Checkpointer } from './checkpointer.ts'
import { lateRecord } from './late-record.ts'
import type { PipelineInput } from './pipeline-input.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'
import { saveSource } from './source-state.ts'

/** Processing time between looks at idleness, early panes and the metrics. */
const tickMs = 200
/** Late panes wait this long for more of their kind. */
const lateFlushMs = 1_000
/** New dedup entries that make a checkpoint due before its time. */
const maxChangedKeys = 100_000
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
  /** Lets waiting I/O run; resolves soon. */
  readonly yieldToIo: () => Promise<void>
  /** Called with the panes of a checkpoint once it is durable. */
  readonly onPanes: (panes: readonly Pane[]) => void
}

/** Reason of an abort that only ends a wait; one object, as a new DOMException each time costs a stack trace. */
const waited = new Error('waited')

/** Keys of the marks of the side outputs in the state. */
export const sideOutputKeys = { dead: 'side/dead', late: 'side/late' } as const

/**
 * Sources to outbox: counts batches, keeps time, takes checkpoints. Everything a checkpoint holds is collected at one
 * instant between two batches; nothing is published before it is durable.
 */
export class Pipeline {
  readonly #parts: PipelineParts
  readonly #clock: Clock
  readonly #metrics: PipelineMetrics
  #opened = false
  #tickedAt: EpochMs | undefined
  #lateSince: EpochMs | undefined
  #blockedSince: EpochMs | undefined

  constructor(parts: PipelineParts) {
    this.#parts = parts
    this.#clock = parts.telemetry.clock
    this.#metrics = parts.metrics
  }

  /** The sources have said where they stand. */
  get opened(): boolean {
    return this.#opened
  }

  /**
   * Runs until every source has ended (`ended`) or `stop` is aborted (`stopped`); both leave a final checkpoint.
   * @throws WardenError from a source, the decoder, or when too many checkpoints failed; nothing is committed then
   */
  async run(stop: AbortSignal): Promise<'ended' | 'stopped'> {
    const { inputs, checkpointer } = this.#parts
    this.#opened = await this.#open(stop)
    if (!this.#opened) return 'stopped'
    for (;;) {
      const now = this.#clock.now()
      checkpointer.check()
      const worked = !this.#isBlocked(now) && this.#step(now)
      if (this.#isTickDue(now, worked)) this.#tick(now)
      if (this.#isCheckpointDue(now)) checkpointer.start((number) => this.#collect(number))
      if (stop.aborted || inputs.every((input) => input.ended)) break
      if (worked) await this.#parts.yieldToIo()
      else await this.#wait(stop)
    }
    await this.checkpoint()
    return stop.aborted ? 'stopped' : 'ended'
  }

  /** A source that has ended is never waited for: it would say at once that there is something, again and again. */
  #isTickDue(now: EpochMs, worked: boolean): boolean {
    if (this.#tickedAt === undefined || now - this.#tickedAt >= tickMs) return true
    return !worked && this.#parts.inputs.some((input) => !input.ended && input.source.ended())
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

  /** Takes at most one batch of every source. */
  #step(now: EpochMs): boolean {
    let worked = false
    for (const input of this.#parts.inputs) {
      if (!input.ended && input.step(now)) worked = true
      if (input.lane.panes.length > 0) this.#parts.checkpointer.request()
      this.#setAsideLate(input)
    }
    if (worked) this.#judgeDeadLetters()
    return worked
  }

  #tick(now: EpochMs): void {
    this.#tickedAt = now
    for (const input of this.#parts.inputs) {
      input.tick(now)
      if (input.lane.panes.length > 0) this.#parts.checkpointer.request()
    }
    this.#noteLate(now)
    this.#metrics.update(this.#parts, now)
  }

  #noteLate(now: EpochMs): void {
    const late = this.#parts.inputs.some(({ lane }) =>
      lane.metrics.some((metric) => metric.operator.hasLate()),
    )
    if (!late) this.#lateSince = undefined
    else if (this.#lateSince === undefined) this.#lateSince = now
    else if (now - this.#lateSince >= lateFlushMs) this.#parts.checkpointer.request()
  }

  #isCheckpointDue(now: EpochMs): boolean {
    const { checkpointer, inputs } = this.#parts
    if (checkpointer.running) return false
    let changed = 0
    for (const { lane } of inputs) for (const metric of lane.metrics) changed += metric.changedKeys
    if (changed >= maxChangedKeys) checkpointer.request()
    return checkpointer.isDue(now)
  }

  /** A bounded buffer is full: nothing more is taken until it has drained. */
  #isBlocked(now: EpochMs): boolean {
    const { outbox, deadLetters, lateEvents, checkpointer } = this.#parts
    const side = deadLetters.pendingBytes() + lateEvents.pendingBytes()
    const blocked = outbox.full() || side >= maxPendingSideBytes
    if (side >= maxPendingSideBytes) checkpointer.request()
    this.#blockedSince = this.#metrics.blocked(blocked, this.#blockedSince, now)
    return blocked
  }

  /** Until a source has something, or the next tick. */
  async #wait(stop: AbortSignal): Promise<void> {
    const over = new AbortController()
    const end = () => over.abort(waited)
    stop.addEventListener('abort', end, { once: true })
    const cancel = this.#clock.after(tickMs, end)
    const blocked = this.#blockedSince !== undefined
    const waiting = blocked
      ? []
      : this.#parts.inputs
          .filter((input) => !input.ended)
          .map(({ source }) => source.ready(over.signal))
    const timeout = new Promise<void>((resolve) => {
      over.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    try {
      await Promise.race([...waiting, timeout])
    } catch (error) {
      if (!over.signal.aborted) throw error
    } finally {
      cancel()
      over.abort(waited)
      stop.removeEventListener('abort', end)
      await Promise.allSettled(waiting)
    }
  }

  /** At once, so that they count against the bound of what waits for its file. */
  #setAsideLate({ lane, source }: PipelineInput): void {
    if (lane.late.length === 0) return
    for (const event of lane.takeLate()) {
      this.#parts.lateEvents.append(lateRecord(source.name, event))
    }
  }

  #judgeDeadLetters(): void {
    const { maxDeadLetterRate } = this.#parts
    if (maxDeadLetterRate === undefined) return
    for (const { source, recent } of this.#parts.inputs) {
      const { records, dead } = recent
      if (records < minJudgedRecords || dead <= records * maxDeadLetterRate) continue
      throw new WardenError(
        'too_many_dead_letters',
        `${Math.round(dead)} of the last ${Math.round(records)} records of ${source.name} are dead letters, more than deadLetters.maxRate allows; see their reasons in the dead-letter output`,
      )
    }
  }

  /** Everything at this instant, for one checkpoint. */
  #collect(number: number): CheckpointContent {
    const { inputs, outbox, points } = this.#parts
    const now = this.#clock.now()
    const operations: StateOperation[][] = []
    let panes: readonly Pane[] = []
    for (const input of inputs) {
      const { lane, states, totals } = input
      lane.flushLate()
      panes = panes.concat(lane.takePanes())
      this.#setAsideLate(input)
      for (const state of states) operations.push(state.takeChanges(number))
      operations.push([saveSource(lane, input.positions(), totals)])
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
          void input.source.checkpointed(positions[index] ?? new Map()).catch((error: unknown) => {
            const fields = { err: error, source: input.source.name }
            this.#parts.telemetry.logger.warn(fields, 'telling the source of a checkpoint failed')
          })
        })
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
