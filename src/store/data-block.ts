import { type PointColumns, UNVERSIONED } from './point-columns.ts'

/**
 * A block: up to `MAX_BLOCK_POINTS` points of one series as packed columns. The time of its first point is in its key.
 *
 *   byte 0     format, 1
 *   byte 1     flags: seconds 1, constant step 2, all integers 4, mixed integers 8, versions 16
 *   byte 2     width of values: see `ValueWidth`
 *   varint     number of points
 *   varint(s)  time steps in seconds or ms: one when constant, else one per point after the first
 *   bitmap     which values are integers, when mixed
 *   columns    incarnation + 1 and revision, when versioned: 0 and a varint when constant, else 1 and one varint per point
 *   values     little endian, of one width
 *
 * An hourly count takes 1 to 4 bytes a point.
 */
const FORMAT = 1
const SECONDS = 1
const CONSTANT_STEP = 2
const ALL_INTEGERS = 4
const MIXED_INTEGERS = 8
const VERSIONS = 16

type ValueWidth = 0 | 1 | 2 | 3 | 4
const widthBytes: Readonly<Record<ValueWidth, number>> = { 0: 1, 1: 2, 2: 4, 3: 4, 4: 8 }
const FLOAT32: ValueWidth = 3
const FLOAT64: ValueWidth = 4

/** Two blocks of this size fit a page of the database, so that pages stay full. */
export const MAX_BLOCK_BYTES = 1_900
export const MAX_BLOCK_POINTS = 1_024

/** Encodes the points `from ≤ index < to`; at least one. */
export function encodeBlock(points: PointColumns, from: number, to: number): Buffer {
  const count = to - from
  const unitMs = allWholeSeconds(points, from, to) ? 1_000 : 1
  const step = constantStep(points, from, to)
  const integers = countIntegers(points, from, to)
  const width = narrowestWidth(points, from, to)
  const versioned = anyVersion(points, from, to)
  const writer = new BlockWriter(64 + count * (widthBytes[width] + 24))
  writer.byte(FORMAT)
  writer.byte(
    (unitMs === 1_000 ? SECONDS : 0) |
      (step === undefined ? 0 : CONSTANT_STEP) |
      (integers === count ? ALL_INTEGERS : integers > 0 ? MIXED_INTEGERS : 0) |
      (versioned ? VERSIONS : 0),
  )
  writer.byte(width)
  writer.varint(count)
  if (step !== undefined) writer.varint(step / unitMs)
  else {
    for (let at = from + 1; at < to; at++) {
      writer.varint(((points.times[at] ?? 0) - (points.times[at - 1] ?? 0)) / unitMs)
    }
  }
  if (integers > 0 && integers < count) writer.bitmap(points.integers, from, to)
  if (versioned) {
    writer.column(points.incarnations, from, to, 1)
    writer.column(points.revisions, from, to, 0)
  }
  for (let at = from; at < to; at++) writer.value(width, points.values[at] ?? 0)
  return writer.bytes()
}

/** Appends the points of a block whose first point is at `firstMs` to `into`. */
export function decodeBlock(bytes: Uint8Array, firstMs: number, into: PointColumns): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes[0] !== FORMAT) throw new RangeError(`unknown block format ${bytes[0]}`)
  const flags = bytes[1] ?? 0
  const width = (bytes[2] ?? FLOAT64) as ValueWidth
  const reader = new BlockReader(bytes, 3)
  const count = reader.varint()
  const start = into.length
  into.reserve(start + count)
  const { times, values, integers, incarnations, revisions } = into
  const unitMs = flags & SECONDS ? 1_000 : 1
  times[start] = firstMs
  if (flags & CONSTANT_STEP) {
    const step = reader.varint() * unitMs
    for (let at = 1; at < count; at++) times[start + at] = firstMs + at * step
  } else {
    let time = firstMs
    for (let at = 1; at < count; at++) {
      time += reader.varint() * unitMs
      times[start + at] = time
    }
  }
  if (flags & MIXED_INTEGERS) {
    for (let at = 0; at < count; at++) integers[start + at] = reader.bit(at)
    reader.skip((count + 7) >>> 3)
  } else {
    integers.fill(flags & ALL_INTEGERS ? 1 : 0, start, start + count)
  }
  if (flags & VERSIONS) {
    reader.column(incarnations, start, count, 1)
    reader.column(revisions, start, count, 0)
  } else {
    incarnations.fill(UNVERSIONED, start, start + count)
    revisions.fill(0, start, start + count)
  }
  let position = reader.position
  const size = widthBytes[width]
  for (let at = start; at < start + count; at++) {
    values[at] = readValue(view, width, position)
    position += size
  }
  into.length = start + count
}

