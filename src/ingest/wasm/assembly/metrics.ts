import { alloc } from './bytes'
import { FULL, holds, NO, YES } from './conditions'
import { outcomeOf } from './host'
import { hashHigh, hashLow, hashUser } from './key-hash'
import { decimal } from './numbers'
import { ARRAY, MISSING, NULL, NUMBER, OBJECT, Slot, slotAt, STRING } from './paths'
import { findSeries, forgetSeries, makeSeriesTable, NO_SERIES, Series, SeriesTable, TABLE_FULL } from './series'
import { answersOf, intern, symbolOf } from './symbols'

/** Events, and rows of each metric, between two flushes: the columns stay in the processor's cache. */
export const CAPACITY: usize = 1024

@unmanaged
class Dimension {
  slot: Slot
  /** Value where the field is missing; 0 for none. */
  standIn: usize
  standInLength: usize
}

/** One metric: what it reads, and its rows. */
@unmanaged
export class Metric {
  /** Rows in the columns; the host sets it back to 0. */
  rows: usize
  /** The row behind them belongs to the document at hand: 0 or 1. */
  pending: usize
  /** 0 for none. */
  where: usize
  dimensions: usize
  series: SeriesTable
  needsUser: bool
  user: Slot | null
  needsOutcome: bool
  outcome: Slot | null
  /** Where the codes of outcomes lie behind their symbols: u16, code + 1. */
  outcomeAnswer: usize
  values: usize
  valueCount: usize
  event: usize
  seriesIds: usize
  keyHigh: usize
  keyLow: usize
  outcomes: usize
  valueColumns: usize
  index: i32
}

let metrics: usize = 0
let metricCount: i32 = 0

/** Room for the metrics. */
export function makeMetrics(count: i32): void {
  metrics = alloc(<usize>count * sizeof<usize>())
}

/** Slots are -1 where there is no such field. Dimensions and values follow. */
export function makeMetric(
  where: usize,
  width: i32,
  needsUser: bool,
  user: i32,
  needsOutcome: bool,
  outcome: i32,
  outcomeAnswer: i32,
  valueCount: i32,
): usize {
  const metric = changetype<Metric>(alloc(offsetof<Metric>()))
  metric.where = where
  metric.dimensions = alloc(<usize>width * offsetof<Dimension>())
  metric.series = makeSeriesTable(<usize>width)
  metric.needsUser = needsUser
  metric.user = user < 0 ? null : slotAt(user)
  metric.needsOutcome = needsOutcome
  metric.outcome = outcome < 0 ? null : slotAt(outcome)
  metric.outcomeAnswer = <usize>outcomeAnswer
  metric.values = alloc(<usize>valueCount * sizeof<usize>())
  metric.valueCount = <usize>valueCount
  metric.event = alloc(CAPACITY * 4)
  metric.seriesIds = alloc(CAPACITY * 4)
  metric.keyHigh = alloc(CAPACITY * 4)
  metric.keyLow = alloc(CAPACITY * 4)
  metric.outcomes = alloc(CAPACITY)
  metric.valueColumns = alloc(CAPACITY * 8 * <usize>valueCount)
  metric.index = metricCount++
  store<usize>(metrics + <usize>metric.index * sizeof<usize>(), changetype<usize>(metric))
  return changetype<usize>(metric)
}

/** @param standIn 0 for none */
export function makeDimension(owner: usize, index: i32, slot: i32, standIn: usize, length: usize): void {
  const at = changetype<Metric>(owner).dimensions + <usize>index * offsetof<Dimension>()
  const dimension = changetype<Dimension>(at)
  dimension.slot = slotAt(slot)
  dimension.standIn = standIn
  dimension.standInLength = length
}

export function makeValue(owner: usize, index: i32, slot: i32): void {
  const metric = changetype<Metric>(owner)
  store<usize>(metric.values + <usize>index * sizeof<usize>(), changetype<usize>(slotAt(slot)))
}

/** Address of a column: 0 event, 1 series, 2 and 3 key, 4 outcome, from 5 on the values. */
export function columnOf(owner: usize, which: i32): usize {
  const metric = changetype<Metric>(owner)
  switch (which) {
    case 0:
      return metric.event
    case 1:
      return metric.seriesIds
    case 2:
      return metric.keyHigh
    case 3:
      return metric.keyLow
    case 4:
      return metric.outcomes
    default:
      return metric.valueColumns + CAPACITY * 8 * <usize>(which - 5)
  }
}

