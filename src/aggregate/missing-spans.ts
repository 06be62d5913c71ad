import type { Window } from '../core/window.ts'

/** A span of event time, `from` ≤ t < `to`, in which records are missing: windows that overlap it are partial. */
export interface MissingSpan {
  readonly from: number
  readonly to: number
}

/** Where records are missing, for as long as a window there can still speak. */
export class MissingSpans {
  #spans: readonly MissingSpan[] = []

  get all(): readonly MissingSpan[] {
    return this.#spans
  }

  mark(span: MissingSpan): void {
    this.#spans = [...this.#spans, span]
  }

  overlap(window: Window): boolean {
    return this.#spans.some((span) => window.start < span.to && window.end > span.from)
  }

  /** Forgets the spans for which `isSpent` holds. */
  forget(isSpent: (span: MissingSpan) => boolean): void {
    if (this.#spans.some(isSpent)) this.#spans = this.#spans.filter((span) => !isSpent(span))
  }
}
