import type { AlertPlan, CalendarPlan, TimesPlan } from '../../core/alert-plan.ts'
import type { EpochMs } from '../../core/time.ts'
import { ZoneCalendar } from '../../core/zone.ts'

const dayMinutes = 1_440

/** Is it one of the named times? Zones are read once. */
export class NamedTimes {
  readonly #times: AlertPlan['times']
  readonly #calendars: AlertPlan['calendars']
  readonly #zones = new Map<string, ZoneCalendar>()

  constructor(plan: Pick<AlertPlan, 'times' | 'calendars'>) {
    this.#times = plan.times
    this.#calendars = plan.calendars
  }

  /** Does one of `mute` hold now, or none of `active` (when there are any)? The name of what mutes, else undefined. */
  mutedBy(mute: readonly string[], active: readonly string[], now: EpochMs): string | undefined {
    const muting = mute.find((name) => this.holds(name, now))
    if (muting !== undefined) return muting
    if (active.length === 0 || active.some((name) => this.holds(name, now))) return undefined
    return `outside ${active.join(', ')}`
  }

  /** Does the named time hold at the instant? A name that is not known never does. */
  holds(name: string, at: EpochMs): boolean {
    const times = this.#times.get(name)
    if (times === undefined) return false
    const { day, minute } = this.#local(times.timezone, at)
    if (times.hours.length === 0) return this.#isDay(times, day)
    return times.hours.some(({ from, to }) => {
      if (from < to) return minute >= from && minute < to && this.#isDay(times, day)
      // Over midnight: the part after it belongs to the day before.
      return (
        (minute >= from && this.#isDay(times, day)) || (minute < to && this.#isDay(times, day - 1))
      )
    })
  }

  #isDay(times: TimesPlan, day: number): boolean {
    if (times.weekdays.length > 0 && !times.weekdays.includes(weekdayOf(day))) return false
    if (times.days === 'all') return true
    const calendar = times.calendar === undefined ? undefined : this.#calendars.get(times.calendar)
    return isWorkday(day, calendar) === (times.days === 'workdays')
  }

  #local(timezone: string, at: EpochMs): { readonly day: number; readonly minute: number } {
    let zone = this.#zones.get(timezone)
    if (zone === undefined) {
      zone = new ZoneCalendar(timezone)
      this.#zones.set(timezone, zone)
    }
    const minutes = Math.floor((at + zone.offsetAt(at)) / 60_000)
    const day = Math.floor(minutes / dayMinutes)
    return { day, minute: minutes - day * dayMinutes }
  }
}

/** 1 Monday … 7 Sunday, of days since 1970-01-01 (a Thursday). */
export function weekdayOf(day: number): number {
  return ((((day + 3) % 7) + 7) % 7) + 1
}

/** Monday to Friday but holidays, and make-up workdays. */
export function isWorkday(day: number, calendar: CalendarPlan | undefined): boolean {
  if (calendar?.workdays.has(day)) return true
  if (calendar?.holidays.has(day)) return false
  return weekdayOf(day) <= 5
}
