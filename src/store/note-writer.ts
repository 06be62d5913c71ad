import type { Annotation } from './annotation.ts'
import type { PointStore } from './point-store.ts'

/** A note to be shown on charts: why a number is what it is. */
export interface Note {
  /** Names the note: writing it again replaces it, where it began at the same second. */
  readonly id: string
  /** The series it belongs to; undefined: all charts show it. One that the store does not know becomes a global note. */
  readonly series:
    | { readonly metric: string; readonly tags: Readonly<Record<string, string>> }
    | undefined
  /** Epoch ms; kept as whole seconds, which is what Grafana reads. */
  readonly startMs: number
  /** Undefined: it lasts. */
  readonly endMs: number | undefined
  /** One line. */
  readonly description: string
  /** More for a person; may be empty. */
  readonly details: string
}

/** Seconds that a note may be moved by notes that began at the same time: OpenTSDB keeps one a series and second. */
const MOST_MOVES = 300

/** Where whoever judges windows leaves what it found; `/api/annotation(s)` and queries show it. */
export class NoteWriter {
  readonly #store: PointStore
  /** Notes come one after the other, or two would take the same second. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(store: PointStore) {
    this.#store = store
  }

  /** Durable when it resolves. @throws WardenError `state_write_failed` */
  async write(note: Note): Promise<void> {
    const writing = this.#last.catch(() => {}).then(() => this.#write(note))
    this.#last = writing
    await writing
  }

  async #write(note: Note): Promise<void> {
    const { series } = note
    const tsuid =
      series === undefined
        ? ''
        : (this.#store.index.find(series.metric, Object.entries(series.tags))?.tsuid ?? '')
    const annotation: Annotation = {
      tsuid,
      startTime: this.#freeSecond(tsuid, note),
      endTime: note.endMs === undefined ? 0 : Math.floor(note.endMs / 1_000),
      description: note.description,
      notes: note.details,
      custom: { id: note.id },
    }
    await this.#store.putAnnotation(annotation)
  }

  #freeSecond(tsuid: string, note: Note): number {
    const wanted = Math.max(1, Math.floor(note.startMs / 1_000))
    for (let second = wanted; second < wanted + MOST_MOVES; second++) {
      const there = this.#store.annotation(tsuid, second)
      if (there === undefined || there.custom?.id === note.id) return second
    }
    return wanted
  }
}
