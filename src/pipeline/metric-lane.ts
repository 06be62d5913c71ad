import type { Slice } from '../aggregate/slice.ts'
import { WindowOperator } from '../aggregate/window-operator.ts'
import { type MetricPlan, needsUser, OTHER_OUTCOME_NAME } from '../core/plan.ts'
import type { DecodedBatch, LateEvent, MetricRows } from '../core/rows.ts'
import type { SeriesDictionary } from '../core/series.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { DUPLICATE, FIRST, FingerprintTable } from '../dedup/fingerprint-table.ts'

/** Where the rows of a call come from. */
export interface RowOrigin {
  readonly partition: string
  /** Hash of source and partition name. */
  readonly partitionHash: number
  /** Processing time. */
  readonly now: EpochMs
  /** Combined watermark as it was just before event `event` of the batch. */
  watermarkBefore(event: number): number
}

/** Totals since the job began; part of the checkpoint. kept + duplicates + late = rows. */
export interface MetricTotals {
  rows: number
  kept: number
  duplicates: number
  late: number
}

/** dedup and aggregate of one metric joined: rows in, counted windows out. */
export class MetricLane {
  readonly plan: MetricPlan
  readonly dictionary: SeriesDictionary
  readonly operator: WindowOperator
  /** Who was seen, per slice start. */
  readonly tables = new Map<number, FingerprintTable>()
  readonly totals: MetricTotals = { rows: 0, kept: 0, duplicates: 0, late: 0 }
  /** Slices and windows whose state is to be dropped by the next checkpoint, by start. */
  readonly goneSlices: number[] = []
  readonly goneWindows: number[] = []
  readonly #keyed: boolean
  readonly #timed: boolean
  readonly #speaksOfDuplicates: boolean
  #slice: Slice | undefined
  #table: FingerprintTable | undefined

  constructor(plan: MetricPlan, dictionary: SeriesDictionary, job: string) {
    this.plan = plan
    this.dictionary = dictionary
    this.operator = new WindowOperator(plan, dictionary, job)
    this.#keyed = needsUser(plan)
    this.#timed = plan.keep !== undefined && (plan.keep !== 'best' || plan.values.length > 0)
    this.#speaksOfDuplicates = plan.aggregates.some(
      (one) => one.kind === 'events' || (one.kind === 'rate' && one.raw),
    )
    this.operator.onSliceGone = (slice) => {
      this.tables.delete(slice.start)
      this.goneSlices.push(slice.start)
      this.#slice = undefined
      this.#table = undefined
    }
    this.operator.onWindowGone = (window) => this.goneWindows.push(window.start)
  }

  /** Keys that the next checkpoint must write. */
  get changedKeys(): number {
    let keys = 0
    for (const table of this.tables.values()) keys += table.changes
    return keys
  }

  /** The table of a slice, for rows and for restoring. */
  tableOf(sliceStart: number): FingerprintTable {
    const known = this.tables.get(sliceStart)
    if (known !== undefined) return known
    const { keep, values } = this.plan
    const table = new FingerprintTable(keep ?? 'best', keep === undefined ? 0 : values.length)
    this.tables.set(sliceStart, table)
    return table
  }

  /** Counts rows `from`…`to` (exclusive); late ones are appended to `late`. */
  add(
    batch: DecodedBatch,
    rows: MetricRows,
    from: number,
    to: number,
    origin: RowOrigin,
    late: LateEvent[],
  ): void {
    const { time, offset } = batch
    const { accumulators } = this.operator
    const { totals } = this
    const deduplicates = this.plan.keep !== undefined
    let slice = this.#slice
    let table = this.#table
    totals.rows += to - from
    for (let row = from; row < to; row++) {
      const event = rows.event[row] as number
      const at = time[event] as number
      if (slice === undefined || at < slice.start || at >= slice.end) {
        slice = this.operator.sliceFor(at, origin.watermarkBefore(event))
        if (slice === undefined) {
          totals.late++
          late.push(this.#lateEvent(batch, rows, row, origin))
          continue
        }
        table = this.#keyed ? this.tableOf(slice.start) : undefined
      }
      const id = rows.series[row] as number
      const outcome = rows.outcome[row] as number
      const { cells } = slice
      const cell = cells.touch(id)
      accumulators.addEvent(cells.data, cell, outcome)
      let code = FIRST
      if (table !== undefined) {
        const tie = this.#timed ? positionHash(origin.partitionHash, offset[event] as number) : 0
        code = table.offer(
          rows.keyHigh[row] as number,
          rows.keyLow[row] as number,
          deduplicates ? outcome : 0,
          at,
          tie,
          rows.values,
          row,
        )
      }
      if (!deduplicates) {
        totals.kept++
        if (table !== undefined && code === FIRST) accumulators.addUser(cells.data, cell)
        this.#addValues(cells.data, cell, outcome, rows, row)
      } else if (code === DUPLICATE) {
        totals.duplicates++
        if (!this.#speaksOfDuplicates) continue
      } else {
        if (code === FIRST) totals.kept++
        else {
          totals.duplicates++
          this.#withdraw(cells.data, cell, code, table)
        }
        accumulators.addKept(cells.data, cell, outcome, 1)
        this.#addValues(cells.data, cell, outcome, rows, row)
      }
      if (slice.watched) this.operator.noteChange(slice, id, origin.now)
    }
    this.#slice = slice
    this.#table = table
  }

  #addValues(
    cells: Float64Array,
    cell: number,
    outcome: number,
    rows: MetricRows,
    row: number,
  ): void {
    for (let index = 0; index < rows.values.length; index++) {
      const value = rows.values[index]?.[row] ?? Number.NaN
      this.operator.accumulators.addValue(cells, cell, outcome, index, value, 1)
    }
  }

  #withdraw(
    cells: Float64Array,
    cell: number,
    outcome: number,
    table: FingerprintTable | undefined,
  ): void {
    const { accumulators } = this.operator
    accumulators.addKept(cells, cell, outcome, -1)
    const values = table?.withdrawn ?? []
    for (let index = 0; index < values.length; index++) {
      accumulators.addValue(cells, cell, outcome, index, values[index] ?? Number.NaN, -1)
    }
  }

  #lateEvent(batch: DecodedBatch, rows: MetricRows, row: number, origin: RowOrigin): LateEvent {
    const event = rows.event[row] as number
    const values = this.dictionary.valuesOf(rows.series[row] as number)
    const code = rows.outcome[row] as number
    return {
      metric: this.plan.name,
      partition: origin.partition,
      offset: batch.offset[event] as number,
      time: epochMs(batch.time[event] as number),
      tags: Object.fromEntries(
        this.plan.dimensions.map((dimension, index) => [dimension.name, values[index] ?? '']),
      ),
      outcome: this.plan.outcomes[code - 1] ?? OTHER_OUTCOME_NAME,
      values: rows.values.map((column) => column[row] ?? Number.NaN),
      windowEnd: this.operator.lifetime.lastWindowEnd(batch.time[event] as number),
      watermark: epochMs(origin.watermarkBefore(event)),
    }
  }
}

/** 32-bit hash of a position, the last tie-break of dedup: does not depend on arrival. Finalizer of MurmurHash3 (Appleby). */
export function positionHash(partitionHash: number, offset: number): number {
  let hash = partitionHash ^ (offset | 0) ^ Math.imul(Math.floor(offset / 2 ** 32), 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
