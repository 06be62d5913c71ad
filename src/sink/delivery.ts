import { fullJitter } from '../core/backoff.ts'
import { asWardenError, type WardenError } from '../core/errors.ts'
import type { SinkEvidence } from '../core/evidence.ts'
import type { Clock, Telemetry } from '../core/telemetry.ts'
import { durationMs, type EpochMs, epochMs } from '../core/time.ts'
import { Circuit } from './circuit.ts'
import type { DeliveryHealth } from './delivery-health.ts'
import { DeliveryJournal } from './delivery-journal.ts'
import { DeliveryMetrics } from './delivery-metrics.ts'
import type { DeliveryOptions } from './delivery-options.ts'
import type { Slot } from './delivery-slot.ts'
import { DeliveryWindow } from './delivery-window.ts'
import { DrainRate } from './drain-rate.ts'
import { DrainWaiters } from './drain-waiters.ts'
import type { Outbox } from './outbox.ts'
import { RateCap } from './rate-cap.ts'
import { type DataPoint, lost, type Sink, unknownResult, type WriteResult } from './sink.ts'
import type { SinkDelivery } from './sink-delivery.ts'

export interface DeliveryPorts extends Telemetry {
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Takes a point that the store will never take. It must be durable with the checkpoint that carries the cursor on. */
  readonly onRefused: (point: DataPoint, reason: string) => void
  /** Another process wrote until just now: what it had under way may land on the first points of this one. */
  readonly tookOver?: boolean
  /** The delivery ended because a promise was broken (the outbox can't be read). */
  readonly onBroken: (error: WardenError) => void
}

const metricsEveryMs = 5_000
/** Share of the bound that is left of a backlog when it was cut, so that it is not cut for every entry. */
const keptOfBacklog = 0.9

/**
 * Brings the outbox to one sink, from the sink's cursor on: the newest revision of every point, at least once, and once more when an
 * older write may have landed after it. The cursor passes what is acknowledged and settled, so a kill anywhere loses nothing:
 * what was in the outbox at the start may have been sent by an earlier process, and settles too.
 */
export class Delivery implements SinkDelivery {
  readonly #outbox: Outbox
  readonly #sink: Sink
  readonly #options: DeliveryOptions
  readonly #ports: DeliveryPorts
  readonly #clock: Clock
  readonly #journal: DeliveryJournal
  readonly #rateCap: RateCap
  readonly #drainRate = new DrainRate()
  readonly #drains: DrainWaiters
  readonly #metrics: DeliveryMetrics
  readonly #window: DeliveryWindow
  readonly #circuit: Circuit
  readonly #stop = new AbortController()
  readonly #inFlight = new Set<Promise<void>>()
  /** Entries below it were there when the process started. */
  readonly #inherited: number
  readonly #startedAt: EpochMs
  /** Until then points are taken for overwritten by an older write. */
  readonly #suspectUntil: number
  #started = false
  #pumping = false
  #cancelWake: (() => void) | undefined
  #cancelTick: (() => void) | undefined
  #unsubscribe: (() => void) | undefined
  /** Points that the cursor passed since the start. */
  #passed = 0

