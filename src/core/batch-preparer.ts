import type { DecodedBatch } from './rows.ts'
import type { EpochMs } from './time.ts'

/** Where a batch comes from. */
export interface BatchOrigin {
  /** Name of the partition, stable over restarts. */
  readonly partition: string
  /** Processing time at which it was decoded. */
  readonly now: EpochMs
}

/**
 * Port of what a decoded batch may have to wait for before its rows are judged and counted: a dimension that is looked up, a user
 * that is claimed elsewhere. A lane has its own preparers, one instance each, and asks them between decoding and counting:
 *
 * - One batch at a time, in the order of its partition, preparers in their order; each sees what the one before it wrote.
 * - It may write into the rows of the batch's metrics (`series`, `keyHigh`, `keyLow`, `outcome`, `values`), leave rows out by moving later ones forward and lowering
 *   their `length`, and append to `rejects`. The events (`time`, `offset`, `length`, `maxTime`) stay as they are: they move the watermark.
 * - While it waits the lane reads nothing more, which counts as back-pressured time, but goes on to answer: packets of other lanes are
 *   counted, and a checkpoint is cut *before* the batch. Its offset, dead letters and rows are in the next one, and its partition is not idle meanwhile.
 * - After a crash it is asked of the same records again, maybe cut into other batches: it must lead to the same rows.
 * - Nothing limits how long it waits. An outage is either a wait, and with it back-pressure, or the preparer's own choice of a value.
 */
export interface BatchPreparer {
  /**
   * @param batch reused by the next one: not to be kept after the promise is settled, and not to be written to after an abort
   * @param signal aborted when the lane stops; the batch is then not counted and read again after the restart
   * @returns undefined when there is nothing to wait for, and the rows are ready
   * Rejects with the signal's reason when aborted, or with a WardenError that no waiting will cure: the pipeline ends with it.
   */
  prepare(batch: DecodedBatch, origin: BatchOrigin, signal: AbortSignal): Promise<void> | undefined
  /** Lets go of connections and timers; called once, after the last batch. */
  close?(): Promise<void>
}

/** Several preparers as one. */
export function preparersInTurn(preparers: readonly BatchPreparer[]): BatchPreparer {
  const from = (
    first: number,
    ...parts: Parameters<BatchPreparer['prepare']>
  ): Promise<void> | undefined => {
    for (let index = first; index < preparers.length; index++) {
      const waiting = preparers[index]?.prepare(...parts)
      if (waiting !== undefined) return waiting.then(() => from(index + 1, ...parts))
    }
    return undefined
  }
  return {
    prepare: (...parts) => from(0, ...parts),
    close: async () => {
      await Promise.allSettled(preparers.map((one) => one.close?.()))
    },
  }
}
