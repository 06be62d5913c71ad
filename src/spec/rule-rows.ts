import { parseInstant } from '../config/read/instants.ts'
import { WardenError } from '../core/errors.ts'
import { type DurationMs, type EpochMs, epochMs, parseDuration } from '../core/time.ts'
import type { RuleCase, RuleRow } from './rule-case.ts'

/** Monday, 8 o'clock in Shanghai: where a case begins that says no start. */
const usualStart = '2026-01-05T00:00:00Z'

/** A pane of a spec, its times known. */
export interface SpecPane {
  readonly metric: string
  readonly tags: Readonly<Record<string, string>>
  readonly windowStart: EpochMs
  readonly windowEnd: EpochMs
  /** Of all aggregates. */
  readonly value: number | undefined
  readonly values: Readonly<Record<string, number>>
}

type OtherRow = Exclude<
  RuleRow,
  { readonly windowStart: string } | { readonly values: string; readonly step: string }
>

/** A row of a spec at its instant. */
export type SpecRow =
  | { readonly at: EpochMs; readonly pane: SpecPane }
  | {
      readonly at: EpochMs
      readonly closing: 'partial' | 'silent' | 'whole'
      readonly metric: string
      readonly windowStart: EpochMs
      readonly windowEnd: EpochMs
    }
  | { readonly at: EpochMs; readonly row: OtherRow }

/** Reads the times of a case: durations count from its start, or from its earliest instant. */
export class SpecTimes {
  readonly start: EpochMs

  constructor(one: RuleCase) {
    const instants = one.input.flatMap((row) =>
      Object.values(row).flatMap((value) =>
        typeof value === 'string' ? (parseInstant(value) ?? []) : [],
      ),
    )
    const earliest = instants.length === 0 ? undefined : epochMs(Math.min(...instants))
    const start = one.start === undefined ? earliest : parseInstant(one.start)
    if (one.start !== undefined && start === undefined) throw wrong(`${one.start} is no instant`)
    this.start = start ?? parseInstant(usualStart) ?? epochMs(0)
  }

  /** @throws WardenError for a text that is neither a duration nor an instant */
  at(text: string): EpochMs {
    const sign = text.startsWith('-') ? -1 : 1
    const span = parseDuration(text.replace(/^-/, ''))
    if (span !== undefined) return epochMs(this.start + sign * span)
    const instant = parseInstant(text)
    if (instant === undefined)
      throw wrong(`${text} is neither a duration such as 90s nor an instant`)
    return instant
  }
}

/** Rows in the order of their times; series spelt out pane by pane. */
export function rowsOf(one: RuleCase, times: SpecTimes, outOfOrdernessMs: number): SpecRow[] {
  const rows = one.input.flatMap((row): SpecRow[] => {
    if ('step' in row) return seriesRows(row, times, outOfOrdernessMs)
    const at = times.at(row.at)
    if ('closing' in row) {
      const { closing, metric } = row
      const windowStart = times.at(row.windowStart)
      return [{ at, closing, metric, windowStart, windowEnd: times.at(row.windowEnd) }]
    }
    if (!('windowStart' in row)) return [{ at, row }]
    const { metric, tags = {}, value, values = {}, volume } = row
    const windowStart = times.at(row.windowStart)
    const pane = {
      metric,
      tags,
      windowStart,
      windowEnd: times.at(row.windowEnd),
      value,
      values: volume === undefined ? values : { ...values, count: volume },
    }
    return [{ at, pane }]
  })
  return rows
    .map((row, index) => ({ row, index }))
    .sort((a, b) => a.row.at - b.row.at || a.index - b.index)
    .map(({ row }) => row)
}

/** `0 _ 5x3`: a zero, a window without a pane, three fives. A window's pane comes when the watermark passes its end. */
function seriesRows(
  row: Extract<RuleRow, { readonly step: string }>,
  times: SpecTimes,
  outOfOrdernessMs: number,
): SpecRow[] {
  const step = spanMs(row.step)
  const delay = row.delay === undefined ? 0 : spanMs(row.delay)
  const first = times.at(row.start)
  const values: (number | undefined)[] = []
  for (const word of row.values.trim().split(/\s+/)) {
    const match = /^(_|-?\d+(?:\.\d+)?)(?:x(\d+))?$/.exec(word)
    if (match === null) throw wrong(`values: ${word} is not 5, _, 5x3 or _x3`)
    const value = match[1] === '_' ? undefined : Number(match[1])
    for (let n = Number(match[2] ?? 1); n > 0; n--) values.push(value)
  }
  return values.flatMap((value, index): SpecRow[] => {
    if (value === undefined) return []
    const windowStart = epochMs(first + index * step)
    const windowEnd = epochMs(windowStart + step)
    const { metric, tags = {}, volume } = row
    const more = volume === undefined ? {} : { count: volume }
    const pane = { metric, tags, windowStart, windowEnd, value, values: more }
    return [{ at: epochMs(windowEnd + outOfOrdernessMs + delay), pane }]
  })
}

/** Milliseconds of `90s` or of 90 (seconds). @throws WardenError for anything else */
export function spanMs(span: string | number): DurationMs {
  const ms = typeof span === 'number' ? span * 1000 : parseDuration(span)
  if (ms === undefined) throw wrong(`${span} is no duration, such as 90s`)
  return ms as DurationMs
}

const wrong = (what: string): WardenError => new WardenError('config_invalid', what)
