import type { NameWatch } from './name-watch.ts'
import { encodeName } from './point-names.ts'
import type { DataPoint, Sink, WriteResult } from './sink.ts'

/** Gives the points of one sink their prefix: the outbox is shared, names are the sink's own. */
export class PrefixedSink implements Sink {
  readonly name: string
  readonly #prefix: string
  readonly #inner: Sink
  readonly #watch: NameWatch | undefined

  constructor(inner: Sink, prefix: string, watch?: NameWatch) {
    this.name = inner.name
    this.#prefix = prefix === '' ? '' : encodeName(prefix)
    this.#inner = inner
    this.#watch = watch
  }

  write(points: readonly DataPoint[], signal: AbortSignal): Promise<WriteResult> {
    this.#watch?.see(points)
    const named = points.map((point) => ({ ...point, metric: this.#prefix + point.metric }))
    return this.#inner.write(named, signal)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}
