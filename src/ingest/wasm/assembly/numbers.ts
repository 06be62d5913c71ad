import { at } from './bytes'
import { isoTimeOfText, numberOfText } from './host'

const MINUS: u32 = 45
const POINT: u32 = 46
const COLON: u32 = 58

// @ts-ignore: a decorator of AssemblyScript
@inline
function isDigit(c: u32): bool {
  return c - 48 < 10
}

/** A number by JSON's grammar: where it ends, 0 when it is none. */
export function number(p: usize): usize {
  let c = at(p)
  if (c == MINUS) c = at(++p)
  if (c == 48) c = at(++p)
  else if (isDigit(c)) {
    do c = at(++p)
    while (isDigit(c))
  } else return 0
  if (c == POINT) {
    c = at(++p)
    if (!isDigit(c)) return 0
    do c = at(++p)
    while (isDigit(c))
  }
  if ((c | 32) == 101) {
    c = at(++p)
    if (c == 43 || c == MINUS) c = at(++p)
    if (!isDigit(c)) return 0
    do c = at(++p)
    while (isDigit(c))
  }
  return p
}

// @ts-ignore: a decorator of AssemblyScript
@inline
function areEightDigits(w: u64): bool {
  return ((w & 0xf0f0f0f0f0f0f0f0) | (((w + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4)) == 0x3333333333333333
}

/** Source: Daniel Lemire, "Quickly parsing eight digits", 2018. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function eightDigits(w: u64): u64 {
  w -= 0x3030303030303030
  w = w * 10 + (w >> 8)
  return ((w & 0x000000ff000000ff) * 0x000f424000000064 + ((w >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >> 32
}

/**
 * The number that `from ≤ i < to` spells, rounded as JSON.parse rounds; NaN when it spells none. Up to 15 digits without an
 * exponent are read here: digits and power of ten are exact, so that one division rounds once. The rest is the host's.
 */
export function decimal(from: usize, to: usize): f64 {
  let p = from
  const negative = p < to && at(p) == MINUS
  if (negative) p++
  const first = p
  let value: u64 = 0
  let point: usize = 0
  if (to - p > 16) return numberOfText(from, to)
  while (p + 8 <= to) {
    const w = load<u64>(p)
    if (!areEightDigits(w)) break
    value = value * 100000000 + eightDigits(w)
    p += 8
  }
  for (; p < to; p++) {
    const c = at(p)
    if (isDigit(c)) value = value * 10 + (c - 48)
    else if (c == POINT && point == 0) point = p
    else return numberOfText(from, to)
  }
  const digits = point == 0 ? to - first : to - first - 1
  if (digits < 1 || digits > 15 || point == first || point == to - 1) return numberOfText(from, to)
  let result = <f64>value
  if (point != 0) result /= powerOfTen(<i32>(to - point - 1))
  return negative ? -result : result
}

/** 10^k, exact in binary for 0 ≤ k ≤ 15. */
function powerOfTen(k: i32): f64 {
  let power: f64 = 1
  for (; k > 0; k--) power *= 10
  return power
}

/** Two digits at `p` as a number; ≥ 100 when they are none. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function twoDigits(p: usize): u32 {
  const tens = at(p) - 48
  const ones = at(p + 1) - 48
  return tens < 10 && ones < 10 ? tens * 10 + ones : 100
}

/**
 * Epoch ms of `yyyy-mm-ddThh:mm:ss[.fraction](Z|±hh:mm)`; every other form, and whatever is wrong with this one, is the host's,
 * which gives NaN for no time.
 */
export function isoTime(from: usize, to: usize): f64 {
  const century = twoDigits(from)
  const yearOfCentury = twoDigits(from + 2)
  const month = twoDigits(from + 5)
  const day = twoDigits(from + 8)
  const hour = twoDigits(from + 11)
  const minute = twoDigits(from + 14)
  const second = twoDigits(from + 17)
  const isPlain =
    to - from >= 20 &&
    (century | yearOfCentury) < 100 &&
    at(from + 4) == MINUS &&
    at(from + 7) == MINUS &&
    at(from + 10) == 84 &&
    at(from + 13) == COLON &&
    at(from + 16) == COLON &&
    month - 1 < 12 &&
    day - 1 < daysIn(month) &&
    hour < 24 &&
    minute < 60 &&
    second < 60
  if (!isPlain) return isoTimeOfText(from, to)
  let p = from + 19
  let ms: i32 = 0
  if (at(p) == POINT) {
    const fraction = ++p
    for (let weight = 100; p < to && isDigit(at(p)); p++, weight /= 10) ms += (<i32>at(p) - 48) * weight
    if (p == fraction) return isoTimeOfText(from, to)
  }
  let zone: i32 = 0
  const sign = at(p)
  if (sign == 43 || sign == MINUS) {
    const hours = twoDigits(p + 1)
    const minutes = twoDigits(p + 4)
    if (to - p != 6 || at(p + 3) != COLON || hours > 23 || minutes > 59) return isoTimeOfText(from, to)
    zone = <i32>(hours * 60 + minutes)
    if (sign == MINUS) zone = -zone
  } else if (sign != 90 || to - p != 1) return isoTimeOfText(from, to)
  const days = daysSinceEpoch(<i32>(century * 100 + yearOfCentury), <i32>month, <i32>day)
  const minutes = <i64>days * 1440 + <i64>(hour * 60 + minute) - <i64>zone
  return <f64>(minutes * 60000 + <i64>(second * 1000) + <i64>ms)
}

/** Days of the month; 28 for February: the 29th is the host's. */
// @ts-ignore: a decorator of AssemblyScript
@inline
function daysIn(month: u32): u32 {
  return month == 2 ? 28 : 30 + ((month ^ (month >> 3)) & 1)
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
function daysSinceEpoch(year: i32, month: i32, day: i32): i32 {
  const y = month <= 2 ? year - 1 : year
  const era = (y >= 0 ? y : y - 399) / 400
  const yearOfEra = y - era * 400
  const dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
  return era * 146097 + dayOfEra - 719468
}
