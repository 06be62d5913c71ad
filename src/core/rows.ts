import type { EpochMs } from './time.ts'

/**
 * The seam between bytes and counting. A decoder turns a batch of bytes into columns; the stages after it
 * see nothing else, so that there is no object per event and another decoder can take its place.
 * Columns are reused by the next batch and longer than `length`.
 */
export interface DecodedBatch {
  /** Dense index of the partition within its source. */
  partition: number
  /** Events of the source with a sane time, in order of offset. Events that no metric wants are here too: they move the watermark. */
  length: number
  /** Event time, epoch ms. */
  time: Float64Array
  /** Offset in the partition. */
  offset: Float64Array
  /** Largest of `time`; -Infinity when there is none. */
  maxTime: number
  /** Watermarks that records said, in order of offset. */
  marks: WatermarkMark[]
  /** One entry per metric of the source, in the order of the plan. */
  metrics: MetricRows[]
  /** Records that could not be read, in order of offset (a metric's own refusals in between). */
  rejects: Reject[]
  /** Records read from the batch, rejects included, control records and skipped ones not. */
  records: number
  /** Record timestamp of the last record; 0 when the source has none. */
  lastRecordTimestamp: number
}

/** A watermark that a record said. */
export interface WatermarkMark {
  /** It stands behind so many events of the batch. */
  readonly event: number
  /** Epoch ms. */
  readonly watermark: number
}

/** Rows of one metric: the events that passed its filter. */
export interface MetricRows {
  length: number
  /** Index into the batch's event columns, ascending. */
  event: Int32Array
  /** Id in the metric's `SeriesDictionary`. */
  series: Int32Array
  /**
   * 64-bit keyed hash of (series, user), as two unsigned halves, never both 0. Unset where the metric needs no user. Where it
   * needs integer users the lower half is the user.
   */
  keyHigh: Uint32Array
  keyLow: Uint32Array
  /** `OTHER_OUTCOME` or 1 + index into `MetricPlan.outcomes`. */
  outcome: Uint8Array
  /** One column per `MetricPlan.values`; NaN where the field is missing. */
  values: Float64Array[]
}

export const rejectReasons = [
  'not_json',
  'not_an_object',
  'invalid_utf8',
  'empty',
  'missing_time',
  'bad_time',
  'time_too_old',
  'time_in_future',
  'missing_user',
  'missing_outcome',
  'missing_dimension',
  'bad_field_type',
  'too_many_series',
  'too_large',
] as const

/** Why a record is a dead letter. */
export type RejectReason = (typeof rejectReasons)[number]

/** A dead letter on its way to the file or topic. */
export interface Reject {
  reason: RejectReason
  /** What exactly, for a person; names the field. */
  detail: string
  /** The metric that refused it; undefined when the record is unreadable for all. */
  metric: string | undefined
  offset: number
  recordTimestamp: number
  /** A copy of the record's value. */
  bytes: Uint8Array
}

/** A late event on its way to the side output of its metric. */
export interface LateEvent {
  readonly metric: string
  readonly partition: string
  readonly offset: number
  readonly time: EpochMs
  readonly tags: Readonly<Record<string, string>>
  readonly outcome: string
  readonly values: readonly number[]
  /** End of the last window that would have held it. */
  readonly windowEnd: EpochMs
  /** Combined watermark when it was classified. */
  readonly watermark: EpochMs
}

/** Empty columns for `capacity` events of metrics with the given numbers of value columns. */
export function createDecodedBatch(
  capacity: number,
  valueColumns: readonly number[],
): DecodedBatch {
  return {
    partition: 0,
    length: 0,
    time: new Float64Array(capacity),
    offset: new Float64Array(capacity),
    maxTime: Number.NEGATIVE_INFINITY,
    marks: [],
    metrics: valueColumns.map((columns) => ({
      length: 0,
      event: new Int32Array(capacity),
      series: new Int32Array(capacity),
      keyHigh: new Uint32Array(capacity),
      keyLow: new Uint32Array(capacity),
      outcome: new Uint8Array(capacity),
      values: Array.from({ length: columns }, () => new Float64Array(capacity)),
    })),
    rejects: [],
    records: 0,
    lastRecordTimestamp: 0,
  }
}

const grown = <T extends Float64Array | Int32Array | Uint32Array | Uint8Array>(
  old: T,
  to: number,
): T => {
  const next = new (old.constructor as new (length: number) => T)(to)
  next.set(old as never)
  return next
}

/** Doubles the columns of `batch` in place; what they hold stays. */
export function growDecodedBatch(batch: DecodedBatch): void {
  const to = batch.time.length * 2
  batch.time = grown(batch.time, to)
  batch.offset = grown(batch.offset, to)
  for (const rows of batch.metrics) {
    rows.event = grown(rows.event, to)
    rows.series = grown(rows.series, to)
    rows.keyHigh = grown(rows.keyHigh, to)
    rows.keyLow = grown(rows.keyLow, to)
    rows.outcome = grown(rows.outcome, to)
    rows.values = rows.values.map((column) => grown(column, to))
  }
}

/** Makes `batch` ready for the next bytes. */
export function resetDecodedBatch(batch: DecodedBatch, partition: number): void {
  batch.partition = partition
  batch.length = 0
  batch.maxTime = Number.NEGATIVE_INFINITY
  if (batch.marks.length > 0) batch.marks = []
  for (const rows of batch.metrics) rows.length = 0
  batch.rejects = []
  batch.records = 0
  batch.lastRecordTimestamp = 0
}
