import { WardenError } from '../core/errors.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { EpochMs } from '../core/time.ts'
import { type Cursor, cursorKey, offer, readCursors } from './outbox-cursors.ts'
import {
  type BlockSummary,
  decodePoints,
  encodePoints,
  inspectPoints,
  oldestTimestamp,
  type PointBlock,
} from './point-codec.ts'
import type { DataPoint } from './sink.ts'

export interface OutboxOptions {
  /** Names of the sinks of the config: each has a cursor. */
  readonly sinks: readonly string[]
  /** Encoded bytes that wait for a sink, at which the outbox is full. */
  readonly maxBytes: number
  /** Sinks for which nobody waits: what they have not acknowledged never makes the outbox full. Their deliveries bound it. */
  readonly spilling?: ReadonlySet<string>
}

/** An entry as a reader sees it. */
export interface OutboxEntry extends PointBlock {
  readonly position: number
}

/** A cursor of a sink that the config no longer has. */
export interface RemovedSink {
  readonly sink: string
  /** Points that it never acknowledged and now never will. */
  readonly points: number
}

const entryPrefix = 'outbox/'
const entryEnd = 'outbox0'

/** Points and bytes of one entry: small, so that a slow sink never holds more than this beyond what it wants. */
const entryMaxPoints = 500

interface IndexEntry {
  readonly appendedAt: EpochMs
  /** Points and bytes of all entries before this one, since the process started. */
  readonly pointsBefore: number
  readonly bytesBefore: number
  /** Oldest timestamp among its points, epoch seconds. */
  readonly oldest: number
}

/**
 * The log of points between counting and the sinks: part of the state, written in the caller's checkpoint transactions and
 * read by every sink at its own pace. A position counts entries; a cursor is the next position to acknowledge.
 *
 * Use: put what `append` and `cursorOperations` return into one transaction, and call `committed` when that is durable. If
 * it failed, do the same again: both return everything that is not yet known to be durable. Calls between building a
 * transaction and its end are right when `committed` gets the `end` that was read when it was built.
 */
export class Outbox {
  readonly maxBytes: number
  /** Sinks of an earlier config. Their cursors go with the next `cursorOperations`. */
  readonly removed: readonly RemovedSink[]
  readonly #store: StateStore
  readonly #spilling: ReadonlySet<string>
  readonly #index: IndexEntry[] = []
  /** Position of `#index[0]`. */
  #first = 0
  /** Entries from here on are not durable yet and nobody reads them. */
  #visible: number
  #points = 0
  #bytes = 0
  readonly #staged: StateOperation[] = []
  readonly #cursors = new Map<string, Cursor>()
  readonly #dropped: StateOperation[] = []
  #removedFromStoreBelow: number
  #offeredRemovalBelow: number
  readonly #listeners = new Set<() => void>()

