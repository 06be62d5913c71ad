import type { WindowPlan } from './plan.ts'
import { type EpochMs, epochMs } from './time.ts'
import { ZoneCalendar } from './zone.ts'

/** [start, end): holds event times t with start ≤ t < end. */
export interface Window {
  readonly start: EpochMs
  readonly end: EpochMs
}

const dayMs = 86_400_000
const weekDays = 7
/** 1970-01-01 was a Thursday: the Monday before it is day −3. */
const mondayShift = 3

/**
 * Where windows lie. Slices are the pieces that windows are made of: of gcd(size, slide) for sliding windows, the window
 * itself for tumbling ones; an event belongs to one slice.
 */
export interface WindowAssigner {
  /** The slice that holds `at`. */
  sliceAt(at: number): Window
  /** The windows made of that slice among others, by start. */
  windowsOf(slice: Window): readonly Window[]
  /** The last of the windows that hold `at`. */
  lastWindowAt(at: number): Window
  /** The slices a window is made of, by start. */
  slicesOf(window: Window): readonly Window[]
  /** The smallest window end > `at`; infinite for infinite `at`. */
  endAfter(at: number): number
}

export function createWindowAssigner(plan: WindowPlan): WindowAssigner {
  return plan.alignment.kind === 'zone'
    ? new ZoneAssigner(plan.sizeMs, plan.alignment.timezone)
    : new OffsetAssigner(plan.sizeMs, plan.slideMs, plan.alignment.offsetMs)
}

/** Windows with `after` < end ≤ `until`, by end; both finite. */
export function* windowsEndingIn(
  assigner: WindowAssigner,
  after: number,
  until: number,
): Iterable<Window> {
  for (let end = assigner.endAfter(after); end <= until; end = assigner.endAfter(end)) {
    const last = assigner.sliceAt(end - 1)
    for (const window of assigner.windowsOf(last)) if (window.end === end) yield window
  }
}

/** Start of the tumbling window that holds `at`; windows are aligned to the epoch plus `offset`. */
export function windowStart(at: number, sizeMs: number, offsetMs: number): EpochMs {
  const into = (at - offsetMs) % sizeMs
  return epochMs(at - (into < 0 ? into + sizeMs : into))
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

class OffsetAssigner implements WindowAssigner {
  readonly #size: number
  readonly #slide: number
  readonly #offset: number
  readonly #slice: number

  constructor(sizeMs: number, slideMs: number, offsetMs: number) {
    this.#size = sizeMs
    this.#slide = slideMs
    this.#offset = offsetMs
    this.#slice = gcd(sizeMs, slideMs)
  }

  sliceAt(at: number): Window {
    const start = windowStart(at, this.#slice, this.#offset)
    return { start, end: epochMs(start + this.#slice) }
  }

  windowsOf(slice: Window): readonly Window[] {
    const windows: Window[] = []
    let start = windowStart(slice.start, this.#slide, this.#offset)
    for (; start + this.#size >= slice.end; start = epochMs(start - this.#slide)) {
      windows.push({ start, end: epochMs(start + this.#size) })
    }
    return windows.reverse()
  }

  lastWindowAt(at: number): Window {
    const start = windowStart(at, this.#slide, this.#offset)
    return { start, end: epochMs(start + this.#size) }
  }

  slicesOf(window: Window): readonly Window[] {
    const slices: Window[] = []
    for (let start = window.start; start < window.end; start = epochMs(start + this.#slice)) {
      slices.push({ start, end: epochMs(start + this.#slice) })
    }
    return slices
  }

  endAfter(at: number): number {
    if (!Number.isFinite(at)) return at
    return windowStart(at - this.#size, this.#slide, this.#offset) + this.#slide + this.#size
  }
}

/**
 * Tumbling windows in a time zone. Whole days lie on local midnights, 7 days on Mondays, n days on every n-th day since
 * 1970-01-01; shorter ones start at local midnight and the last of a day ends at the next midnight.
 */
class ZoneAssigner implements WindowAssigner {
  readonly #size: number
  readonly #calendar: ZoneCalendar
  #recent: Window | undefined

  constructor(sizeMs: number, timezone: string) {
    this.#size = sizeMs
    this.#calendar = new ZoneCalendar(timezone)
  }

  sliceAt(at: number): Window {
    const recent = this.#recent
    if (recent !== undefined && at >= recent.start && at < recent.end) return recent
    this.#recent = this.#compute(at)
    return this.#recent
  }

  #compute(at: number): Window {
    const day = this.#calendar.dayOf(at)
    if (this.#size % dayMs === 0) {
      const days = this.#size / dayMs
      const shift = days % weekDays === 0 ? mondayShift : 0
      const first = Math.floor((day + shift) / days) * days - shift
      return {
        start: this.#calendar.startOfDay(first),
        end: this.#calendar.startOfDay(first + days),
      }
    }
    const midnight = this.#calendar.startOfDay(day)
    const next = this.#calendar.startOfDay(day + 1)
    const start = midnight + Math.floor((at - midnight) / this.#size) * this.#size
    return { start: epochMs(start), end: epochMs(Math.min(start + this.#size, next)) }
  }

  windowsOf(slice: Window): readonly Window[] {
    return [slice]
  }

  lastWindowAt(at: number): Window {
    return this.sliceAt(at)
  }

  slicesOf(window: Window): readonly Window[] {
    return [window]
  }

  endAfter(at: number): number {
    return Number.isFinite(at) ? this.sliceAt(at).end : at
  }
}
