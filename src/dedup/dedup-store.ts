/**
 * Port of what one metric × window knows of its users. `FingerprintTable` is the exact one; the others give up something for
 * bounded memory or shared state. All calls are synchronous: a backend that has to ask elsewhere does so in `ClaimBackend`.
 */
export interface DedupStore {
  /** Distinct keys, as far as the backend knows. */
  readonly size: number
  /** Entries that the next `takeChanges` will hold. */
  readonly changes: number
  /** Bytes of memory. */
  readonly bytes: number
  /** Values of the winner that the last `offer` withdrew; meaningful after a result in 0…255. */
  readonly withdrawn: Float64Array
  /**
   * An event of key (`high`, `low`; never both 0). See `FingerprintTable.offer`.
   * @param row index of the event in the batch; columns of `values` are read there
   * @returns `FIRST`, `DUPLICATE`, or the outcome that is withdrawn
   */
  offer(
    high: number,
    low: number,
    outcome: number,
    time: number,
    tie: number,
    values: readonly Float64Array[],
    row: number,
  ): number
  /** New and changed entries since the last call, encoded, maybe only a part of them; undefined when there are none left. */
  takeChanges(): Uint8Array | undefined
  /**
   * Puts back what `takeChanges` gave, in that order. @throws WardenError `state_corrupt`
   * @param isWanted key groups to take; left out: all. What a store knows beyond them does no harm
   */
  load(blob: Uint8Array, isWanted?: (group: number) => boolean): void
}

/** Rows of one batch of one partition that are about to be offered. Columns are longer than `length`. */
export interface KeyClaims {
  length: number
  /** Identifies source and partition. */
  partitionHash: number
  /** Offsets in the partition. */
  offset: Float64Array
  high: Uint32Array
  low: Uint32Array
  /** Start of the row's slice; NaN for a row that is late already and must not be claimed. */
  slice: Float64Array
}

/** The asynchronous half of a backend: called once a batch, before its rows are offered with their index as `row`. */
export interface ClaimBackend {
  /**
   * Finds out what each row is. Resolves when all verdicts are there: an outage of the backend is a wait, and with it
   * backpressure. Rejects with the signal's reason when aborted, or with a WardenError that no waiting will cure.
   */
  prepare(claims: KeyClaims, signal: AbortSignal): Promise<void>
}
