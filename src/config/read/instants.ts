import { type EpochMs, epochMs } from '../../core/time.ts'

/** ISO 8601 with a zone. */
export const isoInstant =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3})\d*)?)?(?:Z|([+-])(\d{2}):(\d{2}))$/

/** The instant of `2026-11-20T00:00:00Z`; undefined for anything else, dates that do not exist included. */
export function parseInstant(text: string): EpochMs | undefined {
  const match = isoInstant.exec(text)
  if (match === null) return undefined
  const part = (index: number): number => Number(match[index] ?? 0)
  const [year, month, day] = [part(1), part(2), part(3)]
  const [hour, minute, second] = [part(4), part(5), part(6)]
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0
  const isReal = day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60
  if (!isReal || part(9) > 23 || part(10) > 59) return undefined
  const shift = (match[8] === '-' ? -1 : 1) * (part(9) * 60 + part(10))
  const minutes = (daysFromEpoch(year, month, day) * 24 + hour) * 60 + minute - shift
  return epochMs((minutes * 60 + second) * 1000 + Number((match[7] ?? '').padEnd(3, '0')))
}

/** Days from 1970-01-01 to a date of the Gregorian calendar. Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
function daysFromEpoch(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year
  const era = Math.floor(shifted / 400)
  const yearOfEra = shifted - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const leaps = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100)
  return era * 146_097 + yearOfEra * 365 + leaps + dayOfYear - 719_468
}

/** `2026-11-20T00:00:00Z`; milliseconds only where there are any. */
export function formatInstant(at: EpochMs): string {
  const days = Math.floor(at / 86_400_000)
  const rest = at - days * 86_400_000
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const leaps =
    Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365)
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const time = `${two(rest / 3_600_000)}:${two((rest / 60_000) % 60)}:${two((rest / 1_000) % 60)}`
  const ms = rest % 1_000
  const fraction = ms === 0 ? '' : `.${String(ms).padStart(3, '0')}`
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${time}${fraction}Z`
}
