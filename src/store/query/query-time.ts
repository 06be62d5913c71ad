import { RequestRefused } from '../request-refused.ts'
import { type CalendarUnit, isTimezone, zonedTime } from './calendar.ts'

interface UnitLength {
  readonly ms: number
  readonly unit: CalendarUnit
}

/** A month is 30 days and a year 365, as in OpenTSDB; calendar intervals have the true length. */
const units: Readonly<Record<string, UnitLength>> = {
  ms: { ms: 1, unit: 'ms' },
  s: { ms: 1_000, unit: 's' },
  m: { ms: 60_000, unit: 'm' },
  h: { ms: 3_600_000, unit: 'h' },
  d: { ms: 86_400_000, unit: 'd' },
  w: { ms: 604_800_000, unit: 'w' },
  n: { ms: 2_592_000_000, unit: 'n' },
  y: { ms: 31_536_000_000, unit: 'y' },
}

export interface Interval {
  readonly ms: number
  readonly count: number
  readonly unit: CalendarUnit
}

/** Reads `500ms`, `30s`, `1m`, `2h`, `1d`, `1w`, `1n` (month), `1y`. @throws RequestRefused */
export function parseInterval(text: string): Interval {
  if (text === '') throw new RequestRefused(400, 'Cannot parse null or empty duration')
  const [, digits = '', suffix = ''] = /^(\d*)(.*)$/s.exec(text) ?? []
  if (digits === '') throw new RequestRefused(400, `Invalid duration (number): ${text}`)
  if (suffix === '') {
    throw new RequestRefused(400, `Invalid duration, must have an integer and unit: ${text}`)
  }
  const count = Number(digits)
  if (count <= 0) throw new RequestRefused(400, `Zero or negative duration: ${text}`)
  const unit = units[suffix.toLowerCase()]
  if (unit === undefined) throw new RequestRefused(400, `Invalid duration (suffix): ${text}`)
  if (!Number.isSafeInteger(count * unit.ms)) {
    throw new RequestRefused(400, `Duration must be < Long.MAX_VALUE ms: ${text}`)
  }
  return { ms: count * unit.ms, count, unit: unit.unit }
}

/**
 * Epoch ms of a time in a query: `now`, `1h-ago`, `2026/11/20-00:00:00` (also without seconds, without the time of day, with
 * a space), seconds of at most ten digits, ms, `1792454400.500`, `1792454400500ms`.
 * @param timezone of dates
 * @throws RequestRefused
 */
export function parseQueryTime(text: string, nowMs: number, timezone: string): number {
  if (/^\d+ms$/.test(text)) return Number(text.slice(0, -2))
  const lower = text.toLowerCase()
  if (lower === 'now') return nowMs
  if (lower.endsWith('-ago')) return nowMs - parseInterval(text.slice(0, -4)).ms
  if (text.includes('/') || text.includes(':')) return parseDate(text, timezone)
  if (text.includes('.')) {
    if (!/^\d{10}\.\d{1,3}$/.test(text)) {
      throw new RequestRefused(
        400,
        `Invalid time: ${text}. Millisecond timestamps must be in the format <seconds>.<ms> where the milliseconds are limited to 3 digits`,
      )
    }
    // One decimal makes eleven digits in OpenTSDB, a time in 1975; it is read as what it says here.
    return Math.round(Number(text) * 1_000)
  }
  if (/^-\d+$/.test(text)) {
    throw new RequestRefused(400, `Invalid time: ${text}. Negative timestamps are not supported.`)
  }
  if (!/^\+?\d{1,18}$/.test(text)) {
    const odd = /\D/.exec(text.replace(/^[+-]/, ''))?.[0]
    const reason = odd === undefined ? 'Value too long: ' : `Invalid character '${odd}' in `
    throw new RequestRefused(400, `Invalid time: ${text}. ${reason}${text}`)
  }
  return text.length <= 10 ? Number(text) * 1_000 : Number(text)
}

function parseDate(text: string, timezone: string): number {
  const match = /^(\d{4})\/(\d{2})\/(\d{2})(?:[- ](\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text)
  if (match === null) throw new RequestRefused(400, `Invalid absolute date: ${text}`)
  if (!isTimezone(timezone)) {
    throw new RequestRefused(400, `Invalid timezone name: ${timezone}`)
  }
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0))
  return zonedTime({ year, month, day, hour, minute, second }, timezone)
}
