import type { DataPoint } from './sink.ts'

/** One point of the store on its way: of all its revisions that were read, only the newest is ever sent. */
export interface Slot {
  readonly key: string
  point: DataPoint
  state: 'ready' | 'in-flight' | 'delayed' | 'settling' | 'done'
  /** When it became ready, processing time. */
  readyAt: number
  /** A newer revision came while this one was in flight. */
  superseded: boolean
  /** Failed sends since it was last written. */
  attempts: number
  /** An older write of unknown outcome may still land on it. */
  suspect: boolean
  /** When the last such outcome was seen. */
  suspectSince: number
  /** The send under way is late enough that nothing older lands after it. */
  confirming: boolean
  /** When it began to settle. */
  settlingSince: number
  readonly unwrittenIn: EntryProgress[]
  readonly writtenIn: EntryProgress[]
}

/** How far one entry of the outbox is. */
export interface EntryProgress {
  readonly position: number
  readonly appendedAt: number
  /** Oldest timestamp among its points, epoch seconds. */
  readonly oldest: number
  /** Points that hold the cursor back. */
  open: number
  /** Points of which no revision as new as any here was acknowledged by the store. */
  unwritten: number
  /** Given up: nothing waits for it any more. */
  dropped: boolean
}

export function newSlot(key: string, point: DataPoint, now: number): Slot {
  return {
    key,
    point,
    state: 'ready',
    readyAt: now,
    superseded: false,
    attempts: 0,
    suspect: false,
    suspectSince: Number.NEGATIVE_INFINITY,
    confirming: false,
    settlingSince: 0,
    unwrittenIn: [],
    writtenIn: [],
  }
}

export function isSettling(slot: Slot, since: number): boolean {
  return slot.state === 'settling' && slot.settlingSince === since
}

/** Does an entry that was not given up need this point? */
export function isNeeded(slot: Slot): boolean {
  return [slot.unwrittenIn, slot.writtenIn].some((all) => all.some(({ dropped }) => !dropped))
}
