import { alloc, at, same } from './bytes'

/** What a slot holds. */
export const MISSING: u32 = 0
export const STRING: u32 = 1
export const NUMBER: u32 = 2
export const TRUE: u32 = 3
export const FALSE: u32 = 4
export const NULL: u32 = 5
export const OBJECT: u32 = 6
export const ARRAY: u32 = 7

/** One configured path in the document that was walked last. */
@unmanaged
export class Slot {
  /** Bytes of the value, without quotes and with escapes resolved; unset for objects and arrays. */
  from: usize
  to: usize
  kind: u32
  /** Symbol of its text + 1; 0 when it was not asked for. */
  symbol: i32
}

/** One wanted key of an object. */
@unmanaged
export class Entry {
  key: usize
  keyLength: usize
  /** Next entry of the same node and key hash. */
  next: Entry | null
  /** null when only paths below it are wanted. */
  slot: Slot | null
  /** Table of the object below it; 0 when nothing below it is wanted. */
  below: usize
  /** Slots below it, which a repeated key resets. */
  resets: usize
  resetCount: u32
}

/** Cells of a node: entries by key hash. Behind them lie its members. */
const CELLS: usize = 64

/** Members of a node that are expected; those behind them are looked up. */
const MAX_MEMBERS: usize = 64
/** Longest `"key":` that is expected. */
const MAX_SPELLING: usize = 32

/**
 * A member of an object with wanted keys, as an earlier document had it in this place: documents of a topic are made by few
 * programs, so that one comparison says which key comes, and that it is well-formed.
 */
@unmanaged
class Member {
  /** null when it is not wanted. */
  entry: Entry | null
  /** Length of `"key":`, which lies behind these fields. */
  length: usize
}

const MEMBER_BYTES: usize = 48

let slots: usize = 0
let slotsEnd: usize = 0

/** Makes the slots. */
export function makeSlots(count: i32): void {
  slots = alloc(<usize>count * offsetof<Slot>())
  slotsEnd = slots + <usize>count * offsetof<Slot>()
}

export function slotAt(index: i32): Slot {
  return changetype<Slot>(slots + <usize>index * offsetof<Slot>())
}

/** Forgets the document before. */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function resetSlots(): void {
  for (let p = slots; p < slotsEnd; p += offsetof<Slot>()) {
    store<u64>(p, 0, offsetof<Slot>('kind'))
  }
}

/** An object with wanted keys. */
export function makeNode(): usize {
  // Two members more, which are never expected: who looks at one may look at the next.
  const size = CELLS * sizeof<usize>() + (MAX_MEMBERS + 2) * MEMBER_BYTES
  const node = alloc(size)
  // A zero byte, which is no quote, is never found.
  for (let member = firstMember(node); member < node + size; member += MEMBER_BYTES) {
    changetype<Member>(member).length = 1
  }
  return node
}

/** The member that is expected first. */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function firstMember(node: usize): usize {
  return node + CELLS * sizeof<usize>()
}

// @ts-ignore: a decorator of AssemblyScript
@inline
export function nextMember(member: usize): usize {
  return member + MEMBER_BYTES
}

/** The member behind one that was read. */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function memberBehind(node: usize, member: usize): usize {
  return min(nextMember(member), firstMember(node) + MAX_MEMBERS * MEMBER_BYTES)
}

/** Does the member begin at `p`, with its colon? */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function isMember(member: usize, p: usize): bool {
  return same(member + offsetof<Member>(), p, changetype<Member>(member).length)
}

// @ts-ignore: a decorator of AssemblyScript
@inline
export function memberLength(member: usize): usize {
  return changetype<Member>(member).length
}

// @ts-ignore: a decorator of AssemblyScript
@inline
export function memberEntry(member: usize): Entry | null {
  return changetype<Member>(member).entry
}

/** Expects the member whose `"key":` is `from ≤ i < to` in this place from now on. */
export function expectMember(node: usize, member: usize, from: usize, to: usize, entry: Entry | null): void {
  if (to - from > MAX_SPELLING || member == firstMember(node) + MAX_MEMBERS * MEMBER_BYTES) return
  const expected = changetype<Member>(member)
  expected.entry = entry
  expected.length = to - from
  memory.copy(member + offsetof<Member>(), from, to - from)
}

/**
 * Adds a wanted key to a node.
 * @param slot -1 for none
 * @param below 0 for none
 */
export function makeEntry(node: usize, key: usize, keyLength: usize, slot: i32, below: usize, resetCount: u32): usize {
  const entry = changetype<Entry>(alloc(offsetof<Entry>()))
  entry.key = key
  entry.keyLength = keyLength
  entry.slot = slot < 0 ? null : slotAt(slot)
  entry.below = below
  entry.resets = alloc(resetCount * sizeof<usize>())
  entry.resetCount = 0
  const first = keyLength == 0 ? 34 : at(key)
  const last = keyLength == 0 ? 34 : at(key + keyLength - 1)
  const cell = node + cellOf(keyLength, first, last)
  entry.next = changetype<Entry | null>(load<usize>(cell))
  store<usize>(cell, changetype<usize>(entry))
  return changetype<usize>(entry)
}

/** Adds a slot that lies below the entry. */
export function makeReset(entryAt: usize, slot: i32): void {
  const entry = changetype<Entry>(entryAt)
  store<usize>(entry.resets + entry.resetCount * sizeof<usize>(), changetype<usize>(slotAt(slot)))
  entry.resetCount++
}

/** What an earlier key of the same name gave below it is forgotten. */
export function resetBelow(entry: Entry): void {
  for (let k: usize = 0; k < entry.resetCount; k++) {
    changetype<Slot>(load<usize>(entry.resets + k * sizeof<usize>())).kind = MISSING
  }
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function cellOf(length: usize, first: u32, last: u32): usize {
  return ((length * 13 + first * 5 + last * 29) & (CELLS - 1)) * sizeof<usize>()
}

/** Entry of the node for a key; null when it is not wanted. An empty key must lie between quotes. */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function entryOf(node: usize, key: usize, length: usize): Entry | null {
  let entry = changetype<Entry | null>(load<usize>(node + cellOf(length, at(key), at(key + length - 1))))
  while (entry !== null) {
    if (entry.keyLength == length && same(entry.key, key, length)) return entry
    entry = entry.next
  }
  return null
}
