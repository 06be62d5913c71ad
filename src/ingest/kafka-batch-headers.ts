const HEADER_BYTES = 61
const LENGTH_AT = 8
const MAGIC_AT = 16
const ATTRIBUTES_AT = 21
const LAST_OFFSET_DELTA_AT = 23
const BASE_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const LOG_APPEND_TIME = 8

/** What the headers of a run of record batches (magic 2) say; no record is looked at. */
export interface BatchHeaders {
  /** Length of the whole batches: what follows was cut off by the broker. */
  readonly bytes: number
  /** Offset after the last whole batch; -1 when there is none. */
  readonly nextOffset: number
  /** The first batch is of a format older than Kafka 0.11. */
  readonly isOldFormat: boolean
  readonly firstOffset: number
  /** Timestamps of the first batch, ms; below 0 for none. They are equal where the broker set them. */
  readonly firstTimestamp: number
  readonly firstMaxTimestamp: number
  /** Timestamp of the first record of the last batch, ms. */
  readonly lastTimestamp: number
}

/** Source: https://kafka.apache.org/documentation/#recordbatch */
export function readBatchHeaders(records: Buffer): BatchHeaders {
  let at = 0
  let last = -1
  const complete = records.length >= HEADER_BYTES
  const isOldFormat = records.length > MAGIC_AT && records[MAGIC_AT] !== 2
  while (!isOldFormat && at + HEADER_BYTES <= records.length) {
    const end = at + LENGTH_AT + 4 + records.readInt32BE(at + LENGTH_AT)
    if (end > records.length || end <= at) break
    last = at
    at = end
  }
  return {
    bytes: at,
    nextOffset:
      last < 0
        ? -1
        : readInt64(records, last) + records.readInt32BE(last + LAST_OFFSET_DELTA_AT) + 1,
    isOldFormat,
    firstOffset: complete ? readInt64(records, 0) : -1,
    firstTimestamp: complete ? baseTimestamp(records, 0) : -1,
    firstMaxTimestamp: complete ? readInt64(records, MAX_TIMESTAMP_AT) : -1,
    lastTimestamp: last < 0 ? -1 : baseTimestamp(records, last),
  }
}

function baseTimestamp(records: Buffer, at: number): number {
  const isLogAppendTime = (records.readInt16BE(at + ATTRIBUTES_AT) & LOG_APPEND_TIME) !== 0
  return readInt64(records, at + (isLogAppendTime ? MAX_TIMESTAMP_AT : BASE_TIMESTAMP_AT))
}

function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 4_294_967_296 + bytes.readUInt32BE(at + 4)
}
