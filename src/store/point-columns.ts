/** Version of a write that always wins over what is stored and loses to nothing. */
export const UNVERSIONED = -1

/** One point on its way into the store. */
export interface PointWrite {
  /** Epoch ms, > 0. */
  readonly timeMs: number
  readonly value: number
  /** Written without a decimal point: OpenTSDB calculates with such points in integers. */
  readonly integer: boolean
  /** Orders versioned writes of one timestamp, before `revision`; `UNVERSIONED` for a plain put. */
  readonly incarnation: number
  readonly revision: number
}

/** Points of one series in ascending time, in columns; the first `length` entries count. Grows by itself. */
export class PointColumns {
  length = 0
  /** Epoch ms. */
  times: Float64Array
  values: Float64Array
  /** 1 where the value was written as an integer. */
  integers: Uint8Array
  incarnations: Float64Array
  revisions: Float64Array

  constructor(capacity = 64) {
    this.times = new Float64Array(capacity)
    this.values = new Float64Array(capacity)
    this.integers = new Uint8Array(capacity)
    this.incarnations = new Float64Array(capacity)
    this.revisions = new Float64Array(capacity)
  }

  push(
    timeMs: number,
    value: number,
    integer: number,
    incarnation: number,
    revision: number,
  ): void {
    const at = this.length
    if (at === this.times.length) this.reserve(at * 2)
    this.times[at] = timeMs
    this.values[at] = value
    this.integers[at] = integer
    this.incarnations[at] = incarnation
    this.revisions[at] = revision
    this.length = at + 1
  }

  /** Adds the first `count` points of `other`, all of them later. */
  append(other: PointColumns, count: number): void {
    for (let at = 0; at < count; at++) copyPoint(other, at, this)
  }

  /** Makes room for `capacity` points; what is stored stays. */
  reserve(capacity: number): void {
    if (capacity <= this.times.length) return
    const to = Math.max(capacity, this.times.length * 2)
    this.times = grown(this.times, new Float64Array(to))
    this.values = grown(this.values, new Float64Array(to))
    this.integers = grown(this.integers, new Uint8Array(to))
    this.incarnations = grown(this.incarnations, new Float64Array(to))
    this.revisions = grown(this.revisions, new Float64Array(to))
  }

  /** Keeps only the points with `fromMs ≤ time < toMs`. */
  clip(fromMs: number, toMs: number): void {
    const from = lowerBound(this.times, this.length, fromMs)
    const to = lowerBound(this.times, this.length, toMs)
    if (from > 0) {
      this.times.copyWithin(0, from, to)
      this.values.copyWithin(0, from, to)
      this.integers.copyWithin(0, from, to)
      this.incarnations.copyWithin(0, from, to)
      this.revisions.copyWithin(0, from, to)
    }
    this.length = Math.max(0, to - from)
  }
}

/** Index of the first of the ascending `times` that is ≥ `timeMs`; `length` when there is none. */
export function lowerBound(times: Float64Array, length: number, timeMs: number): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((times[middle] ?? Number.POSITIVE_INFINITY) < timeMs) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * The points of `stored` with `writes` applied: a write replaces what is stored at its timestamp unless that
 * has a larger (incarnation, revision). `writes` is in ascending time; writes of one timestamp in order of arrival.
 */
export function mergePoints(stored: PointColumns, writes: readonly PointWrite[]): PointColumns {
  const merged = new PointColumns(stored.length + writes.length)
  let next = 0
  for (const write of writes) {
    while (next < stored.length && (stored.times[next] ?? 0) <= write.timeMs) {
      copyPoint(stored, next, merged)
      next++
    }
    const last = merged.length - 1
    if (last < 0 || merged.times[last] !== write.timeMs) {
      const { timeMs, value, integer, incarnation, revision } = write
      merged.push(timeMs, value, integer ? 1 : 0, incarnation, revision)
    } else if (supersedes(write, merged.incarnations[last] ?? 0, merged.revisions[last] ?? 0)) {
      merged.values[last] = write.value
      merged.integers[last] = write.integer ? 1 : 0
      merged.incarnations[last] = write.incarnation
      merged.revisions[last] = write.revision
    }
  }
  for (; next < stored.length; next++) copyPoint(stored, next, merged)
  return merged
}

function supersedes(write: PointWrite, incarnation: number, revision: number): boolean {
  if (write.incarnation === UNVERSIONED || incarnation === UNVERSIONED) return true
  if (write.incarnation !== incarnation) return write.incarnation > incarnation
  return write.revision >= revision
}

function copyPoint(from: PointColumns, at: number, to: PointColumns): void {
  to.push(
    from.times[at] ?? 0,
    from.values[at] ?? 0,
    from.integers[at] ?? 0,
    from.incarnations[at] ?? 0,
    from.revisions[at] ?? 0,
  )
}

function grown<T extends Float64Array | Uint8Array>(old: T, next: T): T {
  next.set(old as never)
  return next
}
