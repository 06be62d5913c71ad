import type { EpochMs } from '../core/time.ts'

/**
 * Port of everything events come from. A source owns its partitions: it starts where the checkpoint says and is never
 * rebalanced. It reads ahead into a buffer bounded in bytes and stops reading when that is full.
 *
 * Life: `open` once, then `take` / `ready` in turn, `close` once. A broken promise (`ready` rejects, `take` throws) is a
 * WardenError whose recovery says what to do; a source retries by itself what heals by itself, and says so in `status`.
 */
export interface Source {
  readonly name: string
  /** Ends by itself (a file that is not followed): the pipeline drains and exits. */
  readonly bounded: boolean
  /**
   * Starts reading. `positions`: partition name → position in the checkpoint; partitions that are not in it start as the
   * config says. Resolves when every partition known now has a position.
   */
  open(positions: ReadonlyMap<string, PartitionPosition>): Promise<void>
  /** The next batch, or undefined when nothing is buffered. The bytes stay valid until the next `take`. */
  take(): SourceBatch | undefined
  /** Resolves when `take` has something, a partition's status changed, or the source ended. */
  ready(signal: AbortSignal): Promise<void>
  /** All partitions, in a stable order: a batch's `partition` is an index into it. Grows when partitions are added. */
  partitions(): readonly PartitionStatus[]
  /** Held partitions are not read (alignment, backpressure); a held partition is never idle. */
  hold(partition: number, held: boolean): void
  /** The checkpoint with these positions is durable: commit group offsets, delete segments. Never fails a checkpoint. */
  checkpointed(positions: ReadonlyMap<string, PartitionPosition>): Promise<void>
  /** Everything that will ever come has been taken. Always false for unbounded sources. */
  ended(): boolean
  close(): Promise<void>
}

/** Where reading goes on; all of it is in the checkpoint. */
export interface PartitionPosition {
  /** Next record to read. */
  readonly offset: number
  /** Identity of what the offset counts in (a Kafka topic id and cluster id, a file's inode): another one means data loss, not "go on". */
  readonly identity: string
}

/** `kafka-v2`: raw Kafka record batches (magic 2), maybe compressed. `lines`: JSON documents, one a line; offsets are bytes. */
export type Framing = 'kafka-v2' | 'lines'

export interface SourceBatch {
  readonly partition: number
  readonly framing: Framing
  readonly bytes: Buffer
  /** Records below it are skipped (a Kafka batch may begin before the wanted offset). For `lines`: offset of the first byte. */
  readonly fromOffset: number
  /** Position after the batch. */
  readonly nextOffset: number
  /** Timestamp of every record for `lines`; for `kafka-v2` it is in the bytes and this is 0. */
  readonly recordTimestamp: EpochMs
  /** Aborted transactions that the broker named for this fetch; only for `kafka-v2`. */
  readonly aborted: readonly AbortedTransaction[]
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

export interface PartitionStatus {
  /** Stable over restarts: `orders-0`, a file name, `0`. */
  readonly name: string
  /** Position after the last batch taken. */
  readonly position: PartitionPosition
  /** Time before which nothing of this partition was or will be read: -Infinity when it is read from its very beginning. Windows that began before it are partial. Fixed when the partition starts without state. */
  readonly readFrom: EpochMs
  /** Processing time of the last successful fetch that showed that everything up to the partition's end had been taken; undefined when that is not so now. */
  readonly caughtUpAt: EpochMs | undefined
  /** Records (or bytes for `lines`) between position and end at the last successful fetch; undefined when unknown. */
  readonly lag: number | undefined
  /** Why it is not being read, in words; undefined when it is. */
  readonly trouble: string | undefined
  /** Records were lost here since the checkpoint (only with `onDataLoss: continue`): windows that overlap are partial. */
  readonly lost: { readonly from: EpochMs; readonly to: EpochMs } | undefined
}
