import type { Counter, Logger, Metrics } from '../core/telemetry.ts'
import { isCut } from './point-names.ts'
import type { DataPoint } from './sink.ts'

/** Names remembered, so that each is told once; beyond that they are told again after the oldest were forgotten. */
const maxKnown = 10_000

/** Tells of names that had to be cut: their series can't be told by name any more. */
export class NameWatch {
  readonly #logger: Logger
  readonly #cut: Counter
  readonly #known = new Set<string>()

  constructor(parts: { readonly logger: Logger; readonly metrics: Metrics }) {
    this.#logger = parts.logger
    this.#cut = parts.metrics.counter(
      'warden_cut_names_total',
      'Values of dimensions that are too long for a name and were cut, each once.',
    )
  }

  see(points: readonly DataPoint[]): void {
    for (const { metric, tags } of points) {
      for (const [tag, value] of Object.entries(tags)) {
        if (isCut(value) && !this.#known.has(value)) this.#tell(metric, tag, value)
      }
    }
  }

  #tell(metric: string, tag: string, value: string): void {
    if (this.#known.size >= maxKnown) this.#known.clear()
    this.#known.add(value)
    this.#cut.add(1)
    this.#logger.warn(
      { metric, tag, value },
      `a value of ${tag} is too long for a name and was cut; it ends in a hash of the whole`,
    )
  }
}
