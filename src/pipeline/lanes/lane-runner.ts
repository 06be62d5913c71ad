import { type BatchPreparer, preparersInTurn } from '../../core/batch-preparer.ts'
import { asWardenError, WardenError } from '../../core/errors.ts'
import { createDecodedBatch, type DecodedBatch } from '../../core/rows.ts'
import { SeriesDictionary } from '../../core/series.ts'
import type { Clock } from '../../core/telemetry.ts'
import type { EpochMs } from '../../core/time.ts'
import type { BatchEnricher } from '../../enrich/batch-enricher.ts'
import type { Decoder } from '../../ingest/decoder.ts'
import type { PartitionPosition, PartitionStatus, Source } from '../../ingest/source.ts'
import { Wakeup } from '../../ingest/wakeup.ts'
import { ClaimPreparer } from './claim-preparer.ts'
import { CountingLane, type LaneParts } from './counting-lane.ts'
import { deadRecord } from './dead-record.ts'
import { KeyPreparer } from './key-preparer.ts'
import type {
  BarrierAnswer,
  BetweenLanes,
  DeadRecord,
  FromLane,
  InputReport,
  ToLane,
} from './lane-messages.ts'
import { LaneStopwatch } from './lane-stopwatch.ts'

export interface RunnerParts extends Omit<LaneParts, 'dictionaries' | 'send'> {
  readonly source: Source
  readonly createDecoder: (dictionaries: readonly SeriesDictionary[]) => Decoder
  /** Of metrics with dimensions that are looked up; the decoder gets the dictionaries of its own. Before all preparers. */
  readonly createEnricher?:
    | ((dictionaries: readonly SeriesDictionary[]) => BatchEnricher)
    | undefined
  /** What batches wait for before they are counted, in this order; nothing unless given. `dictionaries` are those of the rows as they are counted. */
  readonly createPreparers?: (dictionaries: readonly SeriesDictionary[]) => readonly BatchPreparer[]
  readonly clock: Clock
  /** Lets waiting I/O run; resolves soon. */
  readonly yieldToIo: () => Promise<void>
  /** Least time between two hand-overs that nothing hurries. */
  readonly handOverMs: number
  readonly toMain: (message: FromLane) => void
  readonly toLane: (lane: number, message: BetweenLanes) => void
}

/** Processing time between looks at idleness. */
const tickMs = 200
const initialRows = 4_096
/** Hand-overs that the main half has not taken yet; with more the lane gathers. */
const maxUntaken = 2
/** What a lane gathers at most before it waits for the main half. */
const maxSegments = 64
const maxDeadBytes = 8 * 2 ** 20
/** Reason of an abort that only ends a wait; one object, as a new DOMException each time costs a stack trace. */
const waited = new Error('waited')

/** The decoded batch, while it waits for its preparers: taken from the source, and not counted yet. */
interface HeldBatch {
  readonly partition: number
  readonly name: string
  /** Where its partition stood before it: what a checkpoint that is cut meanwhile says. */
  readonly position: PartitionPosition
  /** Records (bytes for `lines`) that it holds, about. */
  readonly span: number
  isReady: boolean
}

/**
 * One lane with its source: source → decode → prepare → count, and messages to the main half.
 * opening → loading → running ⇄ holding a batch → stopped.
 */
export class LaneRunner {
  readonly #parts: RunnerParts
  readonly #source: Source
  readonly #lane: CountingLane
  readonly #decoder: Decoder
  readonly #dictionaries: readonly SeriesDictionary[]
  readonly #batch: DecodedBatch
  readonly #wakeup = new Wakeup()
  readonly #stopwatch: LaneStopwatch
  /** undefined: batches are counted as they are decoded. */
  readonly #preparer: BatchPreparer | undefined
  readonly #enricher: BatchEnricher | undefined
  readonly #keys: KeyPreparer | undefined
  readonly #abandon = new AbortController()
  #held: HeldBatch | undefined
  /** By metric, at the last tick: to look at filters costs more than a report may. */
  #falsePositives: InputReport['falsePositives'] = []
  #known = 0
  #dead: DeadRecord[] = []
  #deadBytes = 0
  #deadRecords = 0
  #records = 0
  #lastRecordTimestamp = 0
  #untaken = 0
  #handedOverAt: EpochMs | undefined
  #tickedAt: EpochMs | undefined
  #isPaused = false
  /** The last barrier came: nothing is read any more. */
  #isOver = false
  #hasEnded = false
  #isStopped = false
  #running: Promise<void> | undefined

