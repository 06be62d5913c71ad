import { type EpochMs, epochMs } from './time.ts'

const dayMs = 86_400_000

/** Local calendar days of an IANA time zone. Offsets come from the runtime's own time zone data (Intl). */
export class ZoneCalendar {
  readonly #format: Intl.DateTimeFormat
  readonly #midnights = new Map<number, EpochMs>()

  /** @throws RangeError for a name that the runtime does not know. */
  constructor(timezone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      calendar: 'iso8601',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  }

  /** Local wall time minus UTC at an instant, in ms. */
  offsetAt(at: number): number {
    const part: Record<string, string> = {}
    for (const { type, value } of this.#format.formatToParts(at)) part[type] = value
    const year = part.era?.startsWith('B') ? 1 - Number(part.year) : Number(part.year)
    const number = (name: string) => Number(part[name])
    const date = daysOfDate(year, number('month'), number('day')) * dayMs
    const timeOfDay = ((number('hour') * 60 + number('minute')) * 60 + number('second')) * 1000
    return date + timeOfDay - Math.floor(at / 1000) * 1000
  }

  /** Number of the local day that holds `at`, counted from 1970-01-01 = 0. */
  dayOf(at: number): number {
    return Math.floor((at + this.offsetAt(at)) / dayMs)
  }

  /** First instant of local day `day`; days with a DST change are 23 or 25 h long. */
  startOfDay(day: number): EpochMs {
    const known = this.#midnights.get(day)
    if (known !== undefined) return known
    const start = epochMs(this.#computeStartOfDay(day))
    if (this.#midnights.size > 1_000) this.#midnights.clear()
    this.#midnights.set(day, start)
    return start
  }

  #computeStartOfDay(day: number): number {
    const local = day * dayMs
    const before = this.offsetAt(local - dayMs)
    const after = this.offsetAt(local + dayMs)
    const candidates = [local - before, local - after].sort((a, b) => a - b)
    for (const candidate of candidates) {
      if (candidate + this.offsetAt(candidate) === local) return candidate
    }
    // Midnight does not exist on this day: the day starts at the change itself.
    let low = local - Math.max(before, after) - 7_200_000
    let high = local - Math.min(before, after) + 7_200_000
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (this.dayOf(middle) >= day) high = middle
      else low = middle
    }
    return high
  }
}

/** Days from 1970-01-01 to a date of the proleptic Gregorian calendar. Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
function daysOfDate(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100)
  return era * 146_097 + yearOfEra * 365 + leapDays + dayOfYear - 719_468
}