export interface EncodedBlock {
  /** Time of its first point, epoch ms. */
  readonly firstMs: number
  readonly bytes: Buffer
}

/** Blocks for all points, each as full as it gets: right when new points come at the end. */
export function encodeFullBlocks(points: PointColumns): EncodedBlock[] {
  const blocks: EncodedBlock[] = []
  for (let from = 0; from < points.length; ) {
    let count = Math.min(MAX_BLOCK_POINTS, points.length - from)
    let bytes = encodeBlock(points, from, from + count)
    while (bytes.length > MAX_BLOCK_BYTES && count > 1) {
      count = Math.max(1, Math.floor((count * MAX_BLOCK_BYTES) / bytes.length))
      bytes = encodeBlock(points, from, from + count)
    }
    blocks.push({ firstMs: points.times[from] ?? 0, bytes })
    from += count
  }
  return blocks
}

/** Blocks for the points `from ≤ index < to`, halved until they fit: right when new points come anywhere, as it leaves room. */
export function encodeHalvedBlocks(points: PointColumns, from: number, to: number): EncodedBlock[] {
  if (from >= to) return []
  if (to - from <= MAX_BLOCK_POINTS) {
    const bytes = encodeBlock(points, from, to)
    if (bytes.length <= MAX_BLOCK_BYTES || to - from === 1) {
      return [{ firstMs: points.times[from] ?? 0, bytes }]
    }
  }
  const middle = (from + to) >>> 1
  return [...encodeHalvedBlocks(points, from, middle), ...encodeHalvedBlocks(points, middle, to)]
}

function allWholeSeconds(points: PointColumns, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if ((points.times[at] ?? 0) % 1_000 !== 0) return false
  return true
}

function constantStep(points: PointColumns, from: number, to: number): number | undefined {
  const step = to - from > 1 ? (points.times[from + 1] ?? 0) - (points.times[from] ?? 0) : 0
  for (let at = from + 2; at < to; at++) {
    if ((points.times[at] ?? 0) - (points.times[at - 1] ?? 0) !== step) return undefined
  }
  return step
}

function countIntegers(points: PointColumns, from: number, to: number): number {
  let count = 0
  for (let at = from; at < to; at++) count += points.integers[at] ?? 0
  return count
}

function anyVersion(points: PointColumns, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (points.incarnations[at] !== UNVERSIONED) return true
  return false
}

function narrowestWidth(points: PointColumns, from: number, to: number): ValueWidth {
  let width: ValueWidth = 0
  for (let at = from; at < to; at++) {
    const value = points.values[at] ?? 0
    const needed = widthOf(value)
    if (needed > width) width = needed
    if (width === FLOAT64) return FLOAT64
  }
  if (width !== FLOAT32) return width
  // A float32 holds integers of 24 bits only.
  for (let at = from; at < to; at++) {
    const value = points.values[at] ?? 0
    if (Math.fround(value) !== value) return FLOAT64
  }
  return FLOAT32
}

function widthOf(value: number): ValueWidth {
  if ((value | 0) === value && !Object.is(value, -0)) {
    if (value >= -128 && value <= 127) return 0
    return value >= -32_768 && value <= 32_767 ? 1 : 2
  }
  return Math.fround(value) === value ? FLOAT32 : FLOAT64
}

function readValue(view: DataView, width: ValueWidth, at: number): number {
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

class BlockWriter {
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

  column(column: Float64Array, from: number, to: number, shift: number): void {
    const first = column[from] ?? 0
    let constant = true
    for (let at = from + 1; at < to && constant; at++) constant = column[at] === first
    this.byte(constant ? 0 : 1)
    for (let at = from; at < (constant ? from + 1 : to); at++)
      this.varint((column[at] ?? 0) + shift)
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

class BlockReader {
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

  skip(bytes: number): void {
    this.position += bytes
  }

  column(into: Float64Array, start: number, count: number, shift: number): void {
    const constant = this.#bytes[this.position++] === 0
    if (constant) {
      into.fill(this.varint() - shift, start, start + count)
      return
    }
    for (let at = 0; at < count; at++) into[start + at] = this.varint() - shift
  }
}
