import type { Bounds, RuleSettings, SeverityName } from '../../core/alert-plan.ts'
import type { AlertCause } from '../notification.ts'

/** What a rule says of one series in one complete window. */
export type Judgement =
  | {
      readonly kind: 'bad'
      readonly severity: SeverityName
      readonly cause: AlertCause
      readonly value: number
      readonly reason: string
    }
  | { readonly kind: 'good'; readonly value: number; readonly reason: string }
  /** Neither: it holds the state and does not count for `for`. */
  | { readonly kind: 'none'; readonly cause: AlertCause; readonly reason: string }

export const insufficient = (reason: string): Judgement => ({
  kind: 'none',
  cause: 'INSUFFICIENT',
  reason,
})

/**
 * Judges a number by its bounds. A firing alert ends only inside `clear` (hysteresis).
 * @param judged the number that the bounds are about @param value what is shown @param firing severity of the alert that fires now
 */
export function judgeBounds(
  settings: RuleSettings,
  cause: AlertCause,
  judged: number,
  value: number,
  firing: SeverityName | undefined,
  words: (bound: string) => string,
): Judgement {
  for (const severity of ['crit', 'warn'] as const) {
    const broken = brokenBy(settings[severity], judged)
    if (broken !== undefined) {
      return { kind: 'bad', severity, cause, value, reason: words(broken) }
    }
  }
  if (firing !== undefined) {
    const broken = brokenBy(settings.clear, judged)
    if (broken !== undefined) {
      const severity = settings.warn === undefined ? firing : ('warn' as const)
      return { kind: 'bad', severity, cause, value, reason: `${words(broken)}, not clear yet` }
    }
  }
  return { kind: 'good', value, reason: words('') }
}

/** Which bound does the number break? */
function brokenBy(bounds: Bounds | undefined, judged: number): string | undefined {
  if (bounds === undefined) return undefined
  if (bounds.min !== undefined && judged < bounds.min) return `min:${bounds.min}`
  if (bounds.max !== undefined && judged > bounds.max) return `max:${bounds.max}`
  return undefined
}

/** At most four significant digits, without an exponent where that is readable. */
export function shown(value: number): string {
  if (Number.isInteger(value)) return String(value)
  return String(Number(value.toPrecision(4)))
}
