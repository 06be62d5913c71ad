import type { Firing, Pane } from '../core/pane.ts'
import type { MetricPlan } from '../core/plan.ts'
import type { SeriesDictionary } from '../core/series.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { createWindowAssigner, type Window, type WindowAssigner } from '../core/window.ts'
import { Accumulators } from './accumulators.ts'
import { LiveWindow, type LiveWindowState } from './live-window.ts'
import { PaneWriter } from './pane-writer.ts'
import { SeriesSeen } from './series-seen.ts'
import { Slice } from './slice.ts'

/** A span of event time in which records are missing: windows that overlap it are partial. */
export interface MissingSpan {
  readonly from: number
  readonly to: number
}

/**
 * The windows of one metric: open → passed (the watermark reached end − 1: the on-time pane) → gone (watermark ≥ end − 1 +
 * allowed lateness: state dropped). An event that arrives while its window is passed makes a late pane.
 *
 * Reads no clock: watermarks and processing time are arguments. What changed since the last checkpoint is read by
 * `WindowState` in the pipeline through `slices`, `windows` and `dropped`.
 */
export class WindowOperator {
  readonly plan: MetricPlan
  readonly accumulators: Accumulators
  readonly seen: SeriesSeen
  readonly slices = new Map<number, Slice>()
  readonly windows = new Map<number, LiveWindow>()
  readonly missing: MissingSpan[] = []
  /** Windows that closed without a pane because records are missing in them. */
  partialWindows = 0
  /** Called when a slice is gone, before its state is dropped. */
  onSliceGone: (slice: Slice) => void = () => {}
  /** Called when a window is gone. */
  onWindowGone: (window: Window) => void = () => {}
  readonly #dictionary: SeriesDictionary
  readonly #assigner: WindowAssigner
  readonly #panes: PaneWriter
  #touchedFrom = Number.POSITIVE_INFINITY
  #touchedTo = Number.NEGATIVE_INFINITY

  constructor(plan: MetricPlan, dictionary: SeriesDictionary, job: string) {
    this.plan = plan
    this.#dictionary = dictionary
    this.#assigner = createWindowAssigner(plan.window)
    this.accumulators = new Accumulators(plan)
    this.seen = new SeriesSeen(plan.zeroFill.expireAfter, dictionary.size)
    this.#panes = new PaneWriter(plan, dictionary, this.accumulators, job)
    for (const values of plan.declaredSeries) {
      const id = dictionary.idOf(values)
      if (id >= 0) this.seen.declare(id)
    }
  }

