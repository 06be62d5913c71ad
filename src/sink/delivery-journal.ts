import type { Logger } from '../core/telemetry.ts'
import type { EpochMs } from '../core/time.ts'
import type { CircuitState } from './circuit.ts'
import type { DeliveryMetrics } from './delivery-metrics.ts'
import { LogLimit } from './log-limit.ts'
import type { DataPoint } from './sink.ts'

const logEveryMs = 60_000

/** What a delivery tells people: each change of the circuit with its reason, failures once a minute, and the last of them for its health. */
export class DeliveryJournal {
  readonly #sink: string
  readonly #logger: Logger
  readonly #metrics: DeliveryMetrics
  readonly #limit = new LogLimit(logEveryMs)
  #state: CircuitState = 'closed'
  #openSince: EpochMs | undefined
  #lastError: string | undefined
  #lastErrorAt: EpochMs | undefined
  #lastSuccessAt: EpochMs | undefined

  constructor(sink: string, logger: Logger, metrics: DeliveryMetrics) {
    this.#sink = sink
    this.#logger = logger
    this.#metrics = metrics
  }

  get lastError(): string | undefined {
    return this.#lastError
  }

  get lastErrorAt(): EpochMs | undefined {
    return this.#lastErrorAt
  }

  get lastSuccessAt(): EpochMs | undefined {
    return this.#lastSuccessAt
  }

  /** The last error, unless a batch succeeded after it. */
  get standingError(): string | undefined {
    const isOver = (this.#lastSuccessAt ?? 0) >= (this.#lastErrorAt ?? 0)
    return isOver ? undefined : this.#lastError
  }

  /** Has no attempt had an outcome yet? */
  get isUntried(): boolean {
    return this.#lastSuccessAt === undefined && this.#lastErrorAt === undefined
  }

  probed(): void {
    this.#change('half-open')
    this.#logger.debug({}, `${this.#sink} is probed`)
  }

  /** @param waiting points in the outbox */
  failed(reason: string, state: CircuitState, waiting: number, now: EpochMs): void {
    this.#lastError = reason
    this.#lastErrorAt = now
    const before = this.#change(state)
    if (before === 'closed' && state === 'open') {
      this.#openSince = now
      this.#logger.warn(
        { reason, waiting },
        `${this.#sink} takes no points: ${reason}; they wait in the outbox, it is probed`,
      )
      return
    }
    const suppressed = this.#limit.pass('failed', now)
    if (suppressed === undefined) return
    this.#logger.warn({ reason, waiting, suppressed }, `${this.#sink}: a batch failed: ${reason}`)
  }

  succeeded(waiting: number, now: EpochMs): void {
    this.#lastSuccessAt = now
    this.#change('closed')
    if (this.#openSince === undefined) return
    const awayMs = now - this.#openSince
    this.#openSince = undefined
    this.#logger.info({ awayMs, waiting }, `${this.#sink} takes points again`)
  }

  refused(point: DataPoint, reason: string, now: EpochMs): void {
    const suppressed = this.#limit.pass(`refused ${reason}`, now)
    if (suppressed === undefined) return
    this.#logger.error(
      { reason, metric: point.metric, tags: point.tags, timestamp: point.timestamp, suppressed },
      `${this.#sink} refused a point for good: ${reason}`,
    )
  }

  /** The backlog was cut: these points are not written and never will be. */
  dropped(points: number, now: EpochMs): void {
    if (points === 0) return
    this.#metrics.dropped(points)
    const suppressed = this.#limit.pass('dropped', now)
    if (suppressed === undefined) return
    this.#logger.error(
      { points, suppressed },
      `${this.#sink} is too far behind: its oldest ${points} points are dropped (maxBacklog)`,
    )
  }

  ended(error: Error): void {
    this.#logger.error({ err: error }, `delivery to ${this.#sink} ended`)
  }

  #change(state: CircuitState): CircuitState {
    const before = this.#state
    this.#state = state
    if (before !== state) this.#metrics.circuitChanged(state)
    return before
  }
}
