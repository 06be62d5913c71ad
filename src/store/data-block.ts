import { BlockReader, BlockWriter, readValue, type ValueWidth, widthBytes } from './block-bytes.ts'
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
 *   columns    incarnation + 1 and revision, when versioned: each as runs, a varint for the value and one for its length
 *   values     little endian, of one width
 *
 * An hourly count takes 1 to 4 bytes a point, a fraction 8.
 */
const FORMAT = 1
const SECONDS = 1
const CONSTANT_STEP = 2
const ALL_INTEGERS = 4
const MIXED_INTEGERS = 8
const VERSIONS = 16

const FLOAT32: ValueWidth = 3
const FLOAT64: ValueWidth = 4

/** A block of this size fills a page of the database (4,096 bytes with a header of 24) and has it for itself. */
export const MAX_BLOCK_BYTES = 4_072
export const MAX_BLOCK_POINTS = 1_024

/** Encodes the points `from ≤ index < to`; at least one. */
export function encodeBlock(points: PointColumns, from: number, to: number): Buffer {
  const count = to - from
  const unitMs = allWholeSeconds(points, from, to) ? 1_000 : 1
  const step = constantStep(points, from, to)
  const integers = countIntegers(points, from, to)
  const width = narrowestWidth(points, from, to)
  const versioned = anyVersion(points, from, to)
  const writer = new BlockWriter(64 + count * (widthBytes[width] + 32))
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
    writer.runs(points.incarnations, from, to, 1)
    writer.runs(points.revisions, from, to, 0)
  }
  for (let at = from; at < to; at++) writer.value(width, points.values[at] ?? 0)
  return writer.bytes()
}

/** Number of points in a block. */
export function blockLength(bytes: Uint8Array): number {
  return new BlockReader(bytes, 3).varint()
}

/** What a block says before its values. */
export interface BlockHead {
  readonly count: number
  readonly width: ValueWidth
  /** Between any two points, when it is the same for all; ms. */
  readonly stepMs: number | undefined
  /** Times of all points, epoch ms, when steps differ. */
  readonly times: Float64Array | undefined
  readonly integers: 'all' | 'none' | 'mixed'
  /** Where the bitmap of integers would begin. */
  readonly bitmapAt: number
  readonly versioned: boolean
  /** Where versions, and behind them values, begin. */
  readonly versionsAt: number
}

/** Reads the head of a block whose first point is at `firstMs`. */
export function blockHead(bytes: Uint8Array, firstMs: number): BlockHead {
  if (bytes[0] !== FORMAT) throw new RangeError(`unknown block format ${bytes[0]}`)
  const flags = bytes[1] ?? 0
  const width = (bytes[2] ?? FLOAT64) as ValueWidth
  const reader = new BlockReader(bytes, 3)
  const count = reader.varint()
  const unitMs = flags & SECONDS ? 1_000 : 1
  const stepMs = flags & CONSTANT_STEP ? reader.varint() * unitMs : undefined
  const times = stepMs === undefined ? steppedTimes(reader, count, firstMs, unitMs) : undefined
  const bitmapAt = reader.position
  const mixed = (flags & MIXED_INTEGERS) !== 0
  return {
    count,
    width,
    stepMs,
    times,
    integers: mixed ? 'mixed' : flags & ALL_INTEGERS ? 'all' : 'none',
    bitmapAt,
    versioned: (flags & VERSIONS) !== 0,
    versionsAt: mixed ? bitmapAt + ((count + 7) >>> 3) : bitmapAt,
  }
}

function steppedTimes(
  reader: BlockReader,
  count: number,
  firstMs: number,
  unitMs: number,
): Float64Array {
  const times = new Float64Array(count)
  let time = firstMs
  times[0] = time
  for (let at = 1; at < count; at++) {
    time += reader.varint() * unitMs
    times[at] = time
  }
  return times
}

/** Appends the points of a block whose first point is at `firstMs` to `into`. */
export function decodeBlock(bytes: Uint8Array, firstMs: number, into: PointColumns): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { count, width, stepMs = 0, ...head } = blockHead(bytes, firstMs)
  const start = into.length
  into.reserve(start + count)
  const { times, values, integers, incarnations, revisions } = into
  if (head.times !== undefined) times.set(head.times, start)
  else for (let at = 0; at < count; at++) times[start + at] = firstMs + at * stepMs
  const reader = new BlockReader(bytes, head.bitmapAt)
  if (head.integers === 'mixed') {
    for (let at = 0; at < count; at++) integers[start + at] = reader.bit(at)
  } else {
    integers.fill(head.integers === 'all' ? 1 : 0, start, start + count)
  }
  reader.position = head.versionsAt
  if (head.versioned) {
    reader.runs(incarnations, start, count, 1)
    reader.runs(revisions, start, count, 0)
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
