import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { AlertEngine } from '../alert/alert-engine.ts'
import { type Arrival, arrivalsOf, type BacktestResult, backtest } from '../alert/backtest.ts'
import { csvArrivals, readCsv } from '../alert/csv-series.ts'
import { type Finding, lint } from '../alert/lint.ts'
import type { Config } from '../config/config.ts'
import { parseAlerts } from '../config/load-alerts.ts'
import type { Environment } from '../config/read/interpolate.ts'
import { judgedMetricsOf } from '../config/resolve-alerts.ts'
import type { AlertPlan, JudgedMetric } from '../core/alert-plan.ts'
import { WardenError } from '../core/errors.ts'
import type { EpochMs } from '../core/time.ts'
import { LmdbStateStore, stateFile } from '../state/lmdb-state-store.ts'

/** Rules of a file by themselves. @throws ConfigError, WardenError `usage` when there is no such file */
export function readRules(file: string, env: Environment, job: string): AlertPlan {
  return parseAlerts(readText(file), {
    file,
    env,
    job,
    readFile: readText,
    metrics: undefined,
  })
}

/** What a rule file would have said about a series in a CSV file. */
export function backtestCsv(csvFile: string, plan: AlertPlan): BacktestResult {
  const { metrics, arrivals } = csvArrivals(readCsv(readText(csvFile)), plan)
  return backtest(plan, metrics, arrivals)
}

/** What a job's rules, or other ones, would have said about the windows that its state remembers. The job must not be running. */
export async function backtestState(
  config: Config,
  plans: readonly AlertPlan[],
  from: EpochMs,
  to: EpochMs,
): Promise<readonly BacktestResult[]> {
  if (!existsSync(join(config.stateDir, stateFile))) {
    throw new WardenError('usage', `there is no state in ${config.stateDir}: run the job first`)
  }
  const metrics = judgedMetricsOf(config)
  const store = new LmdbStateStore(config.stateDir)
  try {
    const engine = new AlertEngine(config.alerts, metrics)
    engine.restore(store)
    const arrivals: Arrival[] = []
    for (const history of engine.histories.values()) arrivals.push(...arrivalsOf(history, from, to))
    return plans.map((plan) => backtest(plan, metrics, arrivals))
  } finally {
    await store.close()
  }
}

/** What the rules of a config do that nobody meant. */
export function lintConfig(config: Config, now: EpochMs): readonly Finding[] {
  const noZeroFill = new Set(
    config.metrics.filter(({ zeroFill }) => !zeroFill.enabled).map(({ name }) => name),
  )
  const metrics: readonly JudgedMetric[] = judgedMetricsOf(config)
  return lint(config.alerts, metrics, noZeroFill, now)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? ` (${cause.code})` : ''
    throw new WardenError('usage', `${file} can't be read${code}`, { cause })
  }
}