  constructor(outbox: Outbox, sink: Sink, options: DeliveryOptions, ports: DeliveryPorts) {
    this.#outbox = outbox
    this.#sink = sink
    this.#options = options
    this.#ports = ports
    this.#clock = ports.clock
    this.#drains = new DrainWaiters(ports.clock)
    this.#metrics = new DeliveryMetrics(ports.metrics, sink.name)
    const logger = ports.logger.child({ sink: sink.name })
    this.#journal = new DeliveryJournal(sink.name, logger, this.#metrics)
    this.#rateCap = new RateCap(options.maxRate)
    this.#circuit = new Circuit(options, ports.random)
    this.#inherited = outbox.visibleEnd
    this.#startedAt = ports.clock.now()
    this.#suspectUntil = ports.tookOver === true ? this.#startedAt + options.settleMs : 0
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

  async stop(): Promise<void> {
    this.#end()
    await Promise.all(this.#inFlight)
  }

  drain(timeoutMs: number, until: 'written' | 'settled' = 'settled'): Promise<boolean> {
    const through = () => (until === 'settled' ? this.#window.cursor : this.#window.writtenThrough)
    const done = () => through() >= this.#outbox.visibleEnd
    return this.#drains.wait(done, timeoutMs, this.#stop.signal, () => this.#pump())
  }

  writtenThrough(): number {
    return this.#window.writtenThrough
  }

  /** Points in memory. */
  inMemory(): number {
    return this.#window.size
  }

  health(): DeliveryHealth {
    const { lastError, lastErrorAt, lastSuccessAt } = this.#journal
    const depth = this.#outbox.depth(this.#sink.name)
    const { concurrency, batchPoints } = this.#circuit
    return {
      state: this.#stop.signal.aborted ? 'stopped' : this.#stateName(),
      lastError,
      lastErrorAt,
      lastSuccessAt,
      oldestUnwrittenAt: this.#oldestUnwrittenAt(),
      depth,
      settling: this.#window.settling,
      bytes: this.#outbox.bytesOf(this.#sink.name),
      drain: this.#drainRate.progress(depth),
      allowed: { concurrency, batchPoints },
    }
  }

  evidence(earlierMs = 0): SinkEvidence {
    const since = this.#oldestUnwrittenAt()
    const { nextPosition, oldestUnwritten, size, settling } = this.#window
    const oldest = Math.min(oldestUnwritten, this.#outbox.oldestFrom(nextPosition))
    const waiting = size - settling + this.#outbox.pointsBetween(nextPosition, this.#outbox.end)
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

  #oldestUnwrittenAt(): EpochMs | undefined {
    const oldest = this.#window.oldestUnwrittenAt
    return oldest === undefined
      ? this.#outbox.appendedAt(this.#window.nextPosition)
      : epochMs(oldest)
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
      this.#cutBacklog(now)
      this.#window.wake(now)
      this.#read(now)
      while (this.#sendOne(now)) this.#read(now)
      this.#pass(this.#window.cursor)
      this.#armWake(now)
    } catch (cause) {
      const error = asWardenError(cause)
      this.#journal.ended(error)
      this.#end()
      this.#ports.onBroken(error)
    } finally {
      this.#pumping = false
      this.#drains.notify()
    }
  }

  #pass(cursor: number): void {
    const { name } = this.#sink
    this.#passed += this.#outbox.pointsBetween(this.#outbox.cursor(name), cursor)
    this.#outbox.acknowledge(name, cursor)
  }

  /** Drops the oldest entries of a backlog beyond its bound. */
  #cutBacklog(now: EpochMs): void {
    const { maxBacklogBytes } = this.#options
    const { name } = this.#sink
    if (maxBacklogBytes === undefined || this.#outbox.bytesOf(name) <= maxBacklogBytes) return
    const end = this.#outbox.positionWithin(name, maxBacklogBytes * keptOfBacklog)
    const unread = this.#outbox.pointsBetween(this.#window.nextPosition, end)
    this.#journal.dropped(unread + this.#window.dropBelow(end), now)
    // Not by #pass: what is dropped is no progress.
    this.#outbox.acknowledge(name, this.#window.cursor)
  }

  #read(now: EpochMs): void {
    const { maxUnwritten, maxInMemory } = this.#options
    const window = this.#window
    while (window.size < maxInMemory && window.size - window.settling < maxUnwritten) {
      const entry = this.#outbox.read(window.nextPosition)
      if (entry === undefined) return
      const isSuspect = entry.position < this.#inherited || now < this.#suspectUntil
      const suspectSince = isSuspect ? this.#startedAt : undefined
      this.#metrics.coalesced(window.admit(entry, now, suspectSince))
    }
  }

  #sendOne(now: EpochMs): boolean {
    if (this.#sendableAt(now) > now) return false
    const batch = this.#window.take(this.#circuit.allowance(this.#inFlight.size), now)
    this.#rateCap.spend(batch.length, now)
    if (this.#circuit.state === 'open') this.#journal.probed()
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
    else this.#succeeded(count.retry > 0, startedAt, now)

    const batchJitter = this.#ports.random()
    const retryAt = (slot: Slot): number =>
      // A failed batch waits for the circuit, a single point for itself.
      result.failed
        ? now
        : now + Math.max(1, result.retryAfterMs ?? 0, this.#pointWait(slot.attempts, batchJitter))
    const completed = slots.map((slot, i) => ({ slot, outcome: outcomes[i] ?? lost }))
    completed.forEach(({ outcome }, i) => {
      const point = points[i]
      if (outcome.kind !== 'refused' || point === undefined) return
      this.#ports.onRefused(point, outcome.reason)
      this.#journal.refused(point, outcome.reason, now)
    })
    this.#journal.dropped(this.#window.complete(completed, now, retryAt), now)
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
    const reason =
      result.outcomes.find((outcome) => outcome.kind === 'retry')?.reason ?? 'no reason'
    const state = this.#circuit.failed(now, startedAt, result.retryAfterMs ?? 0)
    if (this.#stop.signal.aborted) return
    this.#journal.failed(reason, state, this.#outbox.depth(this.#sink.name), now)
  }

  #succeeded(refusedSome: boolean, startedAt: EpochMs, now: EpochMs): void {
    this.#circuit.succeeded(now, startedAt, refusedSome)
    this.#journal.succeeded(this.#outbox.depth(this.#sink.name), now)
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
    const filledAt = ready >= allowance || this.#drains.any ? now : this.#batchDueAt()
    return Math.max(this.#circuit.notBefore, this.#rateCap.freeAt, filledAt)
  }

  #batchDueAt(): number {
    return (this.#window.readySince() ?? Number.POSITIVE_INFINITY) + this.#options.batchAgeMs
  }

  /** Figures that change with time alone, and the cursor's. */
  #tick(): void {
    const now = this.#clock.now()
    this.#drainRate.sample(this.#passed, now)
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
    this.#drains.notify()
  }
}
