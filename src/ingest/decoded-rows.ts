import {
  type DecodedBatch,
  growDecodedBatch,
  type MetricRows,
  type RejectReason,
} from '../core/rows.ts'

/** A record where it lies, to be copied only when it is refused. */
export interface RawRecord {
  bytes: Buffer
  start: number
  end: number
  offset: number
  /** Epoch ms; 0 when the record has none. */
  timestamp: number
}

/** Appends an event to the event columns, growing them where they are full. */
export function appendEvent(out: DecodedBatch, time: number, offset: number): void {
  const index = out.length
  if (index === out.time.length) growDecodedBatch(out)
  out.time[index] = time
  out.offset[index] = offset
  out.length = index + 1
  if (time > out.maxTime) out.maxTime = time
}

/** Rows of the metric at `index` of the plan. */
export function rowsOf(out: DecodedBatch, index: number): MetricRows {
  const rows = out.metrics[index]
  if (rows === undefined) throw new RangeError(`the batch has no rows for metric ${index}`)
  return rows
}

/** Appends a dead letter with its own copy of the record. */
export function appendReject(
  out: DecodedBatch,
  record: RawRecord,
  reason: RejectReason,
  detail: string,
  metric: string | undefined,
): void {
  out.rejects.push({
    reason,
    detail,
    metric,
    offset: record.offset,
    recordTimestamp: record.timestamp,
    bytes: record.start < 0 ? new Uint8Array(0) : copyOf(record.bytes, record.start, record.end),
  })
}

/** Not `Buffer.slice`, which shares memory with the batch. */
function copyOf(bytes: Buffer, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start)
  copy.set(bytes.subarray(start, end))
  return copy
}
