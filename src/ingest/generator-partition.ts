import { WardenError } from '../core/errors.ts'
import { type EpochMs, epochMs, MIN_TIME } from '../core/time.ts'
import {
  type LendingEvents,
  type LendingPlan,
  type LendingSlice,
  maxSliceBytes,
} from './lending-events.ts'
import type { PartitionPosition, PartitionStatus, SourceBatch } from './source.ts'

/** Changes with every change of the bytes that a plan gives. */
const version = 'lending-1'

/** The plan, and how many events of the partition came before. */
export function identityOf(plan: LendingPlan, events: number): string {
  const { seed, start, eventsPerSecond, users, partitions } = plan
  return JSON.stringify([version, seed, start, eventsPerSecond, users, partitions, events])
}

export function planOf(identity: string): LendingPlan & { readonly events: number } {
  const [found, seed, start, eventsPerSecond, users, partitions, events] = parsed(identity)
  if (found !== version)
    throw new WardenError(
      'state_incompatible',
      `the checkpoint was made with generator ${String(found)}, this is ${version}; remove the state to start anew`,
    )
  return {
    seed: Number(seed),
    start: epochMs(Number(start)),
    eventsPerSecond: Number(eventsPerSecond),
    users: Number(users),
    partitions: Number(partitions),
    events: Number(events),
  }
}

function parsed(identity: string): readonly unknown[] {
  try {
    const list: unknown = JSON.parse(identity)
    return Array.isArray(list) ? list : [identity]
  } catch {
    return [identity]
  }
}

/** The two clocks of the source. */
export interface EventClock {
  /** Events that arrived before it may be taken. */
  readonly eventNow: () => number
  readonly now: () => EpochMs
}

/**
 * One partition of the generator. Offsets are slice × 2^24 + byte within the slice: they need no count of what came
 * before, and leave gaps between slices.
 */
export class GeneratorPartition implements PartitionStatus {
  readonly index: number
  readonly name: string
  readonly readFrom = MIN_TIME
  readonly trouble = undefined
  readonly lost = undefined
  held = false
  readonly #plan: LendingPlan
  readonly #source: LendingEvents
  readonly #clock: EventClock
  readonly #limit: number
  #number = 0
  #slice: LendingSlice
  /** Next line of the slice. */
  #line = 0
  #offset = 0
  #events = 0

  constructor(
    index: number,
    plan: LendingPlan,
    source: LendingEvents,
    clock: EventClock,
    limit: number | undefined,
  ) {
    this.index = index
    this.name = String(index)
    this.#plan = plan
    this.#source = source
    this.#clock = clock
    this.#limit = limit ?? Number.POSITIVE_INFINITY
    this.#slice = source.slice(0)
  }

  restore(position: PartitionPosition): void {
    this.#offset = position.offset
    this.#events = planOf(position.identity).events
    this.#number = Math.floor(position.offset / maxSliceBytes)
    this.#slice = this.#source.slice(this.#number)
    const byte = position.offset % maxSliceBytes
    this.#line = byte === 0 ? 0 : this.#slice.ends.indexOf(byte) + 1
    if (byte > 0 && this.#line === 0)
      throw new WardenError(
        'state_incompatible',
        `offset ${position.offset} is no end of a generated event; remove the state to start anew`,
      )
  }

  get position(): PartitionPosition {
    return { offset: this.#offset, identity: identityOf(this.#plan, this.#events) }
  }

  get ended(): boolean {
    return this.#events >= this.#limit
  }

  get caughtUpAt(): EpochMs | undefined {
    return this.held || this.due() ? undefined : this.#clock.now()
  }

  get lag(): number | undefined {
    return this.due() ? undefined : 0
  }

  /** Arrival of the next event (at the latest: when the slice is through, the begin of the next one). */
  nextArrival(): number {
    return this.#slice.arrivals[this.#line] ?? this.#source.startOf(this.#number + 1)
  }

  /** Is there an event to take now? */
  due(): boolean {
    if (this.ended) return false
    const now = this.#clock.eventNow()
    while (this.#line >= this.#slice.count && this.#source.startOf(this.#number + 1) < now) {
      this.#number += 1
      this.#slice = this.#source.slice(this.#number)
      this.#line = 0
    }
    return (this.#slice.arrivals[this.#line] ?? Number.POSITIVE_INFINITY) < now
  }

  take(batchBytes: number): SourceBatch | undefined {
    if (!this.due()) return undefined
    const now = this.#clock.eventNow()
    const { arrivals, ends, bytes } = this.#slice
    const first = this.#line
    const start = ends[first - 1] ?? 0
    const most = Math.min(this.#slice.count, first + this.#limit - this.#events)
    let to = first + 1
    while (to < most && (arrivals[to] ?? now) < now && (ends[to] ?? 0) - start <= batchBytes)
      to += 1
    const end = ends[to - 1] ?? 0
    const base = this.#number * maxSliceBytes
    this.#line = to
    this.#events += to - first
    this.#offset = base + end
    return {
      partition: this.index,
      framing: 'lines',
      bytes: bytes.subarray(start, end),
      fromOffset: base + start,
      nextOffset: base + end,
      recordTimestamp: this.#clock.now(),
      aborted: [],
    }
  }
}
