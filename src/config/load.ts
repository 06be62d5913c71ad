import { type Document, LineCounter, type Node } from 'yaml'
import type { JobPlan } from '../core/plan.ts'
import { checkConfig, checkMetrics } from './check/check-config.ts'
import { checkLookups } from './check/check-enrich.ts'
import { checkWatermark } from './check/check-watermark.ts'
import type { Config } from './config.ts'
import { readAlertFile } from './load-alerts.ts'
import { eventPlanOf, metricPlanOf } from './plan.ts'
import { ConfigError } from './problem.ts'
import { type ConfigNode, defaultNode, nodeOf, readDocument } from './read/document.ts'
import type { Environment } from './read/interpolate.ts'
import { Locator } from './read/locator.ts'
import { resolvePath } from './read/paths.ts'
import { Problems } from './read/problems.ts'
import { SchemaReader, type Surroundings } from './read/schema-reader.ts'
import { resolveConfig } from './resolve.ts'
import { resolveEvent, resolveMetric, resolveWatermark } from './resolve-metric.ts'
import { configSchema, inlineSchema } from './schema.ts'

export interface ParseOptions {
  /** Name of the file in messages. */
  readonly file: string
  /** Where relative paths in the config start; left out: the directory of `file`. */
  readonly directory?: string
  readonly env: Environment
  /** Text of a file that the config names (secrets, certificates); throws when there is none. */
  readonly readFile: (path: string) => string
}

/**
 * Reads the text of a config.
 * @throws ConfigError (`config_invalid`) with everything that is wrong, each with file:line:column
 */
export function parseConfig(text: string, options: ParseOptions): Config {
  const { file, env } = options
  const { root, problems } = readDocument(text, file, env)
  if (root === undefined) throw new ConfigError(problems.found)
  const reader = new SchemaReader(problems, surroundingsOf(options))
  const document = reader.read(configSchema, root)
  checkConfig(document, new Locator(root, problems))
  if (problems.found.length > 0) throw new ConfigError(problems.found)
  const config = resolveConfig(document, file, directoryOf(options))
  const { alertFile, job } = config
  if (alertFile === undefined) return config
  const alerts = readAlertFile({
    ...options,
    file: alertFile,
    directory: resolvePath(alertFile, '..'),
    job,
    metrics: document.metrics,
  })
  return { ...config, alerts }
}

/** A config that stands inside another YAML file. */
export interface InlineConfig {
  /** The node of the config, and the document it is part of. */
  readonly node: Node
  readonly document: Document
  /** Text of the whole file. */
  readonly text: string
}

/**
 * Reads as much of a config as says what is counted: `metrics` and, of the sources, `event` and `watermark`.
 * Everything else may be there or not.
 * @throws ConfigError (`config_invalid`) with everything that is wrong, each with file:line:column
 */
export function parseInlineConfig(inline: InlineConfig, options: ParseOptions): JobPlan {
  const problems = new Problems(options.file, lineCounterOf(inline.text))
  const root = nodeOf(inline.node, inline.document, inline.text, options.env, problems)
  return inlinePlan(root, problems, options)
}

/** The same for a config that is a value already; messages name its keys, and positions are those of the whole file. */
export function parseInlineValue(value: unknown, options: ParseOptions): JobPlan {
  const problems = new Problems(options.file, lineCounterOf(''))
  return inlinePlan(defaultNode(value), problems, options)
}

function inlinePlan(root: ConfigNode, problems: Problems, options: ParseOptions): JobPlan {
  const reader = new SchemaReader(problems, surroundingsOf(options))
  const document = reader.read(inlineSchema, root)
  const { sources = {}, metrics = {} } = document as Partial<typeof document>
  const locator = new Locator(root, problems)
  checkMetrics(metrics, sources, locator)
  for (const [name, { watermark }] of Object.entries(sources)) {
    checkWatermark(['sources', name], watermark, locator)
  }
  for (const [name, one] of Object.entries(metrics)) checkLookups(name, one, undefined, locator)
  if (problems.found.length > 0) throw new ConfigError(problems.found)
  const [firstSource = ''] = Object.keys(sources)
  return {
    job: document.job,
    sources: Object.entries(sources).map(([name, { event, watermark }]) =>
      eventPlanOf({
        name,
        event: resolveEvent(event),
        watermark: resolveWatermark(watermark),
      }),
    ),
    metrics: Object.entries(metrics).map(([name, one]) =>
      metricPlanOf(resolveMetric(name, one, one.source ?? firstSource)),
    ),
  }
}

function surroundingsOf(options: ParseOptions): Surroundings {
  const directory = directoryOf(options)
  return { readFile: options.readFile, resolvePath: (one) => resolvePath(directory, one) }
}

const directoryOf = (options: ParseOptions): string =>
  options.directory ?? resolvePath(options.file, '..')

function lineCounterOf(text: string): LineCounter {
  const lines = new LineCounter()
  lines.addNewLine(0)
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) lines.addNewLine(i + 1)
  return lines
}
