/**
 * Port of a side output: where dead letters and late events go (a JSONL file, a Kafka topic).
 * Life: `restore` once with the mark of the checkpoint that is resumed (undefined: none), then `append` and `flush`, `close` once.
 */
export interface SideOutput {
  /** Cuts back what was written after `mark`, where the medium can (a file); a topic can't and is at least once. */
  restore(mark: string | undefined): Promise<void>
  /** Takes a record into memory. Never blocks. */
  append(record: SideRecord): void
  /** Bytes appended and not yet flushed. */
  pendingBytes(): number
  /** Makes everything appended so far durable; the mark goes into the checkpoint. Rejects with a WardenError (retry). */
  flush(): Promise<string>
  close(): Promise<void>
}

export interface SideRecord {
  /** `<source>/<partition>/<offset>`: the same record has the same key after a replay. */
  readonly key: string
  /** One JSON document without line breaks. */
  readonly json: string
}
