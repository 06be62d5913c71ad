/** Bounds of one table; beyond them everything is forgotten and learnt anew. */
const MAX_SYMBOLS = 65_536
const MAX_BYTES = 8_388_608

/**
 * Texts of one field ↔ small integers (symbols), looked up by bytes: after the first sight of a text no string is made for it.
 * Open addressing with an exact comparison. A cache: `clear` forgets, and what was derived from symbols must be forgotten with it.
 */
export class SymbolTable {
  #cells = new Int32Array(256).fill(-1)
  #mask = 255
  #hashes = new Int32Array(128)
  #from = new Int32Array(128)
  #to = new Int32Array(128)
  #bytes = Buffer.alloc(2048)
  #used = 0
  #count = 0

  get size(): number {
    return this.#count
  }

  /** Symbol of the text in `start ≤ i < end`, new when it was never seen; -1 when the table is full. */
  symbolOf(b: Uint8Array, start: number, end: number): number {
    const hash = hashOf(b, start, end)
    const length = end - start
    const cells = this.#cells
    let cell = hash & this.#mask
    for (;;) {
      const symbol = cells[cell] as number
      if (symbol < 0) return this.#add(b, start, end, hash, cell)
      if (this.#hashes[symbol] === hash) {
        const bytes = this.#bytes
        let k = this.#from[symbol] as number
        if ((this.#to[symbol] as number) - k === length) {
          let i = start
          while (i < end && b[i] === bytes[k]) {
            i++
            k++
          }
          if (i === end) return symbol
        }
      }
      cell = (cell + 1) & this.#mask
    }
  }

  textOf(symbol: number): string {
    return this.#bytes.toString('utf8', this.#from[symbol], this.#to[symbol])
  }

  clear(): void {
    this.#cells.fill(-1)
    this.#used = 0
    this.#count = 0
  }

  #add(b: Uint8Array, start: number, end: number, hash: number, cell: number): number {
    const used = this.#used
    const to = used + end - start
    if (this.#count === MAX_SYMBOLS || to > MAX_BYTES) return -1
    if (to > this.#bytes.length) {
      const bytes = Buffer.alloc(Math.max(to, this.#bytes.length * 2))
      bytes.set(this.#bytes)
      this.#bytes = bytes
    }
    for (let i = start, k = used; i < end; i++, k++) this.#bytes[k] = b[i] as number
    if (this.#count === this.#hashes.length) this.#growSymbols()
    const symbol = this.#count++
    this.#hashes[symbol] = hash
    this.#from[symbol] = used
    this.#to[symbol] = to
    this.#used = to
    this.#cells[cell] = symbol
    if (this.#count * 2 > this.#cells.length) this.#growCells()
    return symbol
  }

  #growSymbols(): void {
    this.#hashes = grown(this.#hashes)
    this.#from = grown(this.#from)
    this.#to = grown(this.#to)
  }

  #growCells(): void {
    const cells = new Int32Array(this.#cells.length * 2).fill(-1)
    const mask = cells.length - 1
    for (let symbol = 0; symbol < this.#count; symbol++) {
      let cell = (this.#hashes[symbol] as number) & mask
      while ((cells[cell] as number) >= 0) cell = (cell + 1) & mask
      cells[cell] = symbol
    }
    this.#cells = cells
    this.#mask = mask
  }
}

function grown(old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const next = new Int32Array(old.length * 2)
  next.set(old)
  return next
}

function hashOf(b: Uint8Array, start: number, end: number): number {
  const blocksEnd = start + ((end - start) & ~3)
  let hash = end - start
  let i = start
  for (; i < blocksEnd; i += 4) {
    const word =
      (b[i] as number) |
      ((b[i + 1] as number) << 8) |
      ((b[i + 2] as number) << 16) |
      ((b[i + 3] as number) << 24)
    hash = Math.imul(hash ^ word, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  let rest = 0
  for (; i < end; i++) rest = (rest << 8) | (b[i] as number)
  hash = Math.imul(hash ^ rest, 0x85ebca6b)
  return hash ^ (hash >>> 13)
}
