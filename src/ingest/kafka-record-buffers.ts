/** Smaller ones cost the garbage collector nothing. */
const leastBytes = 65_536
/** Kept for later at most; the rest goes to the garbage collector. */
const maxIdleBytes = 8 * 1024 * 1024

/**
 * Memory for the record batches of fetch answers, used again and again. V8 counts memory outside its heap and collects all
 * of the heap every few dozen MiB of it: with a fresh megabyte per partition and answer that took a sixth of the whole job's
 * processor time (`npm run bench`).
 */
export class RecordBuffers {
  /** By size, a power of two. */
  readonly #idle = new Map<number, ArrayBufferLike[]>()
  /** What is given back once is not taken a second time. */
  readonly #lent = new WeakSet<ArrayBufferLike>()
  #idleBytes = 0

  /** Bytes of what is kept for later. */
  get idleBytes(): number {
    return this.#idleBytes
  }

  /** A copy of the chunks, `length` bytes together. One that is never given back is garbage like any other. */
  copyOf(chunks: readonly Uint8Array[], length: number): Buffer {
    const copy = length < leastBytes ? Buffer.allocUnsafe(length) : this.#lend(length)
    let at = 0
    for (const chunk of chunks) {
      copy.set(chunk, at)
      at += chunk.length
    }
    return copy
  }

  /** Takes back what `copyOf` gave, or a part of it that begins where that begins: somebody else will write into it. */
  giveBack(bytes: Buffer): void {
    const memory = bytes.buffer
    if (!this.#lent.delete(memory)) return
    const size = memory.byteLength
    if (this.#idleBytes + size > maxIdleBytes) return
    this.#idleBytes += size
    const same = this.#idle.get(size)
    if (same === undefined) this.#idle.set(size, [memory])
    else same.push(memory)
  }

  #lend(length: number): Buffer {
    const size = 2 ** Math.ceil(Math.log2(length))
    const known = this.#idle.get(size)?.pop()
    if (known !== undefined) this.#idleBytes -= size
    const memory = known ?? Buffer.allocUnsafeSlow(size).buffer
    this.#lent.add(memory)
    return Buffer.from(memory, 0, length)
  }
}
