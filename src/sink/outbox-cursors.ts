import { WardenError } from '../core/errors.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'

const cursorPrefix = 'outbox-cursor/'
const cursorEnd = 'outbox-cursor0'

export const cursorKey = (sink: string): string => `${cursorPrefix}${encodeURIComponent(sink)}`

/** How far one sink is. */
export interface Cursor {
  position: number
  /** What the store holds. */
  saved: number | undefined
  /** What the transaction under way would make it hold. */
  offered: number | undefined
}

/** Cursors that a state holds, sink → next position to acknowledge. @throws WardenError `state_corrupt` */
export function readCursors(store: StateStore): Map<string, number> {
  const cursors = new Map<string, number>()
  for (const [key, value] of store.range(cursorPrefix, cursorEnd)) {
    const text = new TextDecoder().decode(value)
    const [, position] = /^1 (\d{1,16})$/.exec(text) ?? []
    if (position === undefined) {
      throw new WardenError('state_corrupt', `${key} can't be read: ${JSON.stringify(text)}`)
    }
    cursors.set(decodeURIComponent(key.slice(cursorPrefix.length)), Number(position))
  }
  return cursors
}

/** The cursor as it is stored: version, space, position, as text, so that a person can read it. */
export function offer(sink: string, cursor: Cursor): StateOperation {
  cursor.offered = cursor.position
  return {
    kind: 'put',
    key: cursorKey(sink),
    value: new TextEncoder().encode(`1 ${cursor.position}`),
  }
}
