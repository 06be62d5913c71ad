import { WardenError } from '../core/errors.ts'

const version = 1
const headerBytes = 8

/**
 * Tuples of unsigned 32-bit words since the last checkpoint; encoded they are one blob of it.
 * Blob (little-endian): version u8, words of a tuple u8, 0 u16, tuples u32, then the words.
 */
export class KeyLog {
  readonly #width: number
  #words = new Uint32Array(0)
  #used = 0

  /** @param width words of a tuple */
  constructor(width: number) {
    this.#width = width
  }

  /** Tuples. */
  get length(): number {
    return this.#used / this.#width
  }

  get bytes(): number {
    return this.#words.byteLength
  }

  append(first: number, second: number, third = 0): void {
    if (this.#used + this.#width > this.#words.length) this.#grow()
    this.#words[this.#used] = first
    this.#words[this.#used + 1] = second
    if (this.#width > 2) this.#words[this.#used + 2] = third
    this.#used += this.#width
  }

  /** Encodes and empties the log; undefined when it is empty. */
  take(): Uint8Array | undefined {
    if (this.#used === 0) return undefined
    const blob = new Uint8Array(headerBytes + this.#used * 4)
    const header = new DataView(blob.buffer)
    header.setUint8(0, version)
    header.setUint8(1, this.#width)
    header.setUint32(4, this.length, true)
    new Uint32Array(blob.buffer, headerBytes).set(this.#words.subarray(0, this.#used))
    // A log that grew in a burst gives its memory back.
    if (this.#words.length > 4 * this.#used + 1024) this.#words = new Uint32Array(this.#used * 2)
    this.#used = 0
    return blob
  }

  /** The words of all tuples. @throws WardenError `state_corrupt` when the blob is not of this width */
  static decode(blob: Uint8Array, width: number): Uint32Array {
    // A Buffer's own slice would be a view of a pool that is not aligned.
    const bytes = new Uint8Array(blob)
    const header = new DataView(bytes.buffer)
    const sound =
      bytes.length >= headerBytes &&
      header.getUint8(0) === version &&
      header.getUint8(1) === width &&
      bytes.length === headerBytes + header.getUint32(4, true) * width * 4
    if (!sound)
      throw new WardenError('state_corrupt', 'a dedup blob in the state has another layout')
    return new Uint32Array(bytes.buffer, headerBytes)
  }

  /** Replaces the first word of every tuple of a blob, in place. The blob is as `take` gave it. */
  static renumber(blob: Uint8Array, width: number, renumbered: (first: number) => number): void {
    const words = new DataView(blob.buffer, blob.byteOffset + headerBytes)
    for (let at = 0; at < words.byteLength; at += width * 4) {
      words.setUint32(at, renumbered(words.getUint32(at, true)), true)
    }
  }

  #grow(): void {
    const next = new Uint32Array(Math.max(64 * this.#width, this.#words.length * 2))
    next.set(this.#words.subarray(0, this.#used))
    this.#words = next
  }
}