export function forgetMetrics(): void {
  for (let k = 0; k < metricCount; k++) forgetSeries(metricAt(k).series)
}

/** Appends the rows of the document at hand: `YES`; `NO` and `FULL` when there are none and the reference has to. */
export function appendRows(event: u32): i32 {
  for (let k = 0; k < metricCount; k++) {
    const answer = appendRow(metricAt(k), event)
    if (answer != YES) return answer
  }
  for (let k = 0; k < metricCount; k++) {
    const metric = metricAt(k)
    metric.rows += metric.pending
  }
  return YES
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function metricAt(index: i32): Metric {
  return changetype<Metric>(load<usize>(metrics + <usize>index * sizeof<usize>()))
}

function appendRow(metric: Metric, event: u32): i32 {
  metric.pending = 0
  if (metric.where != 0) {
    const answer = holds(metric.where)
    if (answer != YES) return answer == FULL ? FULL : YES
  }
  const tuple = readDimensions(metric)
  if (tuple != YES) return tuple
  const user = metric.user
  if (metric.needsUser) {
    if (user === null) return NO
    if (user.kind != NUMBER && (user.kind != STRING || user.from == user.to)) return NO
  }
  let outcome = 0
  if (metric.needsOutcome) {
    outcome = readOutcome(metric)
    if (outcome < 0) return outcome == -1 ? NO : FULL
  }
  const row = metric.rows
  for (let k: usize = 0; k < metric.valueCount; k++) {
    const slot = changetype<Slot>(load<usize>(metric.values + k * sizeof<usize>()))
    let value: f64 = NaN
    // A missing value is NaN by right; a value that is no finite number is not.
    if (slot.kind != MISSING && slot.kind != NULL) {
      if (slot.kind != NUMBER && slot.kind != STRING) return NO
      value = decimal(slot.from, slot.to)
      if (!isFinite(value)) return NO
    }
    store<f64>(metric.valueColumns + ((CAPACITY * k + row) << 3), value)
  }
  const found = findSeries(metric.series, metric.index)
  if (found == NO_SERIES) return NO
  if (found == TABLE_FULL) return FULL
  const series = changetype<Series>(found)
  store<u32>(metric.event + (row << 2), event)
  store<u32>(metric.seriesIds + (row << 2), series.id - 1)
  store<u8>(metric.outcomes + row, outcome)
  if (metric.needsUser && user !== null) {
    hashUser(user.from, user.to, series.seedHigh, series.seedLow)
    store<u32>(metric.keyHigh + (row << 2), hashHigh)
    store<u32>(metric.keyLow + (row << 2), hashLow)
  }
  metric.pending = 1
  return YES
}

/** Puts the symbols of the dimensions into the tuple. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function readDimensions(metric: Metric): i32 {
  const table = metric.series
  for (let k: usize = 0; k < table.width; k++) {
    const dimension = changetype<Dimension>(metric.dimensions + k * offsetof<Dimension>())
    const slot = dimension.slot
    const kind = slot.kind
    let symbol: i32
    if (kind == MISSING || kind == NULL) {
      if (dimension.standIn == 0) return NO
      symbol = intern(dimension.standIn, dimension.standInLength)
    } else if (kind == OBJECT || kind == ARRAY) return NO
    else symbol = symbolOf(slot)
    if (symbol < 0) return FULL
    store<i32>(table.tuple + (k << 2), symbol)
  }
  return YES
}

/** Code of the outcome; -1 when there is none, -2 when the symbol table is full. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function readOutcome(metric: Metric): i32 {
  const slot = metric.outcome
  if (slot === null) return -1
  const kind = slot.kind
  if (kind == MISSING || kind == NULL || kind == OBJECT || kind == ARRAY) return -1
  const symbol = symbolOf(slot)
  if (symbol < 0) return -2
  const known = answersOf(symbol) + metric.outcomeAnswer
  if (load<u16>(known) == 0) store<u16>(known, outcomeOf(metric.index, symbol) + 1)
  return <i32>load<u16>(known) - 1
}
