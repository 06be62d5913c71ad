import { backtestCsv, backtestState, lintConfig, readRules } from './app/alert-backtest.ts'
import { explainAlertRoute } from './app/alert-route.ts'
import { parse, required } from './cli-arguments.ts'
import type { Config } from './config/config.ts'
import { parseInstant } from './config/read/instants.ts'
import { WardenError } from './core/errors.ts'
import { type EpochMs, epochMs, MAX_TIME, MIN_TIME } from './core/time.ts'

interface Io {
  readonly out: (text: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
}

type Load = (file: string) => Config
type Result = Awaited<ReturnType<typeof backtestState>>[number]
const text = { type: 'string' } as const

/** `warden lint`: 1 when something was found. */
export function lint(args: readonly string[], io: Io, load: Load, now: number): 0 | 1 {
  const options = { config: { type: 'string', short: 'c' }, json: { type: 'boolean' } } as const
  const { values } = parse('lint', args, options)
  const file = required('lint', values.config, '-c FILE')
  const findings = lintConfig(load(file), epochMs(now))
  if (values.json) io.out(`${JSON.stringify({ findings }, undefined, 2)}\n`)
  else {
    for (const { code, subject, what, right } of findings) {
      io.out(`${code}: ${subject}: ${what}; ${right}\n`)
    }
    io.out(`${findings.length} found\n`)
  }
  return findings.length === 0 ? 0 : 1
}

/** `warden backtest`: over a CSV file, or over what the state of a job remembers. */
export async function runBacktest(args: readonly string[], io: Io, load: Load): Promise<0> {
  const { values } = parse('backtest', args, {
    config: { type: 'string', short: 'c' },
    csv: text,
    rule: text,
    savepoint: text,
    from: text,
    to: text,
    json: { type: 'boolean' },
  })
  if (values.csv !== undefined) {
    const rules = readRules(required('backtest', values.rule, '--rule FILE'), io.env, 'backtest')
    const csv = required('backtest', values.csv, '--csv FILE')
    show(io, [backtestCsv(csv, rules)], values.json === true)
    return 0
  }
  const config = load(required('backtest', values.config, '-c FILE, or --csv FILE'))
  const plans = [config.alerts]
  if (typeof values.rule === 'string') plans.push(readRules(values.rule, io.env, config.job))
  const from = instant(values.from, '--from', MIN_TIME)
  const to = instant(values.to, '--to', MAX_TIME)
  const savepoint = typeof values.savepoint === 'string' ? values.savepoint : undefined
  show(io, await backtestState(config, plans, from, to, savepoint), values.json === true)
  return 0
}

/** `warden alert route explain`: which routes an alert with these labels takes, and why. */
export function routeExplain(args: readonly string[], io: Io, load: Load): 0 {
  const options = { config: { type: 'string', short: 'c' } } as const
  const { values, positionals } = parse('alert', args, options, true)
  const config = load(required('alert', values.config, '-c FILE'))
  const labels: Record<string, string> = {}
  for (const one of positionals) {
    const at = one.indexOf('=')
    if (at <= 0) throw new WardenError('usage', `${one} is not label=value`)
    labels[one.slice(0, at)] = one.slice(at + 1)
  }
  for (const line of explainAlertRoute(config.alerts, labels)) io.out(`${line}\n`)
  return 0
}

function instant(value: unknown, name: string, usual: EpochMs): EpochMs {
  if (value === undefined) return usual
  const at = parseInstant(String(value))
  if (at === undefined)
    throw new WardenError('usage', `${name} is a time like 2026-11-20T00:00:00Z`)
  return at
}

function show(io: Io, results: readonly Result[], json: boolean): void {
  const [first] = results
  if (first === undefined) return
  if (json) {
    const shown = results.map(jsonOf)
    const compared =
      results.length === 1 ? shown[0] : { a: shown[0], b: shown[1], ...compare(results) }
    io.out(`${JSON.stringify(compared, undefined, 2)}\n`)
    return
  }
  for (const [index, result] of results.entries()) {
    if (results.length > 1) io.out(index === 0 ? 'as configured:\n' : 'with --rule:\n')
    for (const one of result.intervals) io.out(`${lineOf(one)}\n`)
    if (result.skipped.length > 0) {
      io.out(`not replayed, as nobody stored what they judge: ${result.skipped.join(', ')}\n`)
    }
    io.out(`${result.windows} complete windows, ${result.intervals.length} alerts\n`)
  }
  if (results.length < 2) return
  const { onlyA, onlyB } = compare(results)
  io.out(`only as configured: ${onlyA.length}, only with --rule: ${onlyB.length}\n`)
}

const iso = (at: number | undefined): string | null =>
  at === undefined || !Number.isFinite(at) ? null : new Date(at).toISOString()

function jsonOf(result: Result) {
  return {
    intervals: result.intervals.map((one) => ({
      ...one,
      start: iso(one.start),
      end: iso(one.end),
      firedAt: iso(one.firedAt),
      endedAt: iso(one.endedAt),
    })),
    messages: result.messages,
    windows: result.windows,
    skipped: result.skipped,
  }
}

function lineOf(one: Result['intervals'][number]): string {
  const tags = Object.entries(one.tags).map(([name, value]) => `${name}=${value}`)
  const what = [one.rule, ...tags].join(' ')
  const end = one.corrected ? 'taken back by late data' : `to ${iso(one.end)}`
  return `${iso(one.start)} ${end}: ${one.severity} ${what}: ${one.reason} (fired ${iso(one.firedAt)})`
}

/** Alerts of one run that overlap none of the other's on the same rule and series. */
function compare([a, b]: readonly Result[]) {
  const missing = (from: Result | undefined, other: Result | undefined) =>
    (from?.intervals ?? [])
      .filter((one) => !other?.intervals.some((each) => overlaps(one, each)))
      .map(lineOf)
  return { onlyA: missing(a, b), onlyB: missing(b, a) }
}

type Interval = Result['intervals'][number]

function overlaps(a: Interval, b: Interval): boolean {
  if (a.rule !== b.rule || JSON.stringify(a.tags) !== JSON.stringify(b.tags)) return false
  return a.start < b.end && b.start < a.end
}
