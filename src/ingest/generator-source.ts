import { WardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { GeneratorPartition, identityOf, planOf } from './generator-partition.ts'
import { LendingEvents, type LendingPlan, maxEventsPerSecond } from './lending-events.ts'
import type { PartitionPosition, PartitionStatus, Source, SourceBatch } from './source.ts'
import { Wakeup } from './wakeup.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Shortest wait for the next event: what comes faster comes in batches. */
const tickMs = 10

export interface GeneratorSourceOptions {
  readonly name: string
  /** Mean events per second of processing time, over all partitions. */
  readonly rate: number
  /** Event time per processing time: at 3,600 an hour closes every second. Falls to 1 when event time meets the wall clock. */
  readonly speed: number
  readonly seed: number
  /** Size of the population that the users come from. */
  readonly users: number
  /** Default 1. */
  readonly partitions?: number
  /** Ends after so many events; default: never. */
  readonly limit?: number
  /** Where event time starts without a checkpoint. Default: 30 days ago, at the full hour. */
  readonly start?: EpochMs
  /** false: everything up to the wall clock as fast as it is taken, for trials. Default true. */
  readonly paced?: boolean
  /** Default 256 KiB. */
  readonly batchBytes?: number
}

/**
 * A made-up lending business. Everything follows from the plan (which is in the identity of the positions) and the
 * offset: a restart goes on with exactly the bytes that would have come, and event time goes on where it was.
 * A plan in the checkpoint wins over a changed config.
 */
export class GeneratorSource implements Source {
  readonly name: string
  readonly bounded: boolean
  readonly #options: GeneratorSourceOptions
  readonly #telemetry: Telemetry
  readonly #partitions: GeneratorPartition[] = []
  readonly #changed = new Wakeup()
  /** Event time stood at `event` when the wall clock stood at `wall`. */
  #anchor = { wall: 0, event: 0 }
  #next = 0

  constructor(options: GeneratorSourceOptions, telemetry: Telemetry) {
    const partitions = options.partitions ?? 1
    const perSecond = options.rate / options.speed
    if (!(perSecond > 0) || perSecond / partitions > maxEventsPerSecond)
      throw new WardenError(
        'config_invalid',
        `source ${options.name}: rate ÷ speed is ${perSecond} events per second of event time; it must be above 0 and at most ${maxEventsPerSecond * partitions}`,
      )
    this.name = options.name
    this.bounded = options.limit !== undefined
    this.#options = options
    this.#telemetry = telemetry
  }

  async open(positions: ReadonlyMap<string, PartitionPosition>): Promise<void> {
    const [known] = positions.values()
    const plan = known === undefined ? this.#plan() : planOf(known.identity)
    const wanted = { ...this.#plan(), start: plan.start }
    if (identityOf(wanted, 0) !== identityOf(plan, 0))
      this.#telemetry.logger.warn(
        { source: this.name, running: plan, configured: wanted },
        'the generator goes on with the plan of its checkpoint; remove the state to change it',
      )
    for (let i = 0; i < plan.partitions; i += 1) {
      const { limit } = this.#options
      const share =
        limit === undefined
          ? undefined
          : Math.floor(limit / plan.partitions) + (i < limit % plan.partitions ? 1 : 0)
      const events = new LendingEvents(plan, i)
      const due = { eventNow: () => this.#eventNow(), now: () => this.#telemetry.clock.now() }
      const partition = new GeneratorPartition(i, plan, events, due, share)
      const position = positions.get(partition.name)
      if (position !== undefined) partition.restore(position)
      this.#partitions.push(partition)
    }
    const next = Math.min(...this.#partitions.map((each) => each.nextArrival()))
    this.#anchor = { wall: this.#telemetry.clock.now(), event: next }
  }

  take(): SourceBatch | undefined {
    const count = this.#partitions.length
    for (let i = 0; i < count; i += 1) {
      const partition = this.#partitions[(this.#next + i) % count]
      if (partition === undefined || partition.held) continue
      const batch = partition.take(this.#options.batchBytes ?? 256 * 1024)
      if (batch === undefined) continue
      this.#next = (partition.index + 1) % count
      return batch
    }
    return undefined
  }

  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    while (!this.ended()) {
      const open = this.#partitions.filter((each) => !each.held && !each.ended)
      if (open.some((each) => each.due())) return
      const next = Math.min(...open.map((each) => each.nextArrival()))
      if (await this.#pause(next, signal)) return
    }
  }

  partitions(): readonly PartitionStatus[] {
    return this.#partitions
  }

  hold(partition: number, held: boolean): void {
    const found = this.#partitions[partition]
    if (found === undefined || found.held === held) return
    found.held = held
    this.#changed.notify()
  }

  async checkpointed(): Promise<void> {}

  ended(): boolean {
    return this.bounded && this.#partitions.every((each) => each.ended)
  }

  async close(): Promise<void> {}

  #plan(): LendingPlan {
    const now = this.#telemetry.clock.now()
    return {
      seed: this.#options.seed,
      start: this.#options.start ?? epochMs(Math.floor((now - 30 * dayMs) / hourMs) * hourMs),
      eventsPerSecond: this.#options.rate / this.#options.speed,
      users: this.#options.users,
      partitions: this.#options.partitions ?? 1,
    }
  }

  /** Where event time stands: never ahead of the wall clock. */
  #eventNow(): number {
    const now = this.#telemetry.clock.now()
    if (this.#options.paced === false) return now
    return Math.min(now, this.#anchor.event + (now - this.#anchor.wall) * this.#options.speed)
  }

  /** Waits for event time to come to `next`, or for a changed hold: then true. Infinity waits for that alone. */
  async #pause(next: number, signal: AbortSignal): Promise<boolean> {
    const now = this.#telemetry.clock.now()
    const ahead = next - this.#eventNow()
    // Past the wall clock event time goes as fast as that does.
    const byWall = next - now
    const waitMs = Math.max(tickMs, byWall, Math.ceil(ahead / this.#options.speed))
    const stop = new AbortController()
    const stopped = AbortSignal.any([signal, stop.signal])
    const changed = this.#changed.wait(stopped).then(() => true)
    const slept = Number.isFinite(waitMs)
      ? this.#telemetry.clock.sleep(waitMs, stopped).then(() => false)
      : changed
    try {
      return await Promise.race([changed, slept])
    } finally {
      stop.abort()
      await Promise.allSettled([changed, slept])
    }
  }
}
