import { asWardenError, type WardenError } from '../core/errors.ts'
import type { SinkEvidence } from '../core/evidence.ts'
import type { Clock } from '../core/telemetry.ts'
import { durationMs, epochMs } from '../core/time.ts'
import { Circuit } from './circuit.ts'
import type { DeliveryPorts } from './delivery.ts'
import type { DeliveryHealth } from './delivery-health.ts'
import { DeliveryJournal } from './delivery-journal.ts'
import { DeliveryMetrics } from './delivery-metrics.ts'
import type { DeliveryOptions } from './delivery-options.ts'
import { DrainRate } from './drain-rate.ts'
import { DrainWaiters } from './drain-waiters.ts'
import type { LogMarks, LogSink } from './log-sink.ts'
import type { Outbox, OutboxEntry } from './outbox.ts'
import type { SinkDelivery } from './sink-delivery.ts'

const metricsEveryMs = 5_000
/** Marks are written again after so long without points: brokers forget offsets that nobody commits for a week. */
const refreshMs = 12 * 3_600_000

/**
 * Copies the outbox to a log: every entry, in order, each once. The log itself says where it stands, in the same transaction as the
 * points; the cursor of the outbox only says what may be forgotten.
 *
 * closed (`#marks` unknown) → open → append → append …; every failure leads back to closed.
 */
export class LogDelivery implements SinkDelivery {
  readonly #outbox: Outbox
  readonly #sink: LogSink
  readonly #options: DeliveryOptions
  readonly #ports: Pick<DeliveryPorts, 'onBroken'>
  readonly #clock: Clock
  readonly #metrics: DeliveryMetrics
  readonly #journal: DeliveryJournal
  readonly #circuit: Circuit
  readonly #drainRate = new DrainRate()
  readonly #drains: DrainWaiters
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #marks: LogMarks | undefined
  #writtenAt = 0
  #passed = 0
  #wake: () => void = () => {}
  /** Ends the wait for what is under way. */
  #abandon: () => void = () => {}
  #cancelTick: () => void = () => {}
  #unsubscribe: () => void = () => {}

  constructor(outbox: Outbox, sink: LogSink, options: DeliveryOptions, ports: DeliveryPorts) {
    this.#outbox = outbox
    this.#sink = sink
    this.#options = options
    this.#ports = ports
    this.#clock = ports.clock
    this.#drains = new DrainWaiters(ports.clock)
    this.#metrics = new DeliveryMetrics(ports.metrics, sink.name)
    const logger = ports.logger.child({ sink: sink.name })
    this.#journal = new DeliveryJournal(sink.name, logger, this.#metrics)
    this.#circuit = new Circuit(options, ports.random)
  }

