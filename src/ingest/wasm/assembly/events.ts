import { alloc, at } from './bytes'
import { FULL, holds, NO, YES } from './conditions'
import { flush, forgotten, leave } from './host'
import { appendRows, CAPACITY, forgetMetrics } from './metrics'
import { decimal, isoTime } from './numbers'
import { NUMBER, Slot, slotAt, STRING } from './paths'
import { forgetSymbols } from './symbols'
import { walk } from './walk'

/** What the module and the host tell each other about a batch. */
@unmanaged
class Progress {
  /** Largest event time; -Infinity when there is none. */
  maxTime: f64
  /** Timestamp of the last record decoded here. */
  lastTimestamp: f64
  /** Events in the columns. */
  events: usize
  /** Index in the batch of the first of them. */
  eventBase: u32
  /** Records decoded here since the last flush. */
  records: u32
}

const progress = changetype<Progress>(alloc(offsetof<Progress>()))
export const times: usize = alloc(CAPACITY * 8)
export const offsets: usize = alloc(CAPACITY * 8)

const AUTO = 0
const SECONDS = 1
const MILLISECONDS = 2
const ISO = 3
const RECORD = 4
/** Numbers below it are seconds under `auto`. */
const AUTO_SECONDS_BELOW: f64 = 1e11

let format: i32 = 0
let timeSlot: Slot | null = null
let where: usize = 0
let minTime: f64 = 0
let maxSkew: f64 = 0
let now: f64 = 0
let maxBytes: usize = 0

export function progressAt(): usize {
  return changetype<usize>(progress)
}

/**
 * How events are read.
 * @param timeFormat 0 auto, 1 epoch-s, 2 epoch-ms, 3 iso8601, 4 record
 * @param slot -1 for `record`
 * @param condition 0 for none
 */
export function makeEvent(timeFormat: i32, slot: i32, condition: usize, minEventTime: f64, maxFutureSkew: f64): void {
  format = timeFormat
  timeSlot = slot < 0 ? null : slotAt(slot)
  where = condition
  minTime = minEventTime
  maxSkew = maxFutureSkew
}

/** Begins a batch. @param longest documents are left to the host above it, in bytes */
export function begin(wallClock: f64, longest: usize): void {
  now = wallClock
  maxBytes = longest
}

/** Decodes the document in `start ≤ i < end`, as a whole or not at all. */
// @ts-ignore: a decorator of AssemblyScript
@inline
export function document(start: usize, end: usize, offset: f64, timestamp: f64): void {
  if (progress.events == CAPACITY) flush()
  if (end - start <= maxBytes && walk(start, end) && append(offset, timestamp)) {
    progress.records++
    progress.lastTimestamp = timestamp
  } else leave(start, end, offset, timestamp)
}

/** Appends the event and its rows; false when nothing was appended and the reference has to. */
function append(offset: f64, timestamp: f64): bool {
  const time = readTime(timestamp)
  if (!(time > 0) || time == Infinity || time < minTime) return false
  const ahead = timestamp > 0 && timestamp < now ? timestamp : now
  if (time > ahead + maxSkew) return false
  const event = progress.events
  store<f64>(times + (event << 3), time)
  store<f64>(offsets + (event << 3), offset)
  let answer = where == 0 ? YES : holds(where)
  if (answer == YES) {
    answer = appendRows(progress.eventBase + <u32>event)
    if (answer == NO) return false
  }
  if (answer == FULL) {
    forgetSymbols()
    forgetMetrics()
    forgotten()
    return false
  }
  progress.events = event + 1
  if (time > progress.maxTime) progress.maxTime = time
  return true
}

/** NaN when the document has no readable time. */
function readTime(timestamp: f64): f64 {
  if (format == RECORD) return timestamp > 0 ? timestamp : NaN
  const slot = timeSlot
  if (slot === null) return NaN
  const isText = slot.kind == STRING
  if (!isText && slot.kind != NUMBER) return NaN
  const readsIso = isText && (format == ISO || format == AUTO)
  // A date has a digit and a hyphen there; a number that has a hyphen has an `e` before it.
  if (readsIso && at(slot.from + 4) == 45 && at(slot.from + 3) - 48 < 10) return isoTime(slot.from, slot.to)
  const value = decimal(slot.from, slot.to)
  if (value != value) return readsIso ? isoTime(slot.from, slot.to) : NaN
  switch (format) {
    case SECONDS:
      return msOfSeconds(value)
    case MILLISECONDS:
      return Math.floor(value)
    case AUTO:
      return value < AUTO_SECONDS_BELOW ? msOfSeconds(value) : Math.floor(value)
    default:
      return NaN
  }
}

/** 1700000000.123 × 1000 is 1700000000122.9999… in binary: half a microsecond is forgiven before the cut. */
function msOfSeconds(seconds: f64): f64 {
  return Math.floor(seconds * 1000 + 0.0005)
}
