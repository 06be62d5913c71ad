import { pointKey, supersedes } from './data-point.ts'
import { type EntryProgress, isNeeded, isSettling, newSlot, type Slot } from './delivery-slot.ts'
import { Fifo } from './fifo.ts'
import type { OutboxEntry } from './outbox.ts'
import { oldestTimestamp } from './point-codec.ts'
import type { DataPoint, PointOutcome } from './sink.ts'

/** When old writes of unknown outcome are over: `settleMs` after both the outcome and the store's last failure. */
export interface Settling {
  readonly settleMs: number
  /** Start of the time without failed batches; undefined while the last one failed. */
  healthySince(): number | undefined
}

/**
 * The part of the outbox that a delivery has in memory: which points are to be sent, are in flight, wait, or settle, and up
 * to where everything is acknowledged. Never are two writes of one point in flight. Pure: time is an argument.
 */
export class DeliveryWindow {
  readonly #settling: Settling
  readonly #slots = new Map<string, Slot>()
  /** Entries that are not acknowledged, and those behind them, by position. */
  readonly #entries = new Fifo<EntryProgress>()
  /** Sent before `#queue`: what failed as a batch, oldest last. */
  #again: Slot[] = []
  #queue = new Fifo<Slot>()
  #delayed: { readonly until: number; readonly slots: readonly Slot[] }[] = []
  /** In order of `since`; a slot that left and came back is here twice, and only the later one counts. */
  readonly #settleQueue = new Fifo<{ readonly slot: Slot; readonly since: number }>()
  #settlingCount = 0
  #nextPosition: number

  constructor(cursor: number, settling: Settling) {
    this.#nextPosition = cursor
    this.#settling = settling
  }

  /** Position of the next entry to admit. */
  get nextPosition(): number {
    return this.#nextPosition
  }

  /** Points in memory. */
  get size(): number {
    return this.#slots.size
  }

  /** Points written and waiting for older writes to be over. */
  get settling(): number {
    return this.#settlingCount
  }

  /** Points that can be sent now. */
  get ready(): number {
    return this.#again.length + this.#queue.length
  }

  /** Everything below it is acknowledged for good. */
  get cursor(): number {
    return this.#entries.first()?.position ?? this.#nextPosition
  }

  /** Everything below it has been written, as far as it is the newest; some may yet be sent once more. */
  get writtenThrough(): number {
    return this.#oldestUnwritten()?.position ?? this.#nextPosition
  }

  /** When the oldest entry with something unwritten was appended. */
  get oldestUnwrittenAt(): number | undefined {
    return this.#oldestUnwritten()?.appendedAt
  }

