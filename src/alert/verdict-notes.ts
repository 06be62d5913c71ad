import type { EpochMs } from '../core/time.ts'
import type { VerdictValue } from '../core/verdict.ts'
import type { MetricHistory } from './history/metric-history.ts'
import type { Tags } from './history/series-names.ts'
import type { WindowBlock } from './history/window-block.ts'

/** What a chart should say about a window: written beside the points, where the store can hold notes. */
export interface VerdictNote {
  readonly metric: string
  /** undefined: all series of the metric. */
  readonly tags: Tags | undefined
  readonly windowStart: EpochMs
  readonly windowEnd: EpochMs
  readonly value: VerdictValue
  readonly reason: string
}

/** Port of whoever keeps notes; it must not throw, and may drop them. */
export interface VerdictNotes {
  add(notes: readonly VerdictNote[]): void
}

/** Series of one window that get a note of their own at most. */
const maxNotes = 100

/** Finds the windows whose verdict is new and worth a note: everything but OK, and what turned OK after a note. */
export class NoteWriter {
  readonly #said = new WeakMap<WindowBlock, string>()

  /** Windows that were judged before the restart have their notes. */
  skip(history: MetricHistory): void {
    for (const block of history.blocks) this.#said.set(block, block.kind)
  }

  /** Is there nothing more to say of the window? */
  isDone(block: WindowBlock): boolean {
    return block.kind !== 'open' && this.#said.get(block) === block.kind
  }

  write(
    history: MetricHistory,
    block: WindowBlock,
    verdict: { readonly value: VerdictValue | 'closed'; readonly reason: string },
    zeros: () => Iterable<Tags>,
  ): VerdictNote[] {
    const before = this.#said.get(block)
    const state = block.kind === 'open' ? `open ${verdict.value}` : block.kind
    if (before === state) return []
    this.#said.set(block, state)
    const base = {
      metric: history.metric.name,
      windowStart: block.start,
      windowEnd: block.end,
      reason: verdict.reason,
    }
    if (verdict.value !== 'closed') return [{ ...base, tags: undefined, value: verdict.value }]
    const notes: VerdictNote[] = []
    if (before !== undefined) notes.push({ ...base, tags: undefined, value: 'OK' })
    const reason = 'no event, while the source was alive'
    for (const tags of zeros()) {
      if (notes.length >= maxNotes) break
      notes.push({ ...base, tags, value: 'ZERO', reason })
    }
    return notes
  }
}
