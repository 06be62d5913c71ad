import type { FieldPath } from '../core/plan.ts'

const QUOTE = 34
const TABLE_BITS = 8

/** One wanted key of a node. */
export interface PathEntry {
  readonly node: number
  /** UTF-8. */
  readonly key: Uint8Array
  /** -1 when only paths below it are wanted. */
  readonly slot: number
  /** Node below it; -1 when nothing below it is wanted. */
  readonly below: number
}

/**
 * The paths that a config reads, as a tree of keys that is searched by bytes. A **slot** is a path's index, a **node** an object
 * that has wanted keys (0 is the document), an **entry** one wanted key of a node.
 */
export class JsonPaths {
  readonly entries: readonly PathEntry[]
  /** Slot of each entry; -1 when only paths below it are wanted. */
  readonly slotOf: Int32Array
  /** Node below each entry; -1 when nothing below it is wanted. */
  readonly nodeBelow: Int32Array
  /** Slots below each node: what a repeated key resets. */
  readonly slotsBelow: readonly Int32Array[]
  readonly size: number
  readonly #slots = new Map<string, number>()
  /** First entry of a node by key hash, else -1. */
  readonly #first: Int16Array
  /** Next entry of the same node and key hash, else -1. */
  readonly #next: Int16Array
  readonly #keyFrom: Int32Array
  readonly #keyLength: Int32Array
  readonly #keys: Uint8Array

  /** @param paths repetitions are taken once */
  constructor(paths: readonly FieldPath[]) {
    const encoder = new TextEncoder()
    const entries: { node: number; key: Uint8Array; slot: number; below: number }[] = []
    const entryOf = new Map<string, number>()
    const below: number[][] = [[]]
    for (const path of paths) {
      if (this.#slots.has(JSON.stringify(path))) continue
      const slot = this.#slots.size
      this.#slots.set(JSON.stringify(path), slot)
      let node = 0
      for (const [depth, key] of path.entries()) {
        below[node]?.push(slot)
        const id = JSON.stringify([node, key])
        const index = entryOf.get(id) ?? entries.length
        const entry = entries[index] ?? { node, key: encoder.encode(key), slot: -1, below: -1 }
        if (index === entries.length) entries.push(entry)
        entryOf.set(id, index)
        if (depth === path.length - 1) entry.slot = slot
        else {
          if (entry.below < 0) entry.below = below.push([]) - 1
          node = entry.below
        }
      }
    }
    this.entries = entries
    this.size = this.#slots.size
    this.slotOf = Int32Array.from(entries, (entry) => entry.slot)
    this.nodeBelow = Int32Array.from(entries, (entry) => entry.below)
    this.slotsBelow = below.map((slots) => Int32Array.from(slots))
    this.#first = new Int16Array(below.length << TABLE_BITS).fill(-1)
    this.#next = new Int16Array(entries.length).fill(-1)
    this.#keyFrom = new Int32Array(entries.length)
    this.#keyLength = Int32Array.from(entries, (entry) => entry.key.length)
    this.#keys = new Uint8Array(entries.reduce((sum, entry) => sum + entry.key.length, 0))
    let from = 0
    for (const [index, { node, key }] of entries.entries()) {
      this.#keys.set(key, from)
      this.#keyFrom[index] = from
      from += key.length
      const cell = (node << TABLE_BITS) | hashOf(key.length, key[0] ?? QUOTE, key.at(-1) ?? QUOTE)
      this.#next[index] = this.#first[cell] as number
      this.#first[cell] = index
    }
  }

  /** Slot of a path that was given to the constructor. */
  slot(path: FieldPath): number {
    const slot = this.#slots.get(JSON.stringify(path))
    if (slot === undefined) throw new RangeError(`no slot for ${path.join('.')}`)
    return slot
  }

  /** Entry of the node for the key in `start ≤ i < end`; -1 when it is not wanted. An empty key must lie between quotes. */
  entry(node: number, b: Uint8Array, start: number, end: number): number {
    const length = end - start
    const cell = (node << TABLE_BITS) | hashOf(length, b[start] as number, b[end - 1] as number)
    let entry = this.#first[cell] as number
    while (entry >= 0) {
      if (this.#keyLength[entry] === length) {
        const keys = this.#keys
        let k = this.#keyFrom[entry] as number
        let i = start
        while (i < end && b[i] === keys[k]) {
          i++
          k++
        }
        if (i === end) return entry
      }
      entry = this.#next[entry] as number
    }
    return -1
  }
}

function hashOf(length: number, first: number, last: number): number {
  return (length * 13 + first * 5 + last * 29) & ((1 << TABLE_BITS) - 1)
}
