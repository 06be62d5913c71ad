import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backtest } from '../../../src/alert/backtest.ts'
import { csvArrivals, readCsv } from '../../../src/alert/csv-series.ts'
import { planOf } from './alert-rig.ts'

const hour = 3_600_000
const monday = Date.UTC(2026, 0, 5)
const weeks = 9

interface Series {
  readonly csv: string
  /** [first hour, hour after the last] of what was put in. */
  readonly anomalies: readonly (readonly [number, number])[]
}

/** Deterministic noise. Source: mulberry32 (Tommy Ettinger). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Hourly counts of a business: a day's shape, quiet weekends, 1 % growth a week, noise of 6 %; from week 6 on, falls to 30–60 % or to nothing. */
function series(seed: number): Series {
  const random = randomOf(seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const anomalies: [number, number][] = []
  for (let week = 6; week < weeks; week++) {
    const from = week * 168 + 24 * Math.floor(random() * 6) + 9 + Math.floor(random() * 8)
    anomalies.push([from, from + 2 + Math.floor(random() * 4)])
  }
  const lines = ['timestamp,value']
  for (let h = 0; h < weeks * 168; h++) {
    const day = 120 + 100 * Math.sin(((h % 24) - 8) * (Math.PI / 12))
    const weekend = Math.floor(h / 24) % 7 >= 5 ? 0.5 : 1
    const usual = 4 * day * weekend * 1.01 ** (h / 168)
    const index = anomalies.findIndex(([from, to]) => h >= from && h < to)
    const factor = index < 0 ? 1 : index === 3 ? 0 : 0.3 + 0.1 * index
    const noise = normal() * Math.max(Math.sqrt(usual), usual * 0.06)
    const value = factor === 0 ? 0 : Math.max(0, Math.round((usual + noise) * factor))
    lines.push(`${(monday + h * hour) / 1000},${value}`)
  }
  return { csv: lines.join('\n'), anomalies }
}

interface Quality {
  /** Falls that an alert overlaps. */
  readonly recall: number
  /** Alerts that overlap a fall. */
  readonly precision: number
  readonly wrong: number
}

interface Counts {
  found: number
  missed: number
  right: number
  wrong: number
}

/** Every rule over the same series, each for itself. */
function measure(rules: Readonly<Record<string, object>>): ReadonlyMap<string, Quality> {
  const plan = planOf(rules)
  const names = Object.keys(rules)
  const counts = new Map<string, Counts>(
    names.map((name) => [name, { found: 0, missed: 0, right: 0, wrong: 0 }]),
  )
  for (let seed = 1; seed <= 3; seed++) {
    const { csv, anomalies } = series(seed)
    const { metrics, arrivals } = csvArrivals(readCsv(csv), plan)
    const { intervals } = backtest(plan, metrics, arrivals)
    for (const [name, count] of counts) {
      const spans = intervals
        .filter(({ rule }) => rule === name)
        .map(({ start, end }) => [(start - monday) / hour, (end - monday) / hour])
      for (const one of anomalies) {
        if (spans.some((span) => meets(span, one))) count.found++
        else count.missed++
      }
      for (const span of spans) {
        if (anomalies.some((one) => meets(span, one))) count.right++
        else count.wrong++
      }
    }
  }
  const qualityOf = ({ found, missed, right, wrong }: Counts): Quality => ({
    recall: found / (found + missed),
    precision: right / (right + wrong),
    wrong,
  })
  return new Map([...counts].map(([name, count]) => [name, qualityOf(count)]))
}

const meets = (a: readonly number[], b: readonly number[]): boolean =>
  (a[0] ?? 0) < (b[1] ?? 0) && (b[0] ?? 0) < (a[1] ?? 0)

const measured = measure({
  baseline: { kind: 'baseline', metric: 'x', crit: 5, floor: 20, timezone: 'UTC' },
  change: {
    kind: 'change',
    metric: 'x',
    against: 'week',
    crit: { drop: 40 },
    floor: 50,
    minVolume: 50,
    timezone: 'UTC',
  },
})

for (const [rule, claim] of [
  ['baseline', 'finds falls to 60 % and less among synthetic series, with few false alarms'],
  ['change', 'against last week finds them too, where a floor keeps quiet nights out'],
] as const) {
  test(`${rule} ${claim}`, (t) => {
    const result = measured.get(rule)
    const shown = JSON.stringify(result)
    t.diagnostic(`${rule}: ${shown}`)
    assert.ok((result?.recall ?? 0) >= 0.95, shown)
    assert.ok((result?.precision ?? 0) >= 0.9, shown)
  })
}
