import type { Firing, Pane } from '../core/pane.ts'
import type { MetricPlan } from '../core/plan.ts'
import type { SeriesDictionary } from '../core/series.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import {
  createWindowAssigner,
  type Window,
  type WindowAssigner,
  windowsEndingIn,
} from '../core/window.ts'
import { Accumulators } from './accumulators.ts'
import type { SliceDelta } from './delta-cells.ts'
import { type EmissionLayout, LiveWindow, type LiveWindowState } from './live-window.ts'
import { type MissingSpan, MissingSpans } from './missing-spans.ts'
import { PaneWriter } from './pane-writer.ts'
import { SeriesSeen } from './series-seen.ts'
import { Slice } from './slice.ts'
import { TouchedSlices } from './touched-slices.ts'
import { WindowClosings } from './window-closings.ts'
import { WindowLifetime } from './window-lifetime.ts'

/** What the next start must know of windows and slices, beside their cells. */
export interface WindowOperatorState {
  readonly windows: readonly LiveWindowState[]
  readonly slices: readonly number[]
  readonly missing: readonly MissingSpan[]
  readonly goneThrough: number
  readonly partialWindows: number
}

/** Silent windows that one step of the watermark fills with zeros; of a longer silence only the newest. */
const maxSilentWindows = 10_000

/**
 * The windows of one metric: open → passed (the watermark reached end − 1: the on-time pane) → gone (watermark ≥ end − 1 +
 * allowed lateness: state dropped). An event that arrives while its window is passed makes a late pane.
 *
 * Reads no clock: watermarks and processing time are arguments. What changed since the last checkpoint is read by
 * `MetricState` in the pipeline through `slices`, `windows` and `snapshot`.
 */
export class WindowOperator {
  readonly plan: MetricPlan
  readonly accumulators: Accumulators
  readonly seen: SeriesSeen
  readonly slices = new Map<number, Slice>()
  readonly windows = new Map<number, LiveWindow>()
  readonly missing = new MissingSpans()
  readonly lifetime: WindowLifetime
  /** Which windows ended. */
  readonly closings: WindowClosings
  /** Windows that closed without a pane because records are missing in them. */
  partialWindows = 0
  /** Called when a slice is gone, before its state is dropped. */
  onSliceGone: (slice: Slice) => void = () => {}
  /** Called when a window is gone. */
  onWindowGone: (window: Window) => void = () => {}
  readonly #dictionary: SeriesDictionary
  readonly #assigner: WindowAssigner
  readonly #panes: PaneWriter
  /** Slices with something in `changed`. */
  readonly #changed = new Set<Slice>()
  readonly #touched = new TouchedSlices()

