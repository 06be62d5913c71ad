import { formatDuration } from '../../../core/time.ts'

/** Times as people of one zone read them. */
export class TimeText {
  readonly #timezone: string
  readonly #minute: Intl.DateTimeFormat

  /** @param timezone IANA name @throws RangeError for one that is not known */
  constructor(timezone: string) {
    this.#timezone = timezone
    this.#minute = new Intl.DateTimeFormat('en-CA', {
      timeZone: timezone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    })
  }

  /** `2026-11-20 14:00`. */
  minute(at: number): string {
    const { year, month, day, hour, minute } = this.#parts(at)
    return `${year}-${month}-${day} ${hour}:${minute}`
  }

  /** `2026-11-20 14:00–15:00 (Asia/Shanghai)`; the second day is named when it is another. */
  window(start: number, end: number): string {
    if (end <= start) return `${this.minute(start)} (${this.#timezone})`
    const from = this.minute(start)
    const to = this.minute(end)
    const sameDay = from.slice(0, 10) === to.slice(0, 10)
    return `${from}–${sameDay ? to.slice(11) : to} (${this.#timezone})`
  }

  #parts(at: number): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.#minute.formatToParts(at).map(({ type, value }) => [type, value]),
    )
  }
}

/** A length of time without what nobody reads: seconds below a minute, minutes below a day, hours above. */
export function roughly(ms: number): string {
  const step = ms < 60_000 ? 1_000 : ms < 86_400_000 ? 60_000 : 3_600_000
  return formatDuration(Math.floor(Math.max(0, ms) / step) * step)
}

/** A number with at most three decimals, and thousands apart. */
export function amount(value: number): string {
  return new Intl.NumberFormat('en-US', { maximumFractionDigits: 3 }).format(value)
}
