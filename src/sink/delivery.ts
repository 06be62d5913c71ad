import { fullJitter } from '../core/backoff.ts'
import { asWardenError, type WardenError } from '../core/errors.ts'
import type { Clock, Logger, Telemetry } from '../core/telemetry.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { Circuit } from './circuit.ts'
import type { DeliveryHealth } from './delivery-health.ts'
import { DeliveryMetrics } from './delivery-metrics.ts'
import type { DeliveryOptions } from './delivery-options.ts'
import { DeliveryWindow, type Slot } from './delivery-window.ts'
import { LogLimit } from './log-limit.ts'
import type { Outbox } from './outbox.ts'
import type { DataPoint, PointOutcome, Sink, WriteResult } from './sink.ts'

export interface DeliveryPorts extends Telemetry {
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Takes a point that the store will never take. It must be durable with the checkpoint that carries the cursor on. */
  readonly onRefused: (point: DataPoint, reason: string) => void
  /** The delivery ended because a promise was broken (the outbox can't be read). */
  readonly onBroken: (error: WardenError) => void
}

const logEveryMs = 60_000
const metricsEveryMs = 5_000

/**
 * Brings the outbox to one sink, from the sink's cursor on: the newest revision of every point, at least once, and once more when an
 * older write may have landed after it. The cursor passes what is acknowledged and settled, so a kill anywhere loses nothing:
 * what was in the outbox at the start may have been sent by an earlier process, and settles too.
 */
export class Delivery {
  readonly #outbox: Outbox
  readonly #sink: Sink
  readonly #options: DeliveryOptions
  readonly #ports: DeliveryPorts
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #logLimit = new LogLimit(logEveryMs)
  readonly #metrics: DeliveryMetrics
  readonly #window: DeliveryWindow
  readonly #circuit: Circuit
  readonly #stop = new AbortController()
  readonly #inFlight = new Set<Promise<void>>()
  /** Entries below it were there when the process started. */
  readonly #inherited: number
  readonly #startedAt: EpochMs
  #started = false
  #draining = 0
  #pumping = false
  #cancelWake: (() => void) | undefined
  #cancelTick: (() => void) | undefined
  #unsubscribe: (() => void) | undefined
  #waiters: (() => void)[] = []
  #lastError: string | undefined
  #lastErrorAt: EpochMs | undefined
  #lastSuccessAt: EpochMs | undefined
  #openSince: EpochMs | undefined

