/** Units of calendar intervals: `n` is a month, `w` a week. */
export type CalendarUnit = 'ms' | 's' | 'm' | 'h' | 'd' | 'w' | 'n' | 'y'

/** A date and time of day on the wall of some zone; `month` and `day` from 1. Fields may overflow into the next ones. */
export interface WallTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
}

export const UTC = 'UTC'

const DAY_MS = 86_400_000

export function isTimezone(name: string): boolean {
  return name === UTC || formatOf(name) !== undefined
}

/** Epoch ms of a wall time in UTC. */
function utcTime(wall: WallTime): number {
  const overflow = Math.floor((wall.month - 1) / 12)
  const days = daysSinceEpoch(wall.year + overflow, wall.month - overflow * 12) + wall.day - 1
  return ((days * 24 + wall.hour) * 60 + wall.minute) * 60_000 + wall.second * 1_000
}

/** Days from 1970-01-01 to the first of a month of the Gregorian calendar. */
function daysSinceEpoch(year: number, month: number): number {
  // Years that begin in March put the leap day at their end.
  const shifted = month > 2 ? year : year - 1
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5)
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400)
  return shifted * 365 + leapDays + dayOfYear - 719_468
}

/** Epoch ms of a wall time. In the hour that a zone repeats: the first one; in the hour that it skips: as much later as was skipped. */
export function zonedTime(wall: WallTime, timezone: string): number {
  const asUtc = utcTime(wall)
  if (timezone === UTC) return asUtc
  const before = offsetMs(asUtc - DAY_MS, timezone)
  const candidate = asUtc - before
  if (offsetMs(candidate, timezone) === before) return candidate
  const after = offsetMs(asUtc + DAY_MS, timezone)
  return offsetMs(asUtc - after, timezone) === after ? asUtc - after : candidate
}

/**
 * Start of the calendar interval of `count` × `unit` that holds `timeMs`. Intervals begin anew with the next larger unit
 * when they divide it (15m: every hour, 6h: every day), weeks on Sunday, months and years on January 1st; others are counted
 * from the start of the year.
 */
export function calendarFloor(
  timeMs: number,
  count: number,
  unit: CalendarUnit,
  timezone: string,
): number {
  const wall = wallTime(timeMs, timezone)
  let start = calendarAnchor(wall, count, unit, timezone)
  // Months and years take few steps; shorter units jump close to the target first.
  const stepMs = count * (approximateMs[unit] ?? 1)
  const steps = Math.floor((timeMs - start) / stepMs) - 1
  if (steps > 0 && unit !== 'n' && unit !== 'y') {
    start = calendarAdd(start, steps * count, unit, timezone)
  }
  for (;;) {
    const next = calendarAdd(start, count, unit, timezone)
    if (next > timeMs) return start
    start = next
  }
}

/** Start of the interval after the one that starts at `startMs`. */
export function calendarNext(
  startMs: number,
  count: number,
  unit: CalendarUnit,
  timezone: string,
): number {
  return calendarAdd(startMs, count, unit, timezone)
}

const approximateMs: Readonly<Record<CalendarUnit, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: DAY_MS,
  w: 7 * DAY_MS,
  n: 31 * DAY_MS,
  y: 366 * DAY_MS,
}

/** Where the counting of intervals starts, at or before the wall time. */
function calendarAnchor(
  wall: WallTime,
  count: number,
  unit: CalendarUnit,
  timezone: string,
): number {
  const { year, month, day, hour, minute, second } = wall
  const at = (fields: Partial<WallTime>): number =>
    zonedTime({ year, month: 1, day: 1, hour: 0, minute: 0, second: 0, ...fields }, timezone)
  switch (unit) {
    case 'ms':
      return 1_000 % count === 0
        ? at({ month, day, hour, minute, second })
        : at({ month, day, hour, minute })
    case 's':
      return 60 % count === 0 ? at({ month, day, hour, minute }) : at({ month, day, hour })
    case 'm':
      return 60 % count === 0 ? at({ month, day, hour }) : at({ month, day })
    case 'h':
      return 24 % count === 0 ? at({ month, day }) : at({ month })
    case 'd':
      return count === 1 ? at({ month }) : at({})
    case 'w': {
      const from = count <= 2 ? { month, day } : { month: 1, day: 1 }
      const days = daysSinceEpoch(year, from.month) + from.day - 1
      // 1970-01-01 was a Thursday.
      const weekday = (((days + 4) % 7) + 7) % 7
      return at({ month: from.month, day: from.day - weekday })
    }
    case 'n':
    case 'y':
      return at({})
  }
}

function calendarAdd(timeMs: number, count: number, unit: CalendarUnit, timezone: string): number {
  if (unit === 'ms' || unit === 's' || unit === 'm' || unit === 'h') {
    return timeMs + count * approximateMs[unit]
  }
  const wall = wallTime(timeMs, timezone)
  if (unit === 'y') return zonedTime({ ...wall, year: wall.year + count }, timezone)
  if (unit === 'n') return zonedTime({ ...wall, month: wall.month + count }, timezone)
  const days = unit === 'w' ? 7 * count : count
  return zonedTime({ ...wall, day: wall.day + days }, timezone)
}

function wallTime(timeMs: number, timezone: string): WallTime {
  const localMs = timeMs + offsetMs(timeMs, timezone)
  const days = Math.floor(localMs / DAY_MS)
  let year = 1970 + Math.floor(days / 365.2425)
  while (daysSinceEpoch(year + 1, 1) <= days) year++
  while (daysSinceEpoch(year, 1) > days) year--
  let month = 12
  while (daysSinceEpoch(year, month) > days) month--
  const seconds = Math.floor((localMs - days * DAY_MS) / 1_000)
  return {
    year,
    month,
    day: days - daysSinceEpoch(year, month) + 1,
    hour: Math.floor(seconds / 3_600),
    minute: Math.floor(seconds / 60) % 60,
    second: seconds % 60,
  }
}

const formats = new Map<string, Intl.DateTimeFormat | undefined>()

function formatOf(timezone: string): Intl.DateTimeFormat | undefined {
  if (!formats.has(timezone)) {
    try {
      formats.set(
        timezone,
        new Intl.DateTimeFormat('en-US', {
          timeZone: timezone,
          hourCycle: 'h23',
          year: 'numeric',
          month: 'numeric',
          day: 'numeric',
          hour: 'numeric',
          minute: 'numeric',
          second: 'numeric',
        }),
      )
    } catch {
      // Not a zone. Names come from callers: remembering unknown ones would grow without bound.
      return undefined
    }
  }
  return formats.get(timezone)
}

/** Local time less UTC at an instant. */
function offsetMs(timeMs: number, timezone: string): number {
  if (timezone === UTC) return 0
  const format = formatOf(timezone)
  if (format === undefined) throw new RangeError(`unknown zone ${timezone}`)
  const wholeMs = Math.floor(timeMs / 1_000) * 1_000
  const wall = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 }
  for (const { type, value } of format.formatToParts(wholeMs)) {
    if (type in wall) wall[type as keyof typeof wall] = Number(value)
  }
  return utcTime(wall) - wholeMs
}
