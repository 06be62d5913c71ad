import type { TimeFormat } from '../core/plan.ts'
import type { EpochMs } from '../core/time.ts'

/** Numbers below it are seconds under `auto`: 1e11 s is the year 5138, 1e11 ms is 1973. */
const AUTO_SECONDS_BELOW = 1e11

/**
 * Event time in epoch ms of a number; fractions of a millisecond are cut, never rounded up into the next window.
 * NaN when the format takes no numbers.
 */
export function timeOfNumber(format: TimeFormat, value: number): number {
  switch (format) {
    case 'epoch-ms':
      return Math.floor(value)
    case 'epoch-s':
      return msOfSeconds(value)
    case 'auto':
      return value < AUTO_SECONDS_BELOW ? msOfSeconds(value) : Math.floor(value)
    default:
      return Number.NaN
  }
}

/** 1700000000.123 × 1000 is 1700000000122.9999… in binary: half a microsecond is forgiven before the cut. */
function msOfSeconds(seconds: number): number {
  return Math.floor(seconds * 1000 + 0.0005)
}

/** Does the format read ISO 8601 texts? */
export function readsIsoTime(format: TimeFormat): boolean {
  return format === 'auto' || format === 'iso8601'
}

/** Why a time is not usable; undefined when it is. */
export type TimeFault = 'bad_time' | 'time_too_old' | 'time_in_future'

/**
 * Guards against bogus clocks: they would move the watermark.
 * @param recordTimestamp of the record, epoch ms; ≤ 0 when it has none
 */
export function timeFault(
  time: number,
  minEventTime: EpochMs,
  maxFutureSkewMs: number,
  now: EpochMs,
  recordTimestamp: number,
): TimeFault | undefined {
  if (!(time > 0) || time === Number.POSITIVE_INFINITY) return 'bad_time'
  if (time < minEventTime) return 'time_too_old'
  const ahead = recordTimestamp > 0 && recordTimestamp < now ? recordTimestamp : now
  return time > ahead + maxFutureSkewMs ? 'time_in_future' : undefined
}

/**
 * Epoch ms of an ISO 8601 date and time with a zone: `2026-01-02T03:04:05.678Z`, `2026-01-02 03:04+08:00`.
 * Takes `T`, `t` or one blank between date and time, no seconds, fractions of any length after `.` or `,` (cut to ms), zones
 * `Z`, `z`, `±hh`, `±hhmm`, `±hh:mm`, and second 60 as the first of the next minute. NaN for everything else: also for a text
 * without a zone, which would mean another instant on another machine.
 */
export function isoTime(b: Uint8Array, start: number, end: number): number {
  if (end - start < 17 || b[start + 4] !== MINUS || b[start + 7] !== MINUS) return Number.NaN
  const year = digits(b, start, 4)
  const month = digits(b, start + 5, 2)
  const day = digits(b, start + 8, 2)
  const separator = b[start + 10]
  if (separator !== 84 && separator !== 116 && separator !== 32) return Number.NaN
  const hour = digits(b, start + 11, 2)
  const minute = digits(b, start + 14, 2)
  if (b[start + 13] !== COLON || !(hour < 24) || !(minute < 60)) return Number.NaN
  let i = start + 16
  let ms = 0
  if (b[i] === COLON) {
    const second = i + 3 <= end ? digits(b, i + 1, 2) : Number.NaN
    if (!(second <= 60)) return Number.NaN
    ms = second * 1000
    i += 3
    if (i < end && (b[i] === 46 || b[i] === 44)) {
      const fraction = ++i
      for (let weight = 100; i < end && isDigit(b[i] as number); i++, weight /= 10) {
        if (weight >= 1) ms += ((b[i] as number) - 48) * weight
      }
      if (i === fraction) return Number.NaN
    }
  }
  const zoneMinutes = zoneOffset(b, i, end)
  if (!(month >= 1 && month <= 12) || !(day >= 1 && day <= daysIn(year, month))) return Number.NaN
  const minutes = daysSinceEpoch(year, month, day) * 1440 + hour * 60 + minute - zoneMinutes
  return minutes * 60_000 + ms
}

const MINUS = 45
const COLON = 58
const MONTH_DAYS = Uint8Array.of(0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

function isDigit(c: number): boolean {
  return c >= 48 && c <= 57
}

/** `count` decimal digits at `at`; NaN when one is not a digit. */
function digits(b: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const c = b[i] as number
    if (!isDigit(c)) return Number.NaN
    value = value * 10 + (c - 48)
  }
  return value
}

/** Minutes east of UTC of the zone that fills `i ≤ at < end`; NaN when it is none. */
function zoneOffset(b: Uint8Array, i: number, end: number): number {
  const length = end - i
  const sign = b[i]
  if (length === 1) return sign === 90 || sign === 122 ? 0 : Number.NaN
  if (sign !== 43 && sign !== MINUS) return Number.NaN
  let minutes = 0
  if (length === 6 && b[i + 3] === COLON) minutes = digits(b, i + 4, 2)
  else if (length === 5) minutes = digits(b, i + 3, 2)
  else if (length !== 3) return Number.NaN
  const hours = digits(b, i + 1, 2)
  if (!(hours < 24) || !(minutes < 60)) return Number.NaN
  return (sign === MINUS ? -1 : 1) * (hours * 60 + minutes)
}

function daysIn(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return month === 2 && leap ? 29 : (MONTH_DAYS[month] as number)
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}