  constructor(outbox: Outbox, sink: Sink, options: DeliveryOptions, ports: DeliveryPorts) {
    this.#outbox = outbox
    this.#sink = sink
    this.#options = options
    this.#ports = ports
    this.#clock = ports.clock
    this.#logger = ports.logger.child({ sink: sink.name })
    this.#metrics = new DeliveryMetrics(ports.metrics, sink.name)
    this.#circuit = new Circuit(options, ports.random)
    this.#inherited = outbox.visibleEnd
    this.#startedAt = ports.clock.now()
    this.#window = new DeliveryWindow(outbox.cursor(sink.name), {
      settleMs: options.settleMs,
      healthySince: () => this.#circuit.healthySince,
    })
  }

  start(): void {
    if (this.#started) return
    this.#started = true
    this.#unsubscribe = this.#outbox.onChange(() => this.#pump())
    this.#tick()
    this.#pump()
  }

  /** Ends for good: aborts what is in flight and waits for it. What was not acknowledged stays in the outbox. */
  async stop(): Promise<void> {
    this.#end()
    await Promise.all(this.#inFlight)
  }

  /**
   * Sends at once whatever there is, and waits.
   * @param until `written`: the store has acknowledged everything; `settled`: and nothing older can land on it any more
   * @returns false when that took longer than `timeoutMs`, or the delivery was stopped
   */
  async drain(timeoutMs: number, until: 'written' | 'settled' = 'settled'): Promise<boolean> {
    const done = () =>
      (until === 'settled' ? this.#window.cursor : this.#window.writtenThrough) >=
      this.#outbox.visibleEnd
    const end = new AbortController()
    let late = false
    // A sleep, not a timer: it holds the process while somebody waits for the points to go out.
    const timeout = this.#clock.sleep(timeoutMs, end.signal).then(
      () => {
        late = true
        this.#wakeWaiters()
      },
      () => undefined,
    )
    this.#draining++
    try {
      this.#pump()
      while (!done() && !late && !this.#stop.signal.aborted) {
        await new Promise<void>((resolve) => this.#waiters.push(resolve))
      }
      return done()
    } finally {
      this.#draining--
      end.abort()
      await timeout
    }
  }

  /** Position in the outbox below which everything has been written: a window is written when it is ≥ the outbox's end after its append. */
  writtenThrough(): number {
    return this.#window.writtenThrough
  }

  /** Points in memory. */
  inMemory(): number {
    return this.#window.size
  }

  health(): DeliveryHealth {
    const oldest = this.#window.oldestUnwrittenAt
    return {
      state: this.#stop.signal.aborted ? 'stopped' : this.#stateName(),
      lastError: this.#lastError,
      lastErrorAt: this.#lastErrorAt,
      lastSuccessAt: this.#lastSuccessAt,
      oldestUnwrittenAt:
        oldest === undefined ? this.#outbox.appendedAt(this.#window.nextPosition) : epochMs(oldest),
      depth: this.#outbox.depth(this.#sink.name),
      settling: this.#window.settling,
    }
  }

  #stateName(): Exclude<DeliveryHealth['state'], 'stopped'> {
    if (this.#circuit.state !== 'closed') return this.#circuit.state
    return this.#circuit.failuresInRow > 0 ? 'retrying' : 'ok'
  }

  /** Everything that can be done now; then arms the timer for what time alone will bring. */
  #pump(): void {
    if (!this.#started || this.#pumping || this.#stop.signal.aborted) return
    this.#pumping = true
    try {
      const now = this.#clock.now()
      this.#window.wake(now)
      this.#read(now)
      while (this.#sendOne(now)) this.#read(now)
      this.#outbox.acknowledge(this.#sink.name, this.#window.cursor)
      this.#armWake(now)
    } catch (cause) {
      const error = asWardenError(cause)
      this.#logger.error({ err: error }, `delivery to ${this.#sink.name} ended`)
      this.#end()
      this.#ports.onBroken(error)
    } finally {
      this.#pumping = false
      this.#wakeWaiters()
    }
  }

  #read(now: EpochMs): void {
    const { maxUnwritten, maxInMemory } = this.#options
    const window = this.#window
    while (window.size < maxInMemory && window.size - window.settling < maxUnwritten) {
      const entry = this.#outbox.read(window.nextPosition)
      if (entry === undefined) return
      const suspectSince = entry.position < this.#inherited ? this.#startedAt : undefined
      this.#metrics.coalesced(window.admit(entry, now, suspectSince))
    }
  }

  #sendOne(now: EpochMs): boolean {
    if (this.#sendableAt(now) > now) return false
    const batch = this.#window.take(this.#circuit.allowance(this.#inFlight.size), now)
    this.#circuit.started()
    const sending = this.#send(batch).finally(() => {
      this.#inFlight.delete(sending)
      this.#pump()
    })
    this.#inFlight.add(sending)
    return true
  }

  async #send(slots: readonly Slot[]): Promise<void> {
    const startedAt = this.#clock.now()
    const points = slots.map((slot) => slot.point)
    const result = await this.#write(points)
    const now = this.#clock.now()
    const outcomes = result.outcomes
    const count = { written: 0, retry: 0, refused: 0 }
    for (const outcome of outcomes) count[outcome.kind]++
    this.#metrics.batch(result.failed, count, now - startedAt)
    if (result.failed) this.#failed(result, startedAt, now)
    else this.#succeeded(count.retry > 0, now)

    const batchJitter = this.#ports.random()
    const retryAt = (slot: Slot): number =>
      // A failed batch waits for the circuit, a single point for itself.
      result.failed
        ? now
        : now + Math.max(1, result.retryAfterMs ?? 0, this.#pointWait(slot.attempts, batchJitter))
    const completed = slots.map((slot, i) => ({ slot, outcome: outcomes[i] ?? lost }))
    completed.forEach(({ outcome }, i) => {
      const point = points[i]
      if (outcome.kind === 'refused' && point !== undefined) this.#refused(point, outcome.reason)
    })
    this.#window.complete(completed, now, retryAt)
  }

  #pointWait(attempts: number, jitter: number): number {
    return fullJitter(this.#options.backoff, attempts - 1, jitter)
  }

  /** A sink that breaks its promise to return is treated like a store that gave no answer. */
  async #write(points: readonly DataPoint[]): Promise<WriteResult> {
    try {
      const result = await this.#sink.write(points, this.#stop.signal)
      if (result.outcomes.length === points.length) return result
      return unknownResult(points, `${result.outcomes.length} outcomes for ${points.length} points`)
    } catch (cause) {
      return unknownResult(points, asWardenError(cause).message)
    }
  }

  #failed(result: WriteResult, startedAt: EpochMs, now: EpochMs): void {
    const before = this.#circuit.state
    const reason =
      result.outcomes.find((outcome) => outcome.kind === 'retry')?.reason ?? 'no reason'
    this.#lastError = reason
    this.#lastErrorAt = now
    const after = this.#circuit.failed(now, startedAt, result.retryAfterMs ?? 0)
    this.#metrics.circuit(after)
    if (this.#stop.signal.aborted) return
    const waiting = this.#outbox.depth(this.#sink.name)
    if (before === 'closed' && after === 'open') {
      this.#openSince = now
      this.#logger.warn(
        { reason, waiting },
        `${this.#sink.name} takes no points: ${reason}; they wait in the outbox, it is probed`,
      )
      return
    }
    const suppressed = this.#logLimit.pass('failed', now)
    if (suppressed === undefined) return
    this.#logger.warn(
      { reason, waiting, suppressed },
      `${this.#sink.name}: a batch failed: ${reason}`,
    )
  }

  #succeeded(partly: boolean, now: EpochMs): void {
    this.#lastSuccessAt = now
    this.#circuit.succeeded(now, partly)
    this.#metrics.circuit(this.#circuit.state)
    if (this.#openSince === undefined) return
    const awayMs = now - this.#openSince
    this.#openSince = undefined
    const waiting = this.#outbox.depth(this.#sink.name)
    this.#logger.info({ awayMs, waiting }, `${this.#sink.name} takes points again`)
  }

  #refused(point: DataPoint, reason: string): void {
    this.#ports.onRefused(point, reason)
    const suppressed = this.#logLimit.pass(`refused ${reason}`, this.#clock.now())
    if (suppressed === undefined) return
    this.#logger.error(
      { reason, metric: point.metric, tags: point.tags, timestamp: point.timestamp, suppressed },
      `${this.#sink.name} refused a point for good: ${reason}`,
    )
  }

  #armWake(now: EpochMs): void {
    this.#cancelWake?.()
    this.#cancelWake = undefined
    const at = Math.min(this.#sendableAt(now), this.#window.wakeAt())
    if (!Number.isFinite(at)) return
    this.#cancelWake = this.#clock.after(Math.max(1, at - now), () => this.#pump())
  }

  /** When the next batch may go; infinite when that takes more than time. */
  #sendableAt(now: EpochMs): number {
    const { ready } = this.#window
    const allowance = this.#circuit.allowance(this.#inFlight.size)
    if (allowance === 0 || ready === 0) return Number.POSITIVE_INFINITY
    const filledAt = ready >= allowance || this.#draining > 0 ? now : this.#batchDueAt()
    return Math.max(this.#circuit.notBefore, filledAt)
  }

  #batchDueAt(): number {
    return (this.#window.readySince() ?? Number.POSITIVE_INFINITY) + this.#options.batchAgeMs
  }

  /** Figures that change with time alone, and the cursor's. */
  #tick(): void {
    const now = this.#clock.now()
    this.#metrics.observe(this.health(), now)
    this.#cancelTick = this.#clock.after(metricsEveryMs, () => this.#tick())
  }

  #end(): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    this.#unsubscribe?.()
    this.#cancelWake?.()
    this.#cancelTick?.()
    this.#metrics.forget()
    this.#wakeWaiters()
  }

  #wakeWaiters(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }
}

const lost: PointOutcome = { kind: 'retry', reason: 'no outcome', unknown: true }

function unknownResult(points: readonly DataPoint[], reason: string): WriteResult {
  return {
    outcomes: points.map(() => ({ kind: 'retry', reason, unknown: true })),
    retryAfterMs: undefined,
    failed: true,
  }
}
