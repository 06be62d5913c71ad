/** How values are packed: int8, int16, int32, float32, float64. */
export type ValueWidth = 0 | 1 | 2 | 3 | 4
export const widthBytes: Readonly<Record<ValueWidth, number>> = { 0: 1, 1: 2, 2: 4, 3: 4, 4: 8 }

/** The value at byte `at`. */
export function readValue(view: DataView, width: ValueWidth, at: number): number {
  switch (width) {
    case 0:
      return view.getInt8(at)
    case 1:
      return view.getInt16(at, true)
    case 2:
      return view.getInt32(at, true)
    case 3:
      return view.getFloat32(at, true)
    case 4:
      return view.getFloat64(at, true)
  }
}

/** Writes the parts of a block one after the other. */
export class BlockWriter {
  readonly #buffer: Buffer
  #at = 0

  constructor(capacity: number) {
    this.#buffer = Buffer.allocUnsafe(capacity)
  }

  byte(value: number): void {
    this.#at = this.#buffer.writeUInt8(value, this.#at)
  }

  /** Seven bits a byte, least first; `value` is a whole number below 2^53. */
  varint(value: number): void {
    let rest = value
    while (rest >= 128) {
      this.byte((rest % 128) | 128)
      rest = Math.floor(rest / 128)
    }
    this.byte(rest)
  }

  bitmap(column: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at += 8) {
      let bits = 0
      for (let bit = 0; bit < 8 && at + bit < to; bit++) bits |= (column[at + bit] ?? 0) << bit
      this.byte(bits)
    }
  }

  runs(column: Float64Array, from: number, to: number, shift: number): void {
    for (let at = from; at < to; ) {
      const value = column[at] ?? 0
      const start = at
      while (at < to && column[at] === value) at++
      this.varint(value + shift)
      this.varint(at - start)
    }
  }

  value(width: ValueWidth, value: number): void {
    if (width === 0) this.#at = this.#buffer.writeInt8(value, this.#at)
    else if (width === 1) this.#at = this.#buffer.writeInt16LE(value, this.#at)
    else if (width === 2) this.#at = this.#buffer.writeInt32LE(value, this.#at)
    else if (width === 3) this.#at = this.#buffer.writeFloatLE(value, this.#at)
    else this.#at = this.#buffer.writeDoubleLE(value, this.#at)
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#at)
  }
}

/** Reads them again. */
export class BlockReader {
  readonly #bytes: Uint8Array
  position: number

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes
    this.position = position
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.#bytes[this.position++] ?? 0
      value += (byte & 127) * scale
      if (byte < 128) return value
      scale *= 128
    }
  }

  /** Bit `index` of the bitmap at the current position. */
  bit(index: number): number {
    return ((this.#bytes[this.position + (index >>> 3)] ?? 0) >>> (index & 7)) & 1
  }

  /** Goes behind the runs of `count` values. */
  skipRuns(count: number): void {
    for (let at = 0; at < count; ) {
      this.varint()
      at += this.varint()
    }
  }

  runs(into: Float64Array, start: number, count: number, shift: number): void {
    for (let at = start; at < start + count; ) {
      const value = this.varint() - shift
      const end = at + this.varint()
      into.fill(value, at, end)
      at = end
    }
  }
}