  /** Oldest timestamp of an entry with something unwritten, epoch seconds; infinite when there is none. */
  get oldestUnwritten(): number {
    let oldest = Number.POSITIVE_INFINITY
    this.#entries.forEach((entry) => {
      if (entry.unwritten > 0) oldest = Math.min(oldest, entry.oldest)
    })
    return oldest
  }

  /**
   * Takes the next entry.
   * @param suspectSince when an earlier process may have sent it without knowing the outcome; undefined: nobody did
   * @returns how many points were replaced by newer ones, never to be sent
   */
  admit(entry: OutboxEntry, now: number, suspectSince: number | undefined): number {
    const progress: EntryProgress = {
      position: entry.position,
      appendedAt: entry.appendedAt,
      oldest: oldestTimestamp(entry.points),
      dropped: false,
      open: entry.points.length,
      unwritten: entry.points.length,
    }
    this.#entries.push(progress)
    this.#nextPosition = entry.position + 1
    let coalesced = 0
    for (const point of entry.points) {
      const key = pointKey(point)
      const known = this.#slots.get(key)
      const slot = known ?? this.#newSlot(key, point, now)
      if (known !== undefined) coalesced += this.#merge(known, point, progress, now)
      else slot.unwrittenIn.push(progress)
      if (suspectSince !== undefined && this.#settling.settleMs > 0) {
        slot.suspect = true
        slot.suspectSince = Math.max(slot.suspectSince, suspectSince)
      }
    }
    return coalesced
  }

  /** Moves what has waited long enough to `ready`. */
  wake(now: number): void {
    const due = this.#delayed.filter((group) => group.until <= now)
    if (due.length > 0) {
      this.#delayed = this.#delayed.filter((group) => group.until > now)
      for (const group of due) for (const slot of group.slots) this.#enqueue(slot, now)
    }
    for (;;) {
      const head = this.#settleQueue.first()
      if (head === undefined || this.#settledAt(head.since) > now) break
      this.#settleQueue.shift()
      if (!isSettling(head.slot, head.since)) continue
      this.#settlingCount--
      this.#enqueue(head.slot, now)
    }
  }

  /** When `wake` next has something to do by the passing of time alone; infinite when it has not. */
  wakeAt(): number {
    let at = Number.POSITIVE_INFINITY
    for (const group of this.#delayed) at = Math.min(at, group.until)
    const head = this.#settleQueue.first()
    return head === undefined ? at : Math.min(at, this.#settledAt(head.since))
  }

  /** Since when the longest waiting point is ready; undefined when none is. */
  readySince(): number | undefined {
    return (this.#again.at(-1) ?? this.#queue.first())?.readyAt
  }

  /** Up to `max` points, now in flight. */
  take(max: number, now: number): Slot[] {
    const batch: Slot[] = []
    while (batch.length < max) {
      const slot = this.#again.pop() ?? this.#queue.shift()
      if (slot === undefined) break
      slot.state = 'in-flight'
      slot.confirming = !slot.suspect || this.#settledAt(slot.suspectSince) <= now
      batch.push(slot)
    }
    return batch
  }

  /**
   * What became of slots in flight. A slot to retry waits until `retryAt(slot)`; a refused one is done with.
   * @returns points not written that were given up while they were in flight
   */
  complete(
    batch: readonly { readonly slot: Slot; readonly outcome: PointOutcome }[],
    now: number,
    retryAt: (slot: Slot) => number,
  ): number {
    let lost = 0
    const waiting = new Map<number, Slot[]>()
    // From the last to the first, so that what goes back keeps its order.
    for (const { slot, outcome } of [...batch].reverse()) {
      const newer = slot.superseded
      slot.superseded = false
      if (outcome.kind === 'retry' && !isNeeded(slot)) {
        this.#close(slot)
        lost++
      } else if (outcome.kind === 'retry') {
        slot.attempts++
        if (outcome.unknown && this.#settling.settleMs > 0) {
          slot.suspect = true
          slot.suspectSince = now
        }
        const until = retryAt(slot)
        if (until <= now) this.#sendAgain(slot, now)
        else {
          slot.state = 'delayed'
          const group = waiting.get(until)
          if (group === undefined) waiting.set(until, [slot])
          else group.push(slot)
        }
      } else {
        slot.attempts = 0
        if (newer) this.#sendAgain(slot, now)
        else if (outcome.kind === 'written') this.#written(slot, now)
        else this.#close(slot)
      }
    }
    for (const [until, slots] of waiting) this.#delayed.push({ until, slots: slots.reverse() })
    while (this.#entries.first()?.open === 0) this.#entries.shift()
    return lost
  }

  /**
   * Gives up every entry below `position`, admitted or not. What is in flight ends as it likes.
   * @returns points in memory that were not written and now never will be
   */
  dropBelow(position: number): number {
    for (let entry = this.#entries.first(); entry !== undefined; entry = this.#entries.first()) {
      if (entry.position >= position) break
      entry.dropped = true
      this.#entries.shift()
    }
    this.#nextPosition = Math.max(this.#nextPosition, position)
    let lost = 0
    for (const slot of this.#slots.values()) {
      if (slot.state === 'in-flight' || isNeeded(slot)) continue
      if (slot.state === 'settling') this.#settlingCount--
      else lost++
      slot.state = 'done'
      this.#slots.delete(slot.key)
    }
    const isReady = (slot: Slot) => slot.state === 'ready'
    this.#again = this.#again.filter(isReady)
    this.#queue = this.#queue.filter(isReady)
    this.#delayed = this.#delayed.map(({ until, slots }) => ({
      until,
      slots: slots.filter(({ state }) => state === 'delayed'),
    }))
    return lost
  }

  #newSlot(key: string, point: DataPoint, now: number): Slot {
    const slot = newSlot(key, point, now)
    this.#slots.set(key, slot)
    this.#queue.push(slot)
    return slot
  }

  /** A point whose key is in memory. Returns 1 when a revision will never be sent because of it. */
  #merge(slot: Slot, point: DataPoint, progress: EntryProgress, now: number): number {
    if (!supersedes(point, slot.point)) {
      if (slot.state === 'settling') {
        progress.unwritten--
        slot.writtenIn.push(progress)
      } else slot.unwrittenIn.push(progress)
      return 1
    }
    const neverSent = slot.state === 'ready' || slot.state === 'delayed' || slot.superseded
    slot.point = point
    slot.unwrittenIn.push(progress)
    if (slot.state === 'in-flight') slot.superseded = true
    if (slot.state === 'settling') {
      this.#settlingCount--
      this.#enqueue(slot, now)
    }
    return neverSent ? 1 : 0
  }

  #written(slot: Slot, now: number): void {
    for (const progress of slot.unwrittenIn) progress.unwritten--
    slot.writtenIn.push(...slot.unwrittenIn)
    slot.unwrittenIn.length = 0
    if (!slot.suspect || slot.confirming) {
      this.#close(slot)
      return
    }
    slot.state = 'settling'
    slot.settlingSince = now
    this.#settlingCount++
    this.#settleQueue.push({ slot, since: now })
  }

  #close(slot: Slot): void {
    for (const progress of slot.unwrittenIn) {
      progress.unwritten--
      progress.open--
    }
    for (const progress of slot.writtenIn) progress.open--
    slot.state = 'done'
    this.#slots.delete(slot.key)
  }

  #enqueue(slot: Slot, now: number): void {
    slot.state = 'ready'
    slot.readyAt = now
    this.#queue.push(slot)
  }

  #sendAgain(slot: Slot, now: number): void {
    slot.state = 'ready'
    slot.readyAt = Math.min(slot.readyAt, now)
    this.#again.push(slot)
  }

  #settledAt(since: number): number {
    const healthySince = this.#settling.healthySince()
    if (healthySince === undefined) return Number.POSITIVE_INFINITY
    return Math.max(since, healthySince) + this.#settling.settleMs
  }

  #oldestUnwritten(): EntryProgress | undefined {
    return this.#entries.find((entry) => entry.unwritten > 0)
  }
}
