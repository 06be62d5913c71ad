/** What a table knows of a key: one text, or texts by field. */
export type Entry = string | Readonly<Record<string, string>>

/**
 * Port: where entries come from. Keys and texts are as they stand there; whoever asks decides what becomes of a key without an
 * entry. A call ends with the signal, and rejects with `enrich_unreachable` where asking again may help, with `enrich_refused` where
 * only a person can.
 */
export interface Origin {
  /** Entries of those of the keys that have one; keys are distinct, at most as many as a batch holds. */
  lookup(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Entry>>
  /** At most `limit` entries, for what is known before anybody asks; absent where the origin cannot tell. */
  all?(limit: number, signal: AbortSignal): Promise<ReadonlyMap<string, Entry>>
  close(): Promise<void>
}

/** Port: an origin that is read as a whole, like a file, and says when it has changed. */
export interface WholeOrigin extends Origin {
  all(limit: number, signal: AbortSignal): Promise<ReadonlyMap<string, Entry>>
  /** Another text whenever the content may be another. */
  version(signal: AbortSignal): Promise<string>
}

/** Port: the level between memory and origin, shared by processes and kept over restarts. Its failures are nobody's outage. */
export interface EntryCache {
  get(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Entry>>
  /** Keeps entries for `ttlMs`. */
  set(entries: ReadonlyMap<string, Entry>, ttlMs: number, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}