  /** The slice that takes an event of time `at`, or undefined when the event is late: all its windows are gone. */
  sliceFor(at: number, watermark: number): Slice | undefined {
    const window = this.#assigner.sliceAt(at)
    const known = this.slices.get(window.start)
    if (known !== undefined) return known
    const windows = this.#assigner.windowsOf(window).filter((one) => !this.#isGone(one, watermark))
    if (windows.length === 0) return undefined
    const slice = new Slice(window, this.accumulators, this.#dictionary.size)
    this.slices.set(slice.start, slice)
    for (const one of windows) this.#open(one, watermark)
    slice.watched =
      this.plan.earlyAfter !== undefined || windows.some((one) => isPassed(one, watermark))
    return slice
  }

  /** End of the last window that would have held an event of time `at`. */
  lastWindowEnd(at: number): EpochMs {
    const windows = this.#assigner.windowsOf(this.#assigner.sliceAt(at))
    return windows.at(-1)?.end ?? epochMs(at)
  }

  /** Would `touch` change nothing for any time between the two? */
  isTouched(oldest: number, newest: number): boolean {
    if (!this.plan.zeroFill.enabled) return true
    return oldest >= this.#touchedFrom && newest < this.#touchedTo
  }

  /** The source had an event of time `at`, whether or not it is one of this metric's: its windows are not silent. */
  touch(at: number, watermark: number): void {
    if (at >= this.#touchedFrom && at < this.#touchedTo) return
    if (!this.plan.zeroFill.enabled) return
    const slice = this.#assigner.sliceAt(at)
    this.#touchedFrom = slice.start
    this.#touchedTo = slice.end
    for (const window of this.#assigner.windowsOf(slice)) {
      if (this.#isGone(window, watermark)) continue
      this.#open(window, watermark).touch()
    }
  }

  /** What a watched slice must remember of a change: who speaks again, and when. */
  noteChange(slice: Slice, id: number, now: EpochMs): void {
    slice.changed.add(id)
    if (this.plan.earlyAfter === undefined) return
    for (const window of this.#assigner.windowsOf(slice)) {
      this.windows.get(window.start)?.noteEarly(id, now)
    }
  }

  /** The next watermark above `watermark` at which a window passes or is gone. */
  nextBoundary(watermark: number): number {
    const passes = this.#assigner.endAfter(watermark + 1) - 1
    const lateness = this.plan.allowedLateness
    const goes = this.#assigner.endAfter(watermark - lateness + 1) - 1 + lateness
    return Math.min(passes, goes)
  }

  /** The watermark moved from `before` to `watermark`: fires what it passed, drops what is gone. */
  advance(before: number, watermark: number): Pane[] {
    const panes: Pane[] = []
    if (this.plan.zeroFill.whenSilent === 'zero') this.#openSilent(before, watermark)
    const due = this.#ordered().filter((window) => !window.passed && isPassed(window, watermark))
    const gone = this.#ordered().filter((window) => this.#isGone(window, watermark))
    if (due.length > 0 || gone.length > 0) panes.push(...this.flushLate())
    for (const window of due) {
      window.pass()
      for (const slice of this.#slicesOf(window)) slice.watched = true
      this.#fire(window, 'on-time', panes)
    }
    for (const window of due) {
      for (const slice of this.#slicesOf(window)) slice.changed.clear()
    }
    for (const window of gone) this.#drop(window, watermark)
    return panes
  }

  /** Late panes of everything that changed in passed windows since they last spoke. */
  flushLate(): Pane[] {
    const panes: Pane[] = []
    for (const window of this.#ordered()) {
      if (!window.passed) continue
      if (window.needsFill) this.#fire(window, 'late', panes)
      else this.#speak(window, this.#changedIn(window), 'late', panes)
    }
    for (const slice of this.slices.values()) slice.changed.clear()
    return panes
  }

  /** Is there anything that `flushLate` would say? */
  hasLate(): boolean {
    for (const window of this.windows.values()) {
      if (window.passed && (window.needsFill || this.#changedIn(window).size > 0)) return true
    }
    return false
  }

  /** Early panes due at `now`, by window end. */
  fireEarly(now: EpochMs): Pane[] {
    const after = this.plan.earlyAfter
    if (after === undefined) return []
    const panes: Pane[] = []
    for (const window of this.#ordered()) {
      if (!window.passed) this.#speak(window, window.takeEarly(now - after), 'early', panes)
    }
    return panes
  }

  /** Processing time of the next early pane; infinite when none is due. */
  nextEarlyAt(): number {
    let next = Number.POSITIVE_INFINITY
    for (const window of this.windows.values()) next = Math.min(next, window.firstEarlyAt)
    return next + (this.plan.earlyAfter ?? 0)
  }

  /** Records between `from` and `to` were not read: windows that overlap are partial. */
  markMissing(from: number, to: number): void {
    this.missing.push({ from, to })
  }

  /** Puts back windows and slices as they were; their cells are loaded by the caller. */
  restore(
    windows: readonly LiveWindowState[],
    slices: readonly number[],
    missing: readonly MissingSpan[],
  ): void {
    for (const state of windows) {
      const window = { start: epochMs(state.start), end: epochMs(state.end) }
      const live = new LiveWindow(window, this.#panes.emissionStride)
      live.restore(state)
      this.windows.set(live.start, live)
    }
    for (const start of slices) {
      const slice = new Slice(
        this.#assigner.sliceAt(start),
        this.accumulators,
        this.#dictionary.size,
      )
      const passed = this.#assigner
        .windowsOf(slice)
        .some((window) => this.windows.get(window.start)?.passed)
      slice.watched = this.plan.earlyAfter !== undefined || passed
      this.slices.set(slice.start, slice)
    }
    this.missing.push(...missing)
  }

  isPartial(window: Window): boolean {
    return this.missing.some((span) => window.start < span.to && window.end > span.from)
  }

  #fire(window: LiveWindow, firing: Firing, panes: Pane[]): void {
    window.fill()
    if (this.isPartial(window)) {
      this.partialWindows++
      if (!this.plan.emitPartial) {
        this.#panes.see(this.#slicesOf(window), window, this.seen)
        return
      }
    }
    this.#panes.writeAll(window, this.#slicesOf(window), firing, this.seen, panes)
  }

  #speak(window: LiveWindow, ids: Iterable<number>, firing: Firing, panes: Pane[]): void {
    if (!this.plan.emitPartial && this.isPartial(window)) return
    const slices = this.#slicesOf(window)
    for (const id of ids) this.#panes.write(window, slices, id, firing, this.seen, panes)
  }

  #changedIn(window: LiveWindow): Set<number> {
    const slices = this.#slicesOf(window)
    const only = slices.length === 1 ? slices[0] : undefined
    if (only !== undefined) return only.changed
    return new Set(slices.flatMap((slice) => [...slice.changed]))
  }

  #slicesOf(window: Window): Slice[] {
    return this.#assigner.slicesOf(window).flatMap((one) => this.slices.get(one.start) ?? [])
  }

  #ordered(): LiveWindow[] {
    return [...this.windows.values()].sort((a, b) => a.end - b.end)
  }

  #open(window: Window, watermark: number): LiveWindow {
    const known = this.windows.get(window.start)
    if (known !== undefined) return known
    const live = new LiveWindow(window, this.#panes.emissionStride)
    // The watermark went by while the window was silent: its first event makes a late pane.
    if (isPassed(window, watermark)) live.pass()
    this.windows.set(window.start, live)
    return live
  }

  #openSilent(before: number, watermark: number): void {
    if (!Number.isFinite(before) || !Number.isFinite(watermark)) return
    const from = Math.max(before, watermark - this.plan.zeroFill.expireAfter)
    for (let end = this.#assigner.endAfter(from + 1); end - 1 <= watermark; ) {
      for (const window of this.#assigner.windowsOf(this.#assigner.sliceAt(end - 1))) {
        if (window.end === end && !this.#isGone(window, watermark))
          this.#open(window, before).touch()
      }
      end = this.#assigner.endAfter(end)
    }
  }

  #isGone(window: Window, watermark: number): boolean {
    return window.end - 1 + this.plan.allowedLateness <= watermark
  }

  #drop(window: LiveWindow, watermark: number): void {
    this.windows.delete(window.start)
    this.onWindowGone(window)
    this.#touchedFrom = Number.POSITIVE_INFINITY
    this.#touchedTo = Number.NEGATIVE_INFINITY
    for (const slice of this.#slicesOf(window)) {
      const last = this.#assigner.windowsOf(slice).at(-1)
      if (last !== undefined && !this.#isGone(last, watermark)) continue
      this.slices.delete(slice.start)
      this.onSliceGone(slice)
    }
    const spent = this.missing.filter((span) => this.#isSpent(span, watermark))
    for (const span of spent) this.missing.splice(this.missing.indexOf(span), 1)
  }

  /** Every window that overlaps the span is gone. */
  #isSpent(span: MissingSpan, watermark: number): boolean {
    return span.to + this.plan.window.sizeMs - 1 + this.plan.allowedLateness <= watermark
  }
}

function isPassed(window: Window, watermark: number): boolean {
  return window.end - 1 <= watermark
}
