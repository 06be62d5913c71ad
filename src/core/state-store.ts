/**
 * Port of durable state: an ordered map from text keys to bytes with atomic commits.
 * Keys are ASCII, at most 1,900 characters, ordered by code unit. One writer; a commit is all or nothing, and durable when its promise resolves.
 */
export interface StateStore {
  get(key: string): Uint8Array | undefined
  /** Entries with `from ≤ key < to`, ascending; the bytes are the reader's own, in a buffer of their own. */
  range(from: string, to: string): Iterable<readonly [key: string, value: Uint8Array]>
  /** Applies the operations in order, in one transaction. Rejects with `state_write_failed` and changes nothing when it can't. */
  commit(operations: readonly StateOperation[]): Promise<void>
  /** Bytes on disk. */
  sizeBytes(): number
  close(): Promise<void>
}

export type StateOperation =
  | { readonly kind: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: 'remove'; readonly key: string }
  /** Removes every key with `from ≤ key < to`. */
  | { readonly kind: 'remove-range'; readonly from: string; readonly to: string }
