import type { EpochMs } from '../core/time.ts'
import type { Window, WindowAssigner } from '../core/window.ts'

/**
 * When the windows of a metric pass and when they are gone. What was gone stays so, also when a new config lets windows live
 * longer: their state was dropped, and counting them anew would overwrite what was said.
 */
export class WindowLifetime {
  readonly #assigner: WindowAssigner
  readonly #latenessMs: number
  #goneThrough = Number.NEGATIVE_INFINITY

  constructor(assigner: WindowAssigner, latenessMs: number) {
    this.#assigner = assigner
    this.#latenessMs = latenessMs
  }

  /** Windows whose last millisecond is at or before it are gone for good; part of the checkpoint. */
  get goneThrough(): number {
    return this.#goneThrough
  }

  /** Everything that is gone at `watermark` is gone for good. */
  dropUntil(watermark: number): void {
    this.restore(watermark - this.#latenessMs)
  }

  restore(goneThrough: number): void {
    this.#goneThrough = Math.max(this.#goneThrough, goneThrough)
  }

  isPassed(window: Window, watermark: number): boolean {
    return window.end - 1 <= watermark
  }

  isGone(window: Window, watermark: number): boolean {
    return window.end - 1 <= Math.max(this.#goneThrough, watermark - this.#latenessMs)
  }

  /** End of the last window that holds `at`. */
  lastWindowEnd(at: number): EpochMs {
    return this.#assigner.lastWindowAt(at).end
  }

  /** Are all windows gone that hold `at`? */
  isAllGone(at: number, watermark: number): boolean {
    return this.isGone(this.#assigner.lastWindowAt(at), watermark)
  }

  /** The next watermark above `watermark` at which a window passes. */
  nextPass(watermark: number): number {
    return this.#assigner.endAfter(watermark + 1) - 1
  }

  /** The next watermark above `watermark` at which a window is gone. */
  nextGone(watermark: number): number {
    const late = watermark - this.#latenessMs
    return this.#assigner.endAfter(late + 1) - 1 + this.#latenessMs
  }

  /** The next watermark above `watermark` at which a window passes or is gone. */
  nextBoundary(watermark: number): number {
    return Math.min(this.nextPass(watermark), this.nextGone(watermark))
  }
}