  constructor(plan: MetricPlan, dictionary: SeriesDictionary, job: string) {
    this.plan = plan
    this.#dictionary = dictionary
    this.#assigner = createWindowAssigner(plan.window)
    this.closings = new WindowClosings(plan, this.#assigner)
    this.lifetime = new WindowLifetime(this.#assigner, plan.allowedLateness)
    this.accumulators = new Accumulators(plan)
    this.seen = new SeriesSeen(plan.zeroFill.expireAfter, dictionary.size)
    this.#panes = new PaneWriter(plan, dictionary, this.accumulators, job)
  }

  /** What a row of `LiveWindow.emissions` holds. */
  get emissionLayout(): EmissionLayout {
    return this.#panes.layout
  }

  /** Makes the series of the plan known; after a restore, which knows the ids that are taken. */
  declareSeries(): void {
    for (const values of this.plan.declaredSeries) {
      const id = this.#dictionary.idOf(values)
      if (id >= 0) this.seen.declare(id)
    }
  }

  /**
   * The slice that takes events of time `at`; undefined when all its windows are gone.
   * @param goneAt watermark that every lane knows: what was gone before it gets no event any more. Behind `watermark` or equal.
   */
  sliceFor(at: number, watermark: number, goneAt = watermark): Slice | undefined {
    const window = this.#assigner.sliceAt(at)
    const known = this.slices.get(window.start)
    if (known !== undefined) return known
    const windows = this.#assigner
      .windowsOf(window)
      .filter((one) => !this.lifetime.isGone(one, goneAt))
    if (windows.length === 0) return undefined
    const slice = new Slice(window, this.accumulators, this.#dictionary.size)
    this.slices.set(slice.start, slice)
    for (const one of windows) this.#open(one, watermark)
    slice.watched =
      this.plan.earlyAfter !== undefined ||
      windows.some((one) => this.lifetime.isPassed(one, watermark))
    return slice
  }

  /** Adds what a lane counted in `slice`. @param idOf id of the series by the lane's id */
  add(slice: Slice, delta: SliceDelta, idOf: Int32Array, now: EpochMs): void {
    const { ids, speaks, cells } = delta
    const { stride } = this.accumulators
    for (let row = 0; row < ids.length; row++) {
      const id = idOf[ids[row] as number] as number
      const at = slice.cells.touch(id)
      this.accumulators.add(slice.cells.data, at, cells, row * stride)
      if (slice.watched && speaks[row] === 1) this.noteChange(slice, id, now)
    }
  }

  /** The source had an event of time `at`, whether or not it is one of this metric's: its windows are not silent. */
  touch(at: number, watermark: number, goneAt = watermark): void {
    const slice = this.#assigner.sliceAt(at)
    if (!this.#touched.add(slice)) return
    for (const window of this.#assigner.windowsOf(slice)) {
      if (this.lifetime.isGone(window, goneAt)) continue
      this.#open(window, watermark).touch()
    }
  }

  /** What a watched slice must remember of a change: who speaks again, and when. */
  noteChange(slice: Slice, id: number, now: EpochMs): void {
    slice.changed.add(id)
    this.#changed.add(slice)
    if (this.plan.earlyAfter === undefined) return
    for (const window of this.#windowsOf(slice)) window.noteEarly(id, now)
  }

  /** The watermark moved from `before` to `watermark`: fires what it passed, drops what is gone at `goneAt` (see `sliceFor`). */
  advance(before: number, watermark: number, goneAt = watermark): Pane[] {
    const { enabled, whenSilent } = this.plan.zeroFill
    const isPartial = (window: Window) => this.missing.overlap(window)
    this.closings.pass(this.windows, isPartial, before, watermark)
    if (enabled && whenSilent === 'zero') this.#openSilent(before, watermark)
    const windows = byEnd([...this.windows.values()])
    const due = windows.filter(
      (window) => !window.passed && this.lifetime.isPassed(window, watermark),
    )
    const gone = windows.filter((window) => this.lifetime.isGone(window, goneAt))
    const panes = due.length > 0 || gone.length > 0 ? this.flushLate() : []
    for (const window of due) {
      window.pass()
      this.closings.close(window, isPartial(window))
      const slices = this.#slicesOf(window)
      for (const slice of slices) slice.watched = true
      this.#fire(window, slices, 'on-time', panes)
    }
    for (const window of gone) this.#drop(window, goneAt)
    this.lifetime.dropUntil(goneAt)
    if (gone.length > 0) {
      this.missing.forget(({ to }) => this.lifetime.isAllGone(to - 1, goneAt))
    }
    return panes
  }

  /** Late panes of everything that changed in passed windows since they last spoke. */
  flushLate(): Pane[] {
    const panes: Pane[] = []
    for (const window of byEnd(this.#lateWindows())) {
      const slices = this.#slicesOf(window)
      if (window.needsFill) this.#fire(window, slices, 'late', panes)
      else this.#speak(window, slices, changedIn(slices), 'late', panes)
    }
    for (const slice of this.#changed) slice.changed.clear()
    this.#changed.clear()
    return panes
  }

  /** Is there anything that `flushLate` would say? */
  hasLate(): boolean {
    for (const slice of this.#changed) {
      if (this.#windowsOf(slice).some((window) => window.passed)) return true
    }
    for (const window of this.windows.values()) if (window.needsFill) return true
    return false
  }

  /** Early panes due at `now`, by window end. */
  fireEarly(now: EpochMs): Pane[] {
    const after = this.plan.earlyAfter
    if (after === undefined) return []
    const panes: Pane[] = []
    for (const window of byEnd([...this.windows.values()])) {
      const ids = window.passed ? [] : window.takeEarly(now - after)
      if (ids.length > 0) this.#speak(window, this.#slicesOf(window), ids, 'early', panes)
    }
    return panes
  }

  /** Records between `from` and `to` were not read: windows that overlap are partial. */
  markMissing(from: number, to: number): void {
    this.missing.mark({ from, to })
  }

  snapshot(): WindowOperatorState {
    return {
      windows: [...this.windows.values()].map((window) => window.snapshot()),
      slices: [...this.slices.keys()],
      missing: this.missing.all,
      goneThrough: this.lifetime.goneThrough,
      partialWindows: this.partialWindows,
    }
  }

  /** Puts back windows and slices as they were; their cells are loaded by the caller. */
  restore(state: WindowOperatorState): void {
    this.lifetime.restore(state.goneThrough)
    this.partialWindows = state.partialWindows
    for (const saved of state.windows) {
      const window = { start: epochMs(saved.start), end: epochMs(saved.end) }
      const live = new LiveWindow(window, this.emissionLayout)
      live.restore(saved)
      this.windows.set(live.start, live)
    }
    for (const start of state.slices) {
      const slice = new Slice(
        this.#assigner.sliceAt(start),
        this.accumulators,
        this.#dictionary.size,
      )
      const passed = this.#windowsOf(slice).some((window) => window.passed)
      slice.watched = this.plan.earlyAfter !== undefined || passed
      this.slices.set(slice.start, slice)
    }
    for (const span of state.missing) this.missing.mark(span)
  }

  #fire(window: LiveWindow, slices: readonly Slice[], firing: Firing, panes: Pane[]): void {
    window.fill()
    if (this.missing.overlap(window)) {
      this.partialWindows++
      if (!this.plan.emitPartial) {
        this.#panes.see(slices, window, this.seen)
        return
      }
    }
    this.#panes.writeAll(window, slices, firing, this.seen, panes)
  }

  #speak(
    window: LiveWindow,
    slices: readonly Slice[],
    ids: Iterable<number>,
    firing: Firing,
    panes: Pane[],
  ): void {
    if (!this.plan.emitPartial && this.missing.overlap(window)) return
    for (const id of ids) this.#panes.write(window, slices, id, firing, this.seen, panes)
  }

  #slicesOf(window: Window): Slice[] {
    return this.#assigner.slicesOf(window).flatMap((one) => this.slices.get(one.start) ?? [])
  }

  /** Live windows made of the slice among others. */
  #windowsOf(slice: Slice): LiveWindow[] {
    return this.#assigner.windowsOf(slice).flatMap((one) => this.windows.get(one.start) ?? [])
  }

  /** Passed windows that have something to say. */
  #lateWindows(): LiveWindow[] {
    const late = new Set<LiveWindow>()
    for (const slice of this.#changed) {
      for (const window of this.#windowsOf(slice)) if (window.passed) late.add(window)
    }
    for (const window of this.windows.values()) if (window.needsFill) late.add(window)
    return [...late]
  }

  #open(window: Window, watermark: number): LiveWindow {
    const known = this.windows.get(window.start)
    if (known !== undefined) return known
    const live = new LiveWindow(window, this.emissionLayout)
    // The watermark went by while the window was silent: its first event makes a late pane.
    if (this.lifetime.isPassed(window, watermark)) live.pass()
    this.windows.set(window.start, live)
    return live
  }

  /** Opens the windows that the watermark goes by, whether or not they are gone by then: each gets its zeros once. */
  #openSilent(before: number, watermark: number): void {
    if (!Number.isFinite(before) || !Number.isFinite(watermark)) return
    const { zeroFill, window } = this.plan
    const reach = Math.min(zeroFill.expireAfter, maxSilentWindows * window.slideMs)
    const from = Math.max(before, watermark - reach)
    for (const one of windowsEndingIn(this.#assigner, from + 1, watermark + 1)) {
      this.#open(one, before).touch()
    }
  }

  #drop(window: LiveWindow, watermark: number): void {
    this.windows.delete(window.start)
    this.onWindowGone(window)
    for (const slice of this.#slicesOf(window)) {
      if (!this.lifetime.isAllGone(slice.start, watermark)) continue
      this.slices.delete(slice.start)
      this.#changed.delete(slice)
      this.onSliceGone(slice)
    }
  }
}

const byEnd = (windows: LiveWindow[]): LiveWindow[] => windows.sort((a, b) => a.end - b.end)

function changedIn(slices: readonly Slice[]): Set<number> {
  return new Set(slices.flatMap(({ changed }) => [...changed]))
}
