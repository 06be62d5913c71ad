import { asWardenError, WardenError } from '../core/errors.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { Counter, Gauge, Histogram, Telemetry } from '../core/telemetry.ts'
import type { DurationMs, EpochMs } from '../core/time.ts'

export interface CheckpointPolicy {
  readonly intervalMs: DurationMs
  /** A checkpoint that takes longer counts as failed. */
  readonly timeoutMs: DurationMs
  /** Least time between the end of one and the begin of the next; urgent ones too keep `urgentPauseMs`. */
  readonly minPauseMs: DurationMs
  /** Failures in a row that are only retried; one more stops the pipeline. */
  readonly toleratedFailures: number
}

/** What one checkpoint writes, collected at one instant; side outputs become durable before it commits. */
export interface CheckpointContent {
  readonly operations: readonly StateOperation[]
  /** Resolves to the operations that depend on other files having been written. */
  readonly marks: Promise<readonly StateOperation[]>
  /** Called once it is durable. */
  readonly committed: () => void
}

/** Windows that fired are committed at once, but not more often than this. */
const urgentPauseMs = 200

const durations = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/**
 * Decides when to take checkpoints and sees them through. idle → collecting → writing → idle; a failure goes back to idle
 * and keeps what it could not write for the next one.
 */
export class Checkpointer {
  readonly #store: StateStore
  readonly #policy: CheckpointPolicy
  readonly #telemetry: Telemetry
  readonly #duration: Histogram
  readonly #bytes: Gauge
  readonly #failures: Counter
  #number: number
  #running: Promise<void> | undefined
  /** The last write to the store; never rejects. */
  #writing: Promise<unknown> = Promise.resolve()
  #urgent = false
  #endedAt: EpochMs
  #succeededAt: EpochMs
  #failedInARow = 0
  #fatal: WardenError | undefined
  /** Operations of checkpoints that failed: the next one writes them first. */
  #unwritten: StateOperation[] = []

