import { BlockReader, readValue, type ValueWidth, widthBytes } from './block-bytes.ts'
import { type BlockHead, blockHead } from './data-block.ts'
import type { StoredBlock } from './lmdb-block-table.ts'
import { lowerBound } from './point-columns.ts'
import type { SeriesPoints } from './series-points.ts'

/** Values of so many points are allocated at once: an allocation for each series took longer than reading it (test/bench/store.ts). */
const SLAB_POINTS = 32_768

/** The widest values, doubles, lie in a block as they lie in memory; elsewhere they are read one by one. */
const FLOAT64: ValueWidth = 4
const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The points of a block that are in the range: those with `from ≤ index < to`. */
interface Part {
  readonly bytes: Uint8Array
  readonly head: BlockHead
  readonly from: number
  readonly to: number
  /** Time of the first of them, epoch ms. */
  readonly firstMs: number
}

/** Points at equal distances. */
interface Grid {
  readonly firstMs: number
  readonly stepMs: number
  readonly length: number
}

/**
 * Reads points as queries need them: those of a range, without their versions. Series that have points at the same, regular times
 * share the column of times, which tells later steps at once that they are in step; so nobody may change a column.
 */
export class RangeReader {
  #slab = new Float64Array(0)
  #slabUsed = 0
  #grid: (Grid & { readonly times: Float64Array }) | undefined

  /** The points with `fromMs ≤ time < toMs` of ascending blocks. */
  read(blocks: readonly StoredBlock[], fromMs: number, toMs: number): SeriesPoints {
    const parts: Part[] = []
    let length = 0
    for (const block of blocks) {
      const part = partOf(block, fromMs, toMs)
      if (part === undefined) continue
      parts.push(part)
      length += part.to - part.from
    }
    const values = this.#allocate(length)
    let at = 0
    for (const { bytes, head, from, to } of parts) {
      readValues(bytes, head, from, values, at, to - from)
      at += to - from
    }
    return {
      length,
      times: this.#times(parts, length),
      values,
      integers: integersOf(parts, length),
    }
  }

  #allocate(length: number): Float64Array {
    if (this.#slabUsed + length > this.#slab.length) {
      if (length > SLAB_POINTS) return new Float64Array(length)
      this.#slab = new Float64Array(SLAB_POINTS)
      this.#slabUsed = 0
    }
    const from = this.#slabUsed
    this.#slabUsed += length
    return this.#slab.subarray(from, this.#slabUsed)
  }

  #times(parts: readonly Part[], length: number): Float64Array {
    const grid = gridOf(parts, length)
    if (grid === undefined) {
      const times = new Float64Array(length)
      let at = 0
      for (const part of parts) {
        const { stepMs = 0 } = part.head
        const known = part.head.times
        for (let index = part.from; index < part.to; index++) {
          times[at++] = known?.[index] ?? part.firstMs + (index - part.from) * stepMs
        }
      }
      return times
    }
    const known = this.#grid
    if (
      known?.length === length &&
      known.firstMs === grid.firstMs &&
      known.stepMs === grid.stepMs
    ) {
      return known.times
    }
    const times = new Float64Array(length)
    for (let at = 0; at < length; at++) times[at] = grid.firstMs + at * grid.stepMs
    this.#grid = { ...grid, times }
    return times
  }
}

function partOf({ bytes, firstMs }: StoredBlock, fromMs: number, toMs: number): Part | undefined {
  const head = blockHead(bytes, firstMs)
  const { count, stepMs = 0, times } = head
  const indexAt = (timeMs: number): number => {
    if (times !== undefined) return lowerBound(times, count, timeMs)
    if (timeMs <= firstMs) return 0
    return stepMs === 0 ? count : Math.min(count, Math.ceil((timeMs - firstMs) / stepMs))
  }
  const from = indexAt(fromMs)
  const to = indexAt(toMs)
  if (from >= to) return undefined
  return { bytes, head, from, to, firstMs: times?.[from] ?? firstMs + from * stepMs }
}

/** The grid on which all points are; undefined when there is none. */
function gridOf(parts: readonly Part[], length: number): Grid | undefined {
  const [first, second] = parts
  if (first === undefined) return undefined
  const { firstMs } = first
  const stepMs =
    first.to - first.from > 1 ? first.head.stepMs : (second?.firstMs ?? firstMs) - firstMs
  if (stepMs === undefined) return undefined
  let dueMs = firstMs
  for (const part of parts) {
    const count = part.to - part.from
    if (part.firstMs !== dueMs || (count > 1 && part.head.stepMs !== stepMs)) return undefined
    dueMs += count * stepMs
  }
  return { firstMs, stepMs, length }
}

function readValues(
  bytes: Uint8Array,
  head: BlockHead,
  from: number,
  into: Float64Array,
  at: number,
  count: number,
): void {
  const { width } = head
  const size = widthBytes[width]
  const start = valuesAt(bytes, head) + from * size
  if (width === FLOAT64 && IS_LITTLE_ENDIAN) {
    const target = new Uint8Array(into.buffer, into.byteOffset + at * size, count * size)
    target.set(bytes.subarray(start, start + count * size))
    return
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let index = 0; index < count; index++) {
    into[at + index] = readValue(view, width, start + index * size)
  }
}

function valuesAt(bytes: Uint8Array, head: BlockHead): number {
  if (!head.versioned) return head.versionsAt
  const reader = new BlockReader(bytes, head.versionsAt)
  reader.skipRuns(head.count)
  reader.skipRuns(head.count)
  return reader.position
}

/** 1 for each integer; undefined when there is none. */
function integersOf(parts: readonly Part[], length: number): Uint8Array | undefined {
  if (parts.every(({ head }) => head.integers === 'none')) return undefined
  const integers = new Uint8Array(length)
  let at = 0
  let any = false
  for (const { bytes, head, from, to } of parts) {
    const reader = new BlockReader(bytes, head.bitmapAt)
    for (let index = from; index < to; index++) {
      const one = head.integers === 'mixed' ? reader.bit(index) : head.integers === 'all' ? 1 : 0
      integers[at++] = one
      any ||= one === 1
    }
  }
  return any ? integers : undefined
}
