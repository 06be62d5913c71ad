declare const unit: unique symbol

/** Milliseconds since 1970-01-01T00:00:00Z; negative before it. */
export type EpochMs = number & { readonly [unit]: 'EpochMs' }

/** A length of time in milliseconds, ≥ 0. */
export type DurationMs = number & { readonly [unit]: 'DurationMs' }

/** Position in a partition: the next record to read, never the last one read. Below 2^53. */
export type Offset = number & { readonly [unit]: 'Offset' }

export const epochMs = (ms: number): EpochMs => ms as EpochMs
export const durationMs = (ms: number): DurationMs => ms as DurationMs
export const offset = (value: number): Offset => value as Offset

/** Before every event time; the watermark of a partition that never delivered. */
export const MIN_TIME = epochMs(Number.NEGATIVE_INFINITY)

/** After every event time; the watermark of a bounded source that ended. */
export const MAX_TIME = epochMs(Number.POSITIVE_INFINITY)

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** Milliseconds of `90s`, `10m`, `1h30m`, `500ms`, `7d`, `1w`; undefined when the text is not a duration. */
export function parseDuration(text: string): DurationMs | undefined {
  if (!/^(\d+(\.\d+)?(ms|[smhdw]))+$/.test(text)) return undefined
  let total = 0
  for (const [, amount, name] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)) {
    total += Number(amount) * (unitMs[name ?? ''] ?? Number.NaN)
  }
  return Number.isSafeInteger(Math.round(total)) ? durationMs(Math.round(total)) : undefined
}

/** The shortest of the texts that `parseDuration` reads back to `ms`: `90s` → `1m30s`. */
export function formatDuration(ms: DurationMs | number): string {
  if (!Number.isFinite(ms)) return String(ms)
  if (ms === 0) return '0s'
  let rest = Math.round(ms)
  let text = ''
  for (const name of ['d', 'h', 'm', 's', 'ms']) {
    const size = unitMs[name] ?? 1
    const amount = Math.floor(rest / size)
    if (amount > 0) text += `${amount}${name}`
    rest -= amount * size
  }
  return text
}
