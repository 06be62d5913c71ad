import { LineCounter } from 'yaml'
import type { AlertPlan } from '../core/alert-plan.ts'
import { checkAlerts } from './check/check-alerts.ts'
import { ConfigError } from './problem.ts'
import { type ConfigNode, defaultNode, readDocument } from './read/document.ts'
import type { Environment } from './read/interpolate.ts'
import { Locator } from './read/locator.ts'
import { resolvePath } from './read/paths.ts'
import { Problems } from './read/problems.ts'
import { SchemaReader } from './read/schema-reader.ts'
import { resolveAlerts } from './resolve-alerts.ts'
import { alertFileSchema } from './schema/alerts.ts'
import type { MetricDocument } from './schema.ts'

/** What an alert file is read for. */
export interface AlertSurroundings {
  /** Name of the file in messages. */
  readonly file: string
  /** Where relative paths start; left out: the directory of `file`. */
  readonly directory?: string
  readonly env: Environment
  readonly readFile: (path: string) => string
  readonly job: string
  /** Metrics of the job; undefined: names of metrics are not checked. */
  readonly metrics: Readonly<Record<string, MetricDocument>> | undefined
}

/**
 * Reads the text of an alert file: rules, routes, silences, times.
 * @throws ConfigError (`config_invalid`) with everything that is wrong, each with file:line:column
 */
export function parseAlerts(text: string, options: AlertSurroundings): AlertPlan {
  const { root, problems } = readDocument(text, options.file, options.env)
  if (root === undefined) throw new ConfigError(problems.found)
  return read(root, problems, options)
}

/** Reads the alert file that a config names. @throws ConfigError as `parseAlerts` does, and when there is no such file */
export function readAlertFile(options: AlertSurroundings): AlertPlan {
  let text: string
  try {
    text = options.readFile(options.file)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? ` (${cause.code})` : ''
    const what = `the file cannot be read${code}`
    const right = 'name an alert file that is there'
    throw new ConfigError([{ file: options.file, line: 1, column: 1, path: '', what, right }])
  }
  return parseAlerts(text, options)
}

/** The same for a value: the keys of an alert file, or only its rules by name. */
export function parseAlertsValue(value: unknown, options: AlertSurroundings): AlertPlan {
  const lines = new LineCounter()
  lines.addNewLine(0)
  const isWhole = typeof value === 'object' && value !== null && isSection(value)
  const whole = isWhole ? value : { rules: value }
  return read(defaultNode(whole), new Problems(options.file, lines), options)
}

/** A section has `rules` that are no rule: a rule has a `kind`. */
function isSection(value: object): boolean {
  if (!('rules' in value) || typeof value.rules !== 'object' || value.rules === null) return false
  return !('kind' in value.rules && typeof value.rules.kind === 'string')
}

function read(root: ConfigNode, problems: Problems, options: AlertSurroundings): AlertPlan {
  const directory = options.directory ?? resolvePath(options.file, '..')
  const reader = new SchemaReader(problems, {
    readFile: options.readFile,
    resolvePath: (one) => resolvePath(directory, one),
  })
  const document = reader.read(alertFileSchema, root)
  checkAlerts(document, options.metrics, [], new Locator(root, problems))
  if (problems.found.length > 0) throw new ConfigError(problems.found)
  return resolveAlerts(document, options.job)
}
