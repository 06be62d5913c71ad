import { tagsKey } from '../alert/history/series-names.ts'
import type { VerdictNote, VerdictNotes } from '../alert/verdict-notes.ts'
import type { Logger } from '../core/telemetry.ts'
import type { NoteWriter } from '../store/note-writer.ts'

/** Notes that wait to be written at most: each is a transaction, and a job that catches up finds thousands. */
const maxWaiting = 1_000

/** Verdicts as notes on the charts of the embedded store. They may be lost: the verdicts themselves are in the state. */
export class StoreNotes implements VerdictNotes {
  readonly #writer: NoteWriter
  /** Name of the points of a metric in the store. */
  readonly #pointName: (metric: string) => string
  readonly #logger: Logger
  #queue: VerdictNote[] = []
  #writing: Promise<void> | undefined

  constructor(writer: NoteWriter, pointName: (metric: string) => string, logger: Logger) {
    this.#writer = writer
    this.#pointName = pointName
    this.#logger = logger
  }

  add(notes: readonly VerdictNote[]): void {
    if (notes.length === 0) return
    this.#queue = [...this.#queue, ...notes].slice(-maxWaiting)
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  /** Resolves when nothing is being written; what waits is dropped. */
  async close(): Promise<void> {
    this.#queue = []
    await this.#writing
  }

  async #write(): Promise<void> {
    for (let note = this.#queue.shift(); note !== undefined; note = this.#queue.shift()) {
      const { metric, tags, windowStart, windowEnd, value, reason } = note
      try {
        await this.#writer.write({
          id: `verdict ${metric} ${tags === undefined ? '' : tagsKey(tags)} ${windowStart}`,
          series: tags === undefined ? undefined : { metric: this.#pointName(metric), tags },
          startMs: windowStart,
          endMs: windowEnd,
          description: `${metric}: ${value}`,
          details: reason,
        })
      } catch (error) {
        this.#logger.warn({ err: error }, 'a note on a verdict could not be written')
      }
    }
  }
}
