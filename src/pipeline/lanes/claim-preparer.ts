import type { BatchOrigin, BatchPreparer } from '../../core/batch-preparer.ts'
import type { DecodedBatch } from '../../core/rows.ts'
import type { CountingLane } from './counting-lane.ts'

/** Claims the users of a batch where the metrics of a lane keep them elsewhere, before it is counted. */
export class ClaimPreparer implements BatchPreparer {
  readonly #lane: CountingLane

  constructor(lane: CountingLane) {
    this.#lane = lane
  }

  prepare(
    batch: DecodedBatch,
    { partition }: BatchOrigin,
    signal: AbortSignal,
  ): Promise<void> | undefined {
    const waiting = this.#lane.metrics.flatMap(({ shared }, index) => {
      const claims = shared === undefined ? undefined : this.#lane.claims(batch, partition, index)
      return shared === undefined || claims === undefined ? [] : [shared.prepare(claims, signal)]
    })
    return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => {})
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#lane.metrics.map(({ shared }) => shared?.close()))
  }
}