  constructor(parts: RunnerParts) {
    this.#parts = parts
    this.#source = parts.source
    this.#dictionaries = parts.metrics.map((metric) => new SeriesDictionary(metric.maxSeries))
    this.#lane = new CountingLane({
      ...parts,
      dictionaries: this.#dictionaries,
      send: parts.toLane,
    })
    this.#enricher = parts.createEnricher?.(this.#dictionaries)
    this.#keys =
      this.#enricher &&
      new KeyPreparer(this.#enricher, (number, questions) =>
        parts.toMain({ kind: 'ask', number, questions }),
      )
    this.#decoder = parts.createDecoder(this.#enricher?.dictionaries ?? this.#dictionaries)
    this.#batch = createDecodedBatch(
      initialRows,
      parts.metrics.map((metric) => metric.values.length),
    )
    this.#stopwatch = new LaneStopwatch(parts.clock)
    const own = parts.createPreparers?.(this.#dictionaries) ?? []
    const claims = parts.shared?.some((one) => one !== undefined)
      ? [new ClaimPreparer(this.#lane)]
      : []
    const preparers = [...(this.#keys === undefined ? [] : [this.#keys]), ...own, ...claims]
    this.#preparer = preparers.length === 0 ? undefined : preparersInTurn(preparers)
  }

  receive(message: ToLane): void {
    this.#guard(() => this.#receive(message))
  }

  receiveFrom(lane: number, message: BetweenLanes): void {
    this.#guard(() => {
      this.#answer(this.#lane.receive(lane, message))
      this.#wakeup.notify()
    })
  }

  async stop(): Promise<void> {
    this.#end()
    await this.#running
  }

  async close(): Promise<void> {
    await this.stop()
    await this.#preparer?.close?.()
    await this.#source.close().catch(() => {})
  }

  #receive(message: ToLane): void {
    switch (message.kind) {
      case 'open':
        void this.#open(message)
        return
      case 'load':
        this.#lane.load(message.blobs)
        this.#parts.toMain({ kind: 'loaded' })
        return
      case 'start':
        this.#lane.start(message.start, this.#parts.clock.now())
        this.#running = this.#run()
        return
      case 'view':
        this.#lane.learn(message.view)
        this.#forgetKeys(message.view.gone)
        break
      case 'answer':
        this.#keys?.answer(message.number, message.answers)
        break
      case 'taken':
        if (--this.#untaken < maxUntaken - 1) return
        break
      case 'hold':
        this.#source.hold(message.partition, message.held)
        return
      case 'pause':
        this.#isPaused = message.paused
        break
      case 'barrier':
        this.#isOver ||= message.last
        this.#answer(this.#lane.barrier(message.number))
        break
      case 'checkpointed':
        // A source says by itself when that fails; it never fails a checkpoint.
        void this.#source.checkpointed(message.positions).catch(() => {})
        this.#lane.dropClaims(message.gone ?? [])
        return
    }
    this.#wakeup.notify()
  }

  async #open(message: Extract<ToLane, { kind: 'open' }>): Promise<void> {
    try {
      message.series.forEach((series, metric) => {
        for (const values of series) this.#dictionaries[metric]?.restore(values)
      })
      await this.#source.open(message.positions)
      this.#notice(this.#parts.clock.now())
      this.#parts.toMain({ kind: 'opened', partitions: this.#partitions() })
    } catch (error) {
      this.#fail(error)
    }
  }

  async #run(): Promise<void> {
    try {
      await this.#parts.yieldToIo()
      while (!this.#isStopped) {
        const now = this.#parts.clock.now()
        this.#stopwatch.begin()
        const worked = this.#step(now)
        if (this.#isTickDue(now, worked)) this.#tick(now)
        if (this.#isHandOverDue(now)) this.#handOver(undefined)
        this.#stopwatch.worked()
        if (worked) await this.#parts.yieldToIo()
        else await this.#wait()
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  /** May a batch be taken now? */
  get #mayTake(): boolean {
    const { isAligning, isAhead } = this.#lane
    if (this.#isPaused || this.#isOver || this.#hasEnded || isAligning || isAhead) return false
    if (this.#held !== undefined) return false
    const isFull = this.#lane.segments >= maxSegments || this.#deadBytes >= maxDeadBytes
    return this.#untaken < maxUntaken || !isFull
  }

  /** Takes and counts one batch; false when nothing was buffered, or what was taken must wait. */
  #step(now: EpochMs): boolean {
    if (this.#held !== undefined) return this.#release(this.#held, now)
    if (!this.#mayTake) return false
    const before = this.#preparer === undefined ? [] : this.#positions()
    const taken = this.#source.take()
    if (taken === undefined) return false
    this.#notice(now)
    const { partition } = taken
    const status = this.#source.partitions()[partition]
    if (status === undefined) {
      throw new WardenError('internal', `${this.#source.name} gave a batch of an unknown partition`)
    }
    const { name } = status
    try {
      this.#decoder.decode(taken, now, this.#batch)
    } catch (cause) {
      // The decoder sees bytes, and does not know whose.
      const { code, message } = asWardenError(cause)
      throw new WardenError(code, `${this.#source.name}/${name}: ${message}`, { cause })
    }
    const { signal } = this.#abandon
    const waiting = this.#preparer?.prepare(this.#batch, { partition: name, now }, signal)
    if (waiting === undefined) {
      this.#count(name, now)
      return true
    }
    const span = taken.nextOffset - taken.fromOffset
    const position = before[partition] ?? { ...status.position, offset: taken.fromOffset }
    this.#hold({ partition, name, position, span, isReady: false }, waiting)
    return true
  }

  #hold(held: HeldBatch, waiting: Promise<void>): void {
    this.#held = held
    waiting.then(
      () => {
        held.isReady = true
        this.#wakeup.notify()
      },
      (error) => {
        if (!this.#isStopped) this.#fail(error)
      },
    )
  }

  /** Counts the batch that was held, once it is ready and belongs to the next checkpoint. */
  #release({ name, isReady }: HeldBatch, now: EpochMs): boolean {
    // After the last cut nothing is counted: it is read again after the restart.
    if (!isReady || this.#lane.isAligning || this.#isOver) return false
    this.#held = undefined
    this.#count(name, now)
    return true
  }

  #count(partition: string, now: EpochMs): void {
    const batch = this.#batch
    if (batch.rejects.length > 0) this.#setAside(partition)
    this.#records += batch.records
    this.#lastRecordTimestamp = Math.max(this.#lastRecordTimestamp, batch.lastRecordTimestamp)
    this.#lane.apply(batch, partition, now)
  }

  #setAside(partition: string): void {
    let last = -1
    for (const reject of this.#batch.rejects) {
      const record = deadRecord(this.#source.name, partition, reject)
      this.#dead.push(record)
      this.#deadBytes += record.json.length
      // A record that several metrics refuse is one.
      if (reject.offset !== last) this.#deadRecords++
      last = reject.offset
    }
  }

  /** A source that has ended is never waited for: it would say at once that there is something, again and again. */
  #isTickDue(now: EpochMs, worked: boolean): boolean {
    if (this.#tickedAt === undefined || now - this.#tickedAt >= tickMs) return true
    return !worked && !this.#hasEnded && this.#mayTake && this.#source.ended()
  }

  #tick(now: EpochMs): void {
    this.#tickedAt = now
    this.#falsePositives = this.#lane.metrics.map((metric) => metric.falsePositives)
    this.#notice(now)
    const statuses = this.#source.partitions()
    this.#lane.tick(now, (partition) =>
      partition === this.#held?.partition ? undefined : statuses[partition]?.caughtUpAt,
    )
    const ends = !this.#hasEnded && this.#mayTake && this.#source.ended()
    if (ends) this.#hasEnded = true
    if (ends || this.#untaken < maxUntaken) this.#handOver(undefined)
  }

  #isHandOverDue(now: EpochMs): boolean {
    if (this.#untaken >= maxUntaken) return false
    const isUrgent = this.#lane.isUrgent || this.#deadBytes >= 2 ** 20
    if (isUrgent) return true
    const isDirty = this.#lane.isDirty || this.#dead.length > 0
    const since = now - (this.#handedOverAt ?? Number.NEGATIVE_INFINITY)
    return isDirty && since >= this.#parts.handOverMs
  }

  #answer(barrier: BarrierAnswer | undefined): void {
    for (let answer = barrier; answer !== undefined; ) {
      this.#handOver(answer)
      answer = this.#lane.resume()
    }
  }

  #handOver(barrier: BarrierAnswer | undefined): void {
    const now = this.#parts.clock.now()
    this.#handedOverAt = now
    this.#untaken++
    const report = this.#report()
    const handOver = this.#lane.takeHandOver(now)
    this.#parts.toMain({ kind: 'counted', handOver, report, barrier, ended: this.#hasEnded })
  }

  #report(): InputReport {
    const { metrics } = this.#lane
    const report = {
      partitions: this.#partitions(),
      records: this.#records,
      dead: this.#dead,
      deadRecords: this.#deadRecords,
      fallbacks: this.#decoder.stats.fallbacks,
      lastRecordTimestamp: this.#lastRecordTimestamp,
      changedKeys: metrics.reduce((keys, metric) => keys + metric.changedKeys, 0),
      keys: metrics.map((metric) => metric.keys),
      falsePositives: this.#falsePositives,
      times: this.#stopwatch.take(),
    }
    this.#records = 0
    this.#dead = []
    this.#deadBytes = 0
    this.#deadRecords = 0
    return report
  }

  /** Partitions that are new. */
  #notice(now: EpochMs): void {
    const count = this.#source.partitions().length
    for (; this.#known < count; this.#known++) this.#lane.addPartition(this.#known, now)
  }

  /** Copies of where the partitions stand. */
  #positions(): PartitionPosition[] {
    return this.#source.partitions().map(({ position }) => {
      const { offset, identity } = position
      return { offset, identity }
    })
  }

  /** As they are at this moment; what is held was not read yet. */
  #partitions(): PartitionStatus[] {
    const held = this.#held
    return this.#source
      .partitions()
      .slice(0, this.#known)
      .map(({ name, position, readFrom, caughtUpAt, lag, trouble, lost }, index) => {
        const isHeld = index === held?.partition
        const { offset, identity } = isHeld ? held.position : position
        return {
          name,
          position: { offset, identity },
          readFrom,
          caughtUpAt: isHeld ? undefined : caughtUpAt,
          lag: isHeld && lag !== undefined ? lag + held.span : lag,
          trouble,
          lost: lost && { ...lost },
        }
      })
  }

  /** Slices that are gone need no keys any more. */
  #forgetKeys(gone: number): void {
    const { metrics } = this.#lane
    this.#enricher?.drop((metric, slice) => metrics[metric]?.lifetime.isGone(slice, gone) ?? true)
  }

  /** Until there is something to take, a message came, or it is time for the next look. */
  async #wait(): Promise<void> {
    const over = new AbortController()
    const isFree = this.#mayTake
    const cancel = this.#parts.clock.after(tickMs, () => over.abort(waited))
    const waiting = [this.#wakeup.wait(over.signal)]
    if (isFree && !this.#source.ended()) waiting.push(this.#source.ready(over.signal))
    try {
      await Promise.race(waiting)
    } catch (error) {
      if (!over.signal.aborted) throw error
    } finally {
      cancel()
      over.abort(waited)
      await Promise.allSettled(waiting)
      this.#stopwatch.waited(isFree || this.#hasEnded || this.#isOver)
    }
  }

  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#fail(error)
    }
  }

  #end(): void {
    this.#isStopped = true
    this.#abandon.abort(new Error('the lane stops'))
    this.#wakeup.notify()
  }

  #fail(error: unknown): void {
    this.#end()
    this.#parts.toMain({ kind: 'failed', error })
  }
}
