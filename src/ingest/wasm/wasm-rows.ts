import { type DecodedBatch, growDecodedBatch, type MetricRows } from '../../core/rows.ts'
import { rowsOf } from '../decoded-rows.ts'
import type { DecoderExports } from './wasm-engine.ts'
import type { WasmViews } from './wasm-views.ts'

/** Fields of `Progress` in src/ingest/wasm/assembly/events.ts, in words of their size. */
const MAX_TIME = 0
const LAST_TIMESTAMP = 1
const EVENTS = 4
const EVENT_BASE = 5
const RECORDS = 6

/** Below it a loop is quicker than a view of the part that is copied. */
const FEW = 16

type Column = Float64Array | Int32Array | Uint32Array | Uint8Array

/** Where a metric's columns begin, as indexes into views of their words. */
interface Columns {
  /** Of the number of rows. */
  readonly rows: number
  readonly event: number
  readonly series: number
  readonly keyHigh: number
  readonly keyLow: number
  readonly outcome: number
  readonly values: readonly number[]
}

/** Moves rows from a module's memory to the columns of a batch. */
export class WasmRows {
  readonly #views: WasmViews
  readonly #progress: number
  readonly #times: number
  readonly #offsets: number
  readonly #metrics: readonly Columns[]

  /** @param metrics addresses of the metrics, and how many value columns each has */
  constructor(
    exports: DecoderExports,
    views: WasmViews,
    metrics: readonly { readonly at: number; readonly values: number }[],
  ) {
    this.#views = views
    this.#progress = exports.progressAt()
    this.#times = exports.times.value >>> 3
    this.#offsets = exports.offsets.value >>> 3
    this.#metrics = metrics.map(({ at, values }) => ({
      rows: at >>> 2,
      event: exports.columnOf(at, 0) >>> 2,
      series: exports.columnOf(at, 1) >>> 2,
      keyHigh: exports.columnOf(at, 2) >>> 2,
      keyLow: exports.columnOf(at, 3) >>> 2,
      outcome: exports.columnOf(at, 4),
      values: Array.from({ length: values }, (_, k) => exports.columnOf(at, 5 + k) >>> 3),
    }))
  }

  /** Forgets rows that an error left behind; the next ones belong to `out`. */
  begin(out: DecodedBatch): void {
    const { u32, f64 } = this.#views
    f64[(this.#progress >>> 3) + MAX_TIME] = Number.NEGATIVE_INFINITY
    const words = this.#progress >>> 2
    u32[words + EVENTS] = 0
    u32[words + RECORDS] = 0
    for (const { rows } of this.#metrics) u32[rows] = 0
    this.resume(out)
  }

  /** The batch has got rows from elsewhere: those that follow count from there. */
  resume(out: DecodedBatch): void {
    this.#views.u32[(this.#progress >>> 2) + EVENT_BASE] = out.length
  }

  /** Appends to `out` what was decoded since the last time. Returns the number of records. */
  flush(out: DecodedBatch): number {
    const { u32, f64, bytes } = this.#views
    const words = this.#progress >>> 2
    const doubles = this.#progress >>> 3
    const records = u32[words + RECORDS] as number
    if (records === 0) return 0
    const events = u32[words + EVENTS] as number
    while (out.length + events > out.time.length) growDecodedBatch(out)
    copy(f64, this.#times, events, out.time, out.length)
    copy(f64, this.#offsets, events, out.offset, out.length)
    out.length += events
    out.records += records
    out.lastRecordTimestamp = f64[doubles + LAST_TIMESTAMP] as number
    out.maxTime = Math.max(out.maxTime, f64[doubles + MAX_TIME] as number)
    for (let k = 0; k < this.#metrics.length; k++) {
      this.#flushMetric(this.#metrics[k] as Columns, rowsOf(out, k), u32, f64, bytes)
    }
    u32[words + EVENTS] = 0
    u32[words + EVENT_BASE] = out.length
    u32[words + RECORDS] = 0
    return records
  }

  #flushMetric(
    columns: Columns,
    rows: MetricRows,
    u32: Uint32Array,
    f64: Float64Array,
    bytes: Uint8Array,
  ): void {
    const count = u32[columns.rows] as number
    if (count === 0) return
    const at = rows.length
    copy(u32, columns.event, count, rows.event, at)
    copy(u32, columns.series, count, rows.series, at)
    copy(u32, columns.keyHigh, count, rows.keyHigh, at)
    copy(u32, columns.keyLow, count, rows.keyLow, at)
    copy(bytes, columns.outcome, count, rows.outcome, at)
    for (let k = 0; k < columns.values.length; k++) {
      copy(f64, columns.values[k] as number, count, rows.values[k] as Float64Array, at)
    }
    rows.length = at + count
    u32[columns.rows] = 0
  }
}

function copy(from: Column, start: number, count: number, to: Column, at: number): void {
  if (count >= FEW) to.set(from.subarray(start, start + count), at)
  else for (let k = 0; k < count; k++) to[at + k] = from[start + k] as number
}
