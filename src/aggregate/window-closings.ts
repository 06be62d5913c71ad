import type { WindowClosing } from '../core/evidence.ts'
import type { MetricPlan } from '../core/plan.ts'
import { type Window, type WindowAssigner, windowsEndingIn } from '../core/window.ts'

/** Silent windows that one step of the watermark tells of; of a longer silence only the newest. */
const maxSilentWindows = 10_000

/** Tells which windows of a metric ended, and how. */
export class WindowClosings {
  readonly #plan: MetricPlan
  readonly #assigner: WindowAssigner
  /** Starts of those that the last step told of. */
  readonly #silent = new Set<number>()
  #closings: WindowClosing[] = []

  constructor(plan: MetricPlan, assigner: WindowAssigner) {
    this.#plan = plan
    this.#assigner = assigner
  }

  /**
   * The watermark goes from `before` to `watermark`: windows in between in which the source had no event are silent. Before the
   * first watermark nothing is known to be silent.
   * @param live windows that have state, by start
   * @param isPartial records of the window are missing: nobody knows then whether it is silent
   */
  pass(
    live: ReadonlyMap<number, { readonly touched: boolean }>,
    isPartial: (window: Window) => boolean,
    before: number,
    watermark: number,
  ): void {
    this.#silent.clear()
    if (!Number.isFinite(before) || !Number.isFinite(watermark)) return
    const from = Math.max(before, watermark - maxSilentWindows * this.#plan.window.slideMs)
    for (const window of windowsEndingIn(this.#assigner, from + 1, watermark + 1)) {
      if (live.get(window.start)?.touched === true) continue
      this.#silent.add(window.start)
      const kind = isPartial(window) ? 'partial' : 'silent'
      this.#closings.push({ metric: this.#plan.name, window, kind })
    }
  }

  /** A window with state ended, whole or with records missing. */
  close({ start, end }: Window, isPartial: boolean): void {
    if (this.#silent.has(start)) return
    const kind = isPartial ? 'partial' : 'whole'
    this.#closings.push({ metric: this.#plan.name, window: { start, end }, kind })
  }

  /** What was told since the last call. */
  take(): readonly WindowClosing[] {
    const closings = this.#closings
    this.#closings = []
    return closings
  }
}