  constructor(store: StateStore, policy: CheckpointPolicy, telemetry: Telemetry) {
    this.#store = store
    this.#policy = policy
    this.#telemetry = telemetry
    this.#number = readNumber(store)
    this.#endedAt = telemetry.clock.now()
    this.#succeededAt = this.#endedAt
    const { metrics } = telemetry
    this.#duration = metrics.histogram(
      'warden_checkpoint_duration_seconds',
      'From collecting a checkpoint to its being durable',
      durations,
    )
    this.#bytes = metrics.gauge('warden_checkpoint_size_bytes', 'Bytes the last checkpoint wrote')
    this.#failures = metrics.counter(
      'warden_checkpoint_failures_total',
      'Checkpoints that failed or timed out',
      ['code'],
    )
  }

  get running(): boolean {
    return this.#running !== undefined
  }

  /** A checkpoint that takes longer counts as failed. */
  get timeoutMs(): DurationMs {
    return this.#policy.timeoutMs
  }

  get succeededAt(): EpochMs {
    return this.#succeededAt
  }

  /** Something waits to be sent or must not be lost: commit soon. */
  request(): void {
    this.#urgent = true
  }

  /** Is it time for a checkpoint? */
  isDue(now: EpochMs): boolean {
    if (this.#running !== undefined) return false
    const since = now - this.#endedAt
    if (this.#failedInARow > 0) return since >= this.#retryPauseMs
    if (this.#urgent) return since >= urgentPauseMs
    return since >= Math.max(this.#policy.minPauseMs, this.#policy.intervalMs)
  }

  /** Starts a checkpoint of what `collect` gives (called before this returns, with the checkpoint's number). */
  start(collect: (number: number) => CheckpointContent): void {
    this.#urgent = false
    const begun = this.#telemetry.clock.now()
    const content = collect(++this.#number)
    this.#telemetry.logger.debug({ checkpoint: this.#number }, 'checkpoint collected')
    this.#running = this.#see(content, begun).finally(() => {
      this.#running = undefined
      this.#endedAt = this.#telemetry.clock.now()
    })
  }

  /** A checkpoint of its own after the one under way, tried again until it is durable. @throws the error that stops the pipeline, when too many failed. */
  async complete(collect: (number: number) => CheckpointContent): Promise<void> {
    await this.settled()
    for (;;) {
      this.start(collect)
      await this.settled()
      if (this.#failedInARow === 0) return
      await this.#telemetry.clock.sleep(this.#retryPauseMs)
    }
  }

  /** Resolves when no checkpoint is under way. @throws the error that stops the pipeline, when too many failed. */
  async settled(): Promise<void> {
    await this.#running
    this.check()
  }

  /** Resolves when nothing is being written any more, given-up checkpoints included: only then may the state be read anew. */
  async idle(): Promise<void> {
    await this.#running
    await this.#writing
  }

  /** @throws the error that stops the pipeline, when too many failed. */
  check(): void {
    if (this.#fatal !== undefined) throw this.#fatal
  }

  get #retryPauseMs(): number {
    return Math.max(this.#policy.minPauseMs, urgentPauseMs)
  }

  async #see(content: CheckpointContent, begun: EpochMs): Promise<void> {
    const { clock } = this.#telemetry
    const done = this.#write(content)
    this.#writing = done
    for (;;) {
      const outcome = await this.#within(done)
      if (outcome === 'slow') {
        this.#fail(
          new WardenError(
            'checkpoint_timeout',
            `checkpoint ${this.#number} is not done after ${(clock.now() - begun) / 1000} s; waiting on`,
          ),
        )
        if (this.#fatal !== undefined) return
        continue
      }
      if (outcome !== undefined) {
        this.#unwritten = [...this.#unwritten, ...content.operations]
        this.#fail(outcome)
        return
      }
      this.#unwritten = []
      this.#succeededAt = clock.now()
      this.#duration.observe((this.#succeededAt - begun) / 1000)
      if (this.#failedInARow > 0) {
        this.#telemetry.logger.info({ checkpoint: this.#number }, 'checkpoints succeed again')
      }
      this.#failedInARow = 0
      this.#telemetry.logger.debug({ checkpoint: this.#number }, 'checkpoint durable')
      try {
        content.committed()
      } catch (cause) {
        // It is durable all the same; the pipeline goes on from there when it is built anew.
        this.#fatal = asWardenError(cause)
      }
      return
    }
  }

  async #write(content: CheckpointContent): Promise<WardenError | undefined> {
    try {
      const marks = await content.marks
      const number = {
        kind: 'put',
        key: numberKey,
        value: Buffer.from(String(this.#number)),
      } as const
      const operations = [...this.#unwritten, ...content.operations, ...marks, number]
      await this.#store.commit(operations)
      this.#bytes.set(sizeOf(operations))
      return undefined
    } catch (error) {
      return asWardenError(error)
    }
  }

  /** What `done` gives, or `slow` when that takes longer than a checkpoint may. */
  async #within(done: Promise<WardenError | undefined>): Promise<WardenError | undefined | 'slow'> {
    let cancel = () => {}
    const timeout = new Promise<'slow'>((resolve) => {
      cancel = this.#telemetry.clock.after(this.#policy.timeoutMs, () => resolve('slow'))
    })
    try {
      return await Promise.race([done, timeout])
    } finally {
      cancel()
    }
  }

  #fail(error: WardenError): void {
    this.#failedInARow++
    this.#failures.add(1, { code: error.code })
    const fields = { err: error, checkpoint: this.#number, inARow: this.#failedInARow }
    // Who may not commit any more does not become allowed to by trying again.
    if (error.code === 'lease_lost') this.#fatal = error
    else if (this.#failedInARow > this.#policy.toleratedFailures) {
      this.#fatal = error
      this.#telemetry.logger.error(fields, 'too many checkpoints failed in a row')
    } else {
      this.#telemetry.logger.warn(fields, 'a checkpoint failed and will be tried again')
    }
  }
}

const numberKey = 'checkpoint'

function readNumber(store: StateStore): number {
  const saved = store.get(numberKey)
  return saved === undefined ? 0 : Number(Buffer.from(saved).toString('utf8'))
}

function sizeOf(operations: readonly StateOperation[]): number {
  let bytes = 0
  for (const operation of operations) {
    if (operation.kind === 'put') bytes += operation.key.length + operation.value.length
  }
  return bytes
}
