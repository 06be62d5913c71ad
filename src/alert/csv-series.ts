import type { AlertPlan, JudgedMetric } from '../core/alert-plan.ts'
import { WardenError } from '../core/errors.ts'
import { durationMs, type EpochMs, epochMs } from '../core/time.ts'
import type { Arrival } from './backtest.ts'
import { medianOf } from './rules/baseline.ts'

export interface CsvSeries {
  readonly stepMs: number
  readonly points: readonly { readonly at: EpochMs; readonly value: number }[]
}

/**
 * Reads `timestamp,value` lines, with or without a header; further columns are not looked at. A timestamp is ISO 8601, `2026-01-05 08:00:00` (UTC),
 * seconds or ms. @throws WardenError `usage` naming the line that is wrong
 */
export function readCsv(text: string): CsvSeries {
  const points: { at: EpochMs; value: number }[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    const [time = '', number = ''] = line
      .split(',')
      .map((cell) => cell.trim().replace(/^"|"$/g, ''))
    const at = timeOf(time)
    const value = number === '' ? Number.NaN : Number(number)
    if (at !== undefined && Number.isFinite(value)) points.push({ at, value })
    else if (index > 0) {
      throw new WardenError('usage', `line ${index + 1}: "${line}" is not timestamp,value`)
    }
  }
  if (points.length < 3)
    throw new WardenError('usage', 'there are fewer than three lines of timestamp,value')
  points.sort((a, b) => a.at - b.at)
  const steps = points.slice(1).map(({ at }, index) => at - (points[index]?.at ?? at))
  const stepMs = medianOf(steps.filter((step) => step > 0))
  if (!(stepMs > 0)) throw new WardenError('usage', 'all timestamps are the same')
  return { stepMs, points }
}

function timeOf(text: string): EpochMs | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) {
    const number = Number(text)
    return epochMs(Math.round(number < 1e11 ? number * 1000 : number))
  }
  const match =
    /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/.exec(text)
  if (match === null) return undefined
  const part = (index: number): number => Number(match[index] ?? 0)
  const zone = match[7] ?? 'Z'
  const sign = zone.startsWith('-') ? -1 : 1
  const [hours, minutes] =
    zone === 'Z' ? [0, 0] : [Number(zone.slice(1, 3)), Number(zone.slice(-2))]
  const shift = sign * ((hours ?? 0) * 60 + (minutes ?? 0)) * 60_000
  return epochMs(utc(part(1), part(2), part(3), part(4), part(5), part(6)) - shift)
}

/** Milliseconds of a UTC date. Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
function utc(y: number, month: number, day: number, h: number, min: number, s: number): number {
  const year = month <= 2 ? y - 1 : y
  const era = Math.floor(year / 400)
  const ofEra = year - era * 400
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const days =
    era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468
  return (((days * 24 + h) * 60 + min) * 60 + s) * 1000
}

/** The series as every metric that the rules speak of; each line is a window of one step, which comes at its end. Steps without a line are silent. */
export function csvArrivals(
  csv: CsvSeries,
  plan: AlertPlan,
): { readonly metrics: readonly JudgedMetric[]; readonly arrivals: readonly Arrival[] } {
  const first = csv.points[0]?.at ?? epochMs(0)
  const byStep = new Map<number, number>()
  for (const { at, value } of csv.points) byStep.set(Math.round((at - first) / csv.stepMs), value)
  const isCount = csv.points.every(({ value }) => Number.isInteger(value) && value >= 0)
  const last = Math.max(...byStep.keys())
  const names = [...new Set(plan.rules.flatMap((rule) => ('metric' in rule ? [rule.metric] : [])))]
  const metrics = names.map((name) => metricOf(name, csv.stepMs, first, plan, isCount))
  const arrivals: Arrival[] = []
  for (const { name: metric, aggregates } of metrics) {
    for (let step = 0; step <= last; step++) {
      const start = epochMs(first + step * csv.stepMs)
      const end = epochMs(start + csv.stepMs)
      const value = byStep.get(step)
      const kind = value === undefined ? 'silent' : 'whole'
      if (value !== undefined) {
        const values = Object.fromEntries(aggregates.map(({ name }) => [name, value]))
        const zero = isCount && value === 0
        const base = { metric, tags: {}, windowStart: start, windowEnd: end, values, zero }
        const pane = { ...base, firing: 'on-time', revision: 0, previous: undefined } as const
        arrivals.push({ at: end, pane, closing: undefined })
      }
      arrivals.push({ at: end, pane: undefined, closing: { metric, window: { start, end }, kind } })
    }
  }
  return { metrics, arrivals }
}

function metricOf(
  name: string,
  stepMs: number,
  first: number,
  plan: AlertPlan,
  isCount: boolean,
): JudgedMetric {
  const aggregates = new Set(['value'])
  for (const rule of plan.rules) {
    if ('metric' in rule && rule.metric === name && rule.aggregate !== undefined) {
      aggregates.add(rule.aggregate)
    }
  }
  return {
    name,
    source: 'csv',
    window: {
      sizeMs: durationMs(stepMs),
      slideMs: durationMs(stepMs),
      alignment: { kind: 'offset', offsetMs: ((first % stepMs) + stepMs) % stepMs },
    },
    outOfOrdernessMs: durationMs(0),
    evaluationDelayMs: durationMs(0),
    aggregates: [...aggregates].map((one) => ({ name: one, kind: isCount ? 'count' : 'avg' })),
    declared: [],
    expireAfterMs: durationMs(7 * 86_400_000),
  }
}