  start(): void {
    this.#unsubscribe = this.#outbox.onChange(() => this.#notify())
    this.#tick()
    this.#running = this.#run().catch((cause: unknown) => {
      const error = asWardenError(cause)
      this.#journal.ended(error)
      this.#ports.onBroken(error)
    })
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#unsubscribe()
    this.#cancelTick()
    this.#abandon()
    this.#notify()
    await this.#running
    this.#metrics.forget()
  }

  drain(timeoutMs: number): Promise<boolean> {
    const done = () => this.writtenThrough() >= this.#outbox.visibleEnd
    return this.#drains.wait(done, timeoutMs, this.#stop.signal, () => this.#notify())
  }

  writtenThrough(): number {
    return this.#outbox.cursor(this.#sink.name)
  }

  health(): DeliveryHealth {
    const { lastError, lastErrorAt, lastSuccessAt } = this.#journal
    const { state, failuresInRow } = this.#circuit
    const depth = this.#outbox.depth(this.#sink.name)
    const trying = failuresInRow > 0 ? 'retrying' : 'ok'
    return {
      state: this.#stop.signal.aborted ? 'stopped' : state === 'closed' ? trying : state,
      lastError,
      lastErrorAt,
      lastSuccessAt,
      oldestUnwrittenAt: this.#outbox.appendedAt(this.writtenThrough()),
      depth,
      settling: 0,
      bytes: this.#outbox.bytesOf(this.#sink.name),
      drain: this.#drainRate.progress(depth),
      allowed: { concurrency: 1, batchPoints: this.#circuit.batchPoints },
    }
  }

  evidence(earlierMs = 0): SinkEvidence {
    const cursor = this.writtenThrough()
    const since = this.#outbox.appendedAt(cursor)
    const oldest = this.#outbox.oldestFrom(cursor)
    const waiting = this.#outbox.depth(this.#sink.name)
    return {
      name: this.#sink.name,
      waiting,
      oldestWaitingMs:
        since === undefined ? undefined : durationMs(Math.max(0, this.#clock.now() - since)),
      oldestUnwritten: Number.isFinite(oldest) ? epochMs(oldest * 1_000 - earlierMs) : undefined,
      lastError: this.#journal.standingError,
      ...(waiting > 0 && this.#journal.isUntried ? { untried: true } : {}),
    }
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const now = this.#clock.now()
      const at = Math.max(this.#circuit.notBefore, this.#dueAt())
      if (at > now) await this.#waitUntil(at)
      // A stop waits for no broker: what is under way is taken for unknown, and the next `open` tells.
      else await this.#unlessStopped(this.#step())
    }
  }

  /** When there is something to do; infinite when nothing but a new entry brings that. */
  #dueAt(): number {
    if (this.#marks === undefined) return 0
    const { name } = this.#sink
    const since = this.#outbox.appendedAt(this.writtenThrough())
    const isReady = this.writtenThrough() < this.#outbox.visibleEnd
    if (since === undefined || !isReady) return this.#writtenAt + refreshMs
    const isFull = this.#outbox.depth(name) >= this.#circuit.batchPoints
    return isFull || this.#drains.any ? 0 : since + this.#options.batchAgeMs
  }

  async #step(): Promise<void> {
    const startedAt = this.#clock.now()
    if (this.#circuit.state === 'open') this.#journal.probed()
    this.#circuit.started()
    let points = 0
    try {
      this.#marks ??= await this.#sink.open()
      this.#cutBacklog()
      points = await this.#copy(this.#marks)
    } catch (cause) {
      const error = asWardenError(cause)
      if (error.recovery === 'stop') throw error
      this.#marks = undefined
      if (!this.#stop.signal.aborted) this.#failed(error, startedAt)
      return
    }
    if (this.#stop.signal.aborted) return
    const now = this.#clock.now()
    this.#writtenAt = now
    this.#metrics.batch(false, { written: points, retry: 0, refused: 0 }, now - startedAt)
    this.#circuit.succeeded(now, startedAt, false)
    this.#journal.succeeded(this.#outbox.depth(this.#sink.name), now)
  }

  /** One transaction. */
  async #copy(marks: LogMarks): Promise<number> {
    const { name } = this.#sink
    const from = this.#outbox.cursor(name)
    const next = new Map(marks)
    const batch: OutboxEntry['points'][number][] = []
    let position = from
    for (; batch.length < this.#circuit.batchPoints; position++) {
      const entry = this.#outbox.read(position)
      if (entry === undefined) break
      const incarnation = entry.points[0]?.incarnation ?? 0
      if (position < (marks.get(incarnation) ?? 0)) continue
      batch.push(...entry.points)
      next.set(incarnation, position + 1)
    }
    const isRefresh = position === from
    if (batch.length > 0 || isRefresh) {
      await this.#sink.append(batch, next)
      this.#marks = next
    }
    if (this.#stop.signal.aborted) return 0
    this.#passed += batch.length
    this.#outbox.acknowledge(name, position)
    this.#notify()
    return batch.length
  }

  #failed(error: WardenError, startedAt: number): void {
    const now = this.#clock.now()
    const state = this.#circuit.failed(now, startedAt, 0)
    this.#metrics.batch(true, { written: 0, retry: 0, refused: 0 }, now - startedAt)
    this.#journal.failed(error.message, state, this.#outbox.depth(this.#sink.name), now)
  }

  #cutBacklog(): void {
    const { maxBacklogBytes } = this.#options
    const { name } = this.#sink
    if (maxBacklogBytes === undefined || this.#outbox.bytesOf(name) <= maxBacklogBytes) return
    const from = this.#outbox.cursor(name)
    const end = this.#outbox.positionWithin(name, maxBacklogBytes)
    this.#journal.dropped(this.#outbox.pointsBetween(from, end), this.#clock.now())
    this.#outbox.acknowledge(name, end)
  }

  #unlessStopped(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#abandon = resolve
      work.then(resolve, reject)
    })
  }

  #waitUntil(at: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = Number.isFinite(at)
        ? this.#clock.after(Math.max(1, at - this.#clock.now()), () => this.#wake())
        : () => {}
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }

  /** Something changed: the loop looks again, and whoever waits for a drain. */
  #notify(): void {
    this.#wake()
    this.#drains.notify()
  }

  #tick(): void {
    const now = this.#clock.now()
    this.#drainRate.sample(this.#passed, now)
    this.#metrics.observe(this.health(), now)
    this.#cancelTick = this.#clock.after(metricsEveryMs, () => this.#tick())
  }
}
