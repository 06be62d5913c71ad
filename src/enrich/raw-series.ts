import type { DimensionPlan } from '../core/plan.ts'
import { SeriesDictionary } from '../core/series.ts'

/** Stands in for the keys beyond the bound; no character of any text. */
export const beyondBound = '\uffff'

/**
 * Series as the decoder sees them: with the key in the place of the value that is looked up. Ids hold as long as the lane lives and are in
 * no checkpoint. Beyond the bound all keys are one, so that their events are still counted.
 */
export class RawSeries extends SeriesDictionary {
  /** New combinations that came when the bound was reached; one may be counted again when the decoder forgot it. */
  beyond = 0
  readonly #dimensions: readonly DimensionPlan[]

  constructor(dimensions: readonly DimensionPlan[], maxKeys: number) {
    super(maxKeys)
    this.#dimensions = dimensions
  }

  override idOf(values: readonly string[]): number {
    const id = super.idOf(values)
    if (id >= 0) return id
    this.beyond++
    return this.learn(
      values.map((value, at) => (this.#dimensions[at]?.lookup === undefined ? value : beyondBound)),
    )
  }

  /** The values that are no keys: the hash of a user begins with them, and what is looked up is added when it is known. */
  override hashedValuesOf(id: number): readonly string[] {
    return this.valuesOf(id).filter((_, at) => this.#dimensions[at]?.lookup === undefined)
  }
}