  /** Restores what the store holds. A sink without a cursor starts at the end. @throws WardenError `state_corrupt` */
  constructor(store: StateStore, options: OutboxOptions) {
    this.#store = store
    this.maxBytes = options.maxBytes
    this.#spilling = options.spilling ?? new Set()
    const cursors = readCursors(store)
    this.#restoreEntries(Math.max(0, ...cursors.values()))
    this.#visible = this.end
    this.#removedFromStoreBelow = this.#first
    this.#offeredRemovalBelow = this.#first
    for (const sink of options.sinks) {
      const saved = cursors.get(sink)
      const position = Math.max(saved ?? this.end, this.#first)
      this.#cursors.set(sink, { position, saved, offered: undefined })
      cursors.delete(sink)
    }
    this.removed = [...cursors].map(([sink, position]) => {
      this.#dropped.push({ kind: 'remove', key: cursorKey(sink) })
      return { sink, points: this.#pointsFrom(Math.max(position, this.#first)) }
    })
  }

  /** Position after the last entry, those not yet durable included. */
  get end(): number {
    return this.#first + this.#index.length
  }

  /** Position after the last durable entry. */
  get visibleEnd(): number {
    return this.#visible
  }

  /** Encoded bytes that some sink has not acknowledged. */
  get bytes(): number {
    return this.#bytes - this.#bytesBefore(this.#lowestCursor())
  }

  /** Stages points and returns the operations that make them, and everything staged before them, durable. */
  append(points: readonly DataPoint[], at: EpochMs): StateOperation[] {
    if (this.#cursors.size > 0) {
      for (let from = 0; from < points.length; from += entryMaxPoints) {
        const part = points.slice(from, from + entryMaxPoints)
        const value = encodePoints(part, at)
        this.#staged.push({ kind: 'put', key: entryKey(this.end), value })
        this.#push({
          appendedAt: at,
          count: part.length,
          oldest: oldestTimestamp(part),
          bytes: value.length,
        })
      }
    }
    // A sink that starts at the end must find its cursor there after a crash, or what was appended meanwhile is not its own.
    const operations: StateOperation[] = []
    for (const [sink, cursor] of this.#cursors) {
      if (cursor.saved === undefined) operations.push(offer(sink, cursor))
    }
    return operations.concat(this.#staged)
  }

  /**
   * Acknowledgements since the last transaction, and the removal of entries that no sink needs.
   * Take them before side outputs are flushed, so that no refused point is passed whose dead letter is not in the same checkpoint.
   */
  cursorOperations(): StateOperation[] {
    const operations: StateOperation[] = [...this.#dropped]
    for (const [sink, cursor] of this.#cursors) {
      if (cursor.saved !== cursor.position) operations.push(offer(sink, cursor))
    }
    const lowest = Math.min(this.#lowestCursor(), this.#visible)
    if (lowest > this.#removedFromStoreBelow) {
      this.#offeredRemovalBelow = lowest
      // From the very start, so that what a failed transaction left is caught up with.
      operations.push({ kind: 'remove-range', from: entryPrefix, to: entryKey(lowest) })
    }
    return operations
  }

  /** The last operations handed out are durable: entries below `end` become visible to the sinks. */
  committed(end: number = this.end): void {
    this.#staged.splice(0, Math.max(0, end - this.#visible))
    this.#visible = Math.max(this.#visible, end)
    this.#dropped.length = 0
    for (const cursor of this.#cursors.values()) {
      cursor.saved = cursor.offered ?? cursor.saved
      cursor.offered = undefined
    }
    this.#removedFromStoreBelow = this.#offeredRemovalBelow
    this.#forget(this.#removedFromStoreBelow)
    this.#tell()
  }

  /** No room: the pipeline waits until a sink has caught up. Cursors move on with checkpoints that append nothing. */
  full(): boolean {
    let lowest = this.end
    for (const [sink, { position }] of this.#cursors) {
      if (!this.#spilling.has(sink)) lowest = Math.min(lowest, position)
    }
    return this.#bytes - this.#bytesBefore(lowest) >= this.maxBytes
  }

  /** Calls `listener` when entries became visible or a cursor moved; the returned function ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  cursor(sink: string): number {
    return this.#cursorOf(sink).position
  }

  /** Everything below `position` needs no more writing to that sink. */
  acknowledge(sink: string, position: number): void {
    const cursor = this.#cursorOf(sink)
    if (position <= cursor.position) return
    if (position > this.#visible) {
      throw new WardenError(
        'internal',
        `${sink} acknowledged ${position}, the outbox ends at ${this.#visible}`,
      )
    }
    cursor.position = position
    this.#tell()
  }

  /** The visible entry at a position; undefined at the end. @throws WardenError `state_corrupt` */
  read(position: number): OutboxEntry | undefined {
    if (position >= this.#visible) return undefined
    const key = entryKey(position)
    const bytes = this.#store.get(key)
    if (bytes === undefined) throw new WardenError('state_corrupt', `${key} is missing`)
    return { position, ...decodePoints(bytes, key) }
  }

  /** Points from the sink's cursor on, those not yet durable included. */
  depth(sink: string): number {
    return this.#pointsFrom(this.cursor(sink))
  }

  /** Encoded bytes from the sink's cursor on, those not yet durable included. */
  bytesOf(sink: string): number {
    return this.#bytes - this.#bytesBefore(this.cursor(sink))
  }

  /** Points from one position on, before another. */
  pointsBetween(from: number, to: number): number {
    return Math.max(0, this.#pointsFrom(from) - this.#pointsFrom(to))
  }

  /** The first position from the sink's cursor on, among durable entries, after which at most so many bytes lie. */
  positionWithin(sink: string, bytes: number): number {
    let position = this.cursor(sink)
    while (position < this.#visible && this.#bytes - this.#bytesBefore(position) > bytes) position++
    return position
  }

  /** Oldest timestamp among the points from a position on, epoch seconds; infinite for none. */
  oldestFrom(position: number): number {
    let oldest = Number.POSITIVE_INFINITY
    for (let i = Math.max(0, position - this.#first); i < this.#index.length; i++) {
      oldest = Math.min(oldest, this.#index[i]?.oldest ?? oldest)
    }
    return oldest
  }

  /** When the entry at a position was appended; undefined at the end. */
  appendedAt(position: number): EpochMs | undefined {
    return this.#index[position - this.#first]?.appendedAt
  }

  #restoreEntries(emptyStart: number): void {
    for (const [key, value] of this.#store.range(entryPrefix, entryEnd)) {
      const position = Number.parseInt(key.slice(entryPrefix.length), 16)
      if (this.#index.length === 0) this.#first = position
      if (position !== this.end) {
        throw new WardenError('state_corrupt', `${entryKey(this.end)} is missing before ${key}`)
      }
      this.#push({ ...inspectPoints(value, key), bytes: value.length })
    }
    if (this.#index.length === 0) this.#first = emptyStart
    if (this.end < emptyStart) {
      throw new WardenError(
        'state_corrupt',
        `a cursor stands at ${emptyStart}, the outbox ends at ${this.end}`,
      )
    }
  }

  #push(entry: BlockSummary & { readonly bytes: number }): void {
    const { appendedAt, count, oldest, bytes } = entry
    this.#index.push({
      appendedAt,
      oldest,
      pointsBefore: this.#points,
      bytesBefore: this.#bytes,
    })
    this.#points += count
    this.#bytes += bytes
  }

  #forget(below: number): void {
    const count = Math.min(below - this.#first, this.#index.length)
    if (count <= 0) return
    this.#index.splice(0, count)
    this.#first += count
  }

  #pointsFrom(position: number): number {
    return this.#points - (this.#index[position - this.#first]?.pointsBefore ?? this.#points)
  }

  #bytesBefore(position: number): number {
    return this.#index[position - this.#first]?.bytesBefore ?? this.#bytes
  }

  #lowestCursor(): number {
    let lowest = this.end
    for (const cursor of this.#cursors.values()) lowest = Math.min(lowest, cursor.position)
    return lowest
  }

  #cursorOf(sink: string): Cursor {
    const cursor = this.#cursors.get(sink)
    if (cursor === undefined) throw new WardenError('internal', `the outbox has no sink ${sink}`)
    return cursor
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

function entryKey(position: number): string {
  return `${entryPrefix}${position.toString(16).padStart(16, '0')}`
}
