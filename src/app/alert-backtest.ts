import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
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
import { savepointsOf, stateDirectory } from './savepoints.ts'

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

/**
 * What a job's rules, or other ones, would have said about the windows that its state remembers.
 * @param savepoint id of one, or `latest`, which may be of a job that runs; undefined: the state itself, whose job must be stopped
 * @throws WardenError `usage` when there is no state, `state_locked` when the job runs
 */
export async function backtestState(
  config: Config,
  plans: readonly AlertPlan[],
  from: EpochMs,
  to: EpochMs,
  savepoint?: string,
): Promise<readonly BacktestResult[]> {
  if (savepoint === undefined)
    return await backtestIn(stateDirectory(config), config, plans, from, to)
  const copies = savepointsOf(config)
  const copy =
    savepoint === 'latest' ? await copies.newestGood(() => {}) : await copies.verified(savepoint)
  if (copy === undefined) {
    throw new WardenError('usage', `there is no whole savepoint in ${copies.directory}`)
  }
  // Opening changes a file, and a savepoint stays as it was written.
  const directory = mkdtempSync(join(tmpdir(), 'warden-backtest-'))
  try {
    copyFileSync(copies.fileOf(copy), join(directory, stateFile))
    return await backtestIn(directory, config, plans, from, to)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function backtestIn(
  directory: string,
  config: Config,
  plans: readonly AlertPlan[],
  from: EpochMs,
  to: EpochMs,
): Promise<readonly BacktestResult[]> {
  if (!existsSync(join(directory, stateFile))) {
    throw new WardenError('usage', `there is no state in ${directory}: run the job first`)
  }
  const metrics = judgedMetricsOf(config)
  const store = new LmdbStateStore(directory)
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
