import type { CalendarPlan } from '../../core/alert-plan.ts'
import { ZoneCalendar } from '../../core/zone.ts'
import type { MetricHistory } from '../history/metric-history.ts'
import type { WindowBlock } from '../history/window-block.ts'
import { isWorkday, weekdayOf } from '../routing/calendar-times.ts'

const dayMs = 86_400_000

/** Finds windows at the same local time of other days. Zones are read once, answers kept for the window that is judged. */
export class ComparableWindows {
  readonly #zones = new Map<string, ZoneCalendar>()
  /** By calendar, zone and start: a text as the key took a fifth of the time of a baseline (`test/unit/alert/quality.test.ts`). */
  readonly #places = new Map<CalendarPlan | undefined, Map<string, Map<number, Place>>>()

  /** The complete window at the same local time `days` before; undefined where it is not there or was not complete. */
  daysBefore(
    history: MetricHistory,
    block: WindowBlock,
    days: number,
    timezone: string,
  ): WindowBlock | undefined {
    const zone = this.#zone(timezone)
    const local = block.start + zone.offsetAt(block.start) - days * dayMs
    const guess = local - zone.offsetAt(local - zone.offsetAt(block.start))
    const found = history.blockAt(guess)
    return found?.kind === 'whole' ? found : undefined
  }

  /**
   * Complete windows of the last `weeks` weeks near the same time of day on days of the same class (workdays, rest days), the latest first.
   * `same`: at the very same time of day and on the same weekday, both being ordinary days.
   */
  *similar(
    history: MetricHistory,
    block: WindowBlock,
    weeks: number,
    timezone: string,
    calendar: CalendarPlan | undefined,
  ): Iterable<{ readonly block: WindowBlock; readonly place: Place; readonly same: boolean }> {
    const own = this.place(block.start, timezone, calendar)
    const oldest = block.start - weeks * 7 * dayMs - dayMs / 2
    const near = Math.max(60, (block.end - block.start) / 60_000)
    for (const one of history.before(block)) {
      if (one.start < oldest) return
      if (one.kind !== 'whole') continue
      const place = this.place(one.start, timezone, calendar)
      if (place.workday !== own.workday) continue
      const apart = Math.abs(place.minute - own.minute)
      if (Math.min(apart, 1_440 - apart) > near) continue
      const same =
        place.minute === own.minute &&
        place.weekday === own.weekday &&
        place.ordinary === own.ordinary
      yield { block: one, place, same }
    }
  }

  place(start: number, timezone: string, calendar: CalendarPlan | undefined): Place {
    const places = this.#placesOf(timezone, calendar)
    const known = places.get(start)
    if (known !== undefined) return known
    if (places.size > 20_000) places.clear()
    const minutes = Math.floor((start + this.#zone(timezone).offsetAt(start)) / 60_000)
    const day = Math.floor(minutes / 1_440)
    const weekday = weekdayOf(day)
    const workday = isWorkday(day, calendar)
    const ordinary = workday === weekday <= 5
    const place = { minute: minutes - day * 1_440, weekday, workday, ordinary }
    places.set(start, place)
    return place
  }

  #placesOf(timezone: string, calendar: CalendarPlan | undefined): Map<number, Place> {
    const zones = this.#places.get(calendar) ?? new Map<string, Map<number, Place>>()
    this.#places.set(calendar, zones)
    const places = zones.get(timezone) ?? new Map<number, Place>()
    zones.set(timezone, places)
    return places
  }

  #zone(timezone: string): ZoneCalendar {
    let zone = this.#zones.get(timezone)
    if (zone === undefined) {
      zone = new ZoneCalendar(timezone)
      this.#zones.set(timezone, zone)
    }
    return zone
  }
}

interface Place {
  /** Of the local day. */
  readonly minute: number
  readonly weekday: number
  readonly workday: boolean
  /** It is what its weekday says: no holiday, no make-up workday. */
  readonly ordinary: boolean
}
