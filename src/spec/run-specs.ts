import { Compile } from 'typebox/compile'
import { parse } from 'yaml'
import { type ParseOptions, parseInlineValue } from '../config/load.ts'
import { WardenError } from '../core/errors.ts'
import { type LaneLayout, oneLane } from '../pipeline/lanes/lane-layout.ts'
import type { Difference } from './comparison.ts'
import { PipelineCase } from './pipeline-case.ts'
import { runPipelineCase } from './pipeline-spec.ts'
import { RuleCase } from './rule-case.ts'
import { runRuleCase } from './rule-spec.ts'
import { WindowCase } from './window-case.ts'
import { runWindowCase } from './window-spec.ts'

/** What became of one case. */
export interface CaseResult {
  readonly file: string
  readonly name: string
  readonly passed: boolean
  /** First difference, or why the case could not run. */
  readonly reason: string | undefined
}

/** How a spec reaches a config that it names by path. */
export interface Surroundings {
  readonly readFile: (path: string) => string
  /** A path as it stands in the spec file → one to read. */
  readonly resolve: (specFile: string, path: string) => string
}

const windowCase = Compile(WindowCase)
const pipelineCase = Compile(PipelineCase)
const ruleCase = Compile(RuleCase)

/** Runs every case of a spec file (JSON or YAML, an array of cases); a file that is no spec gives one failed result. */
export async function runSpecFile(
  file: string,
  text: string,
  surroundings: Surroundings,
  layout: LaneLayout = oneLane,
): Promise<CaseResult[]> {
  let cases: unknown
  try {
    cases = parse(text, { prettyErrors: true })
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split(':\n')
    return [{ file, name: file, passed: false, reason }]
  }
  if (!Array.isArray(cases) || cases.length === 0) {
    const reason = 'a spec file is an array of cases, and this one has none'
    return [{ file, name: file, passed: false, reason }]
  }
  const results: CaseResult[] = []
  for (const [index, one] of cases.entries()) {
    const name = nameOf(one) ?? `case ${index}`
    let reason: string | undefined
    try {
      reason = await runCase(one, file, surroundings, layout)
    } catch (cause) {
      reason = reasonOf(cause)
    }
    results.push({ file, name, passed: reason === undefined, reason })
  }
  return results
}

async function runCase(
  one: unknown,
  file: string,
  surroundings: Surroundings,
  layout: LaneLayout,
): Promise<string | undefined> {
  if (one === null || typeof one !== 'object') return 'a case is an object'
  if ('config' in one) {
    if (!windowCase.Check(one)) return firstError(windowCase.Errors(one))
    if (one.expect === undefined && one.late === undefined && one.expectWatermarks === undefined) {
      return 'nothing is expected: give expect, late or expectWatermarks'
    }
    return describe(await runWindowCase(one, layout))
  }
  if ('pipeline' in one) {
    if (!pipelineCase.Check(one)) return firstError(pipelineCase.Errors(one))
    if (one.expect === undefined && one.late === undefined && one.deadLetters === undefined) {
      return 'nothing is expected: give expect, late or deadLetters'
    }
    const options: ParseOptions = { file, env: {}, ...surroundings }
    const config =
      typeof one.pipeline === 'string'
        ? (parse(surroundings.readFile(surroundings.resolve(file, one.pipeline))) as unknown)
        : one.pipeline
    const readFile = (path: string) => surroundings.readFile(surroundings.resolve(file, path))
    const plan = parseInlineValue(config, options)
    return describe(await runPipelineCase(one, plan, layout, readFile))
  }
  if ('rules' in one) {
    if (!ruleCase.Check(one)) return firstError(ruleCase.Errors(one))
    const readRules = (rules: unknown) =>
      typeof rules === 'string'
        ? (parse(surroundings.readFile(surroundings.resolve(file, rules))) as unknown)
        : rules
    return describe(await runRuleCase(one, file, readRules))
  }
  return 'a case has config (window spec), pipeline (pipeline spec) or rules (rule spec)'
}

function describe(difference: Difference | undefined): string | undefined {
  if (difference === undefined) return undefined
  const show = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value))
  return `${difference.at}: expected ${show(difference.expected)}, actual ${show(difference.actual)}`
}

/** What the writer of a spec did wrong is one line; a defect of Warden shows where it is. */
function reasonOf(cause: unknown): string {
  if (cause instanceof WardenError && cause.fault === 'user') {
    return cause.message.replaceAll('\n', '; ')
  }
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}

interface SchemaError {
  readonly instancePath: string
  readonly message: string
  readonly params?: object
}

/**
 * Of a row that is none of several kinds every kind complains: the one that is nearest to what was meant complains of a
 * value inside the row, or of the fewest unknown fields.
 */
function firstError(errors: readonly SchemaError[]): string {
  const depth = ({ instancePath }: SchemaError) => instancePath.split('/').length
  // An unknown field is told of twice: by the object that it is in, and as a value that nothing fits.
  const telling = errors.filter(({ message }) => message !== 'schema is false')
  const deepest = Math.max(...telling.map(depth))
  const [nearest] = telling
    .filter((error) => depth(error) === deepest)
    .map((error) => ({ error, unknown: unknownFields(error) }))
    .sort((a, b) => (a.unknown?.length ?? 99) - (b.unknown?.length ?? 99))
  if (nearest === undefined) return 'not a valid case'
  const { error, unknown } = nearest
  const path = error.instancePath
    .replace(/^\//, '')
    .replace(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.')
  const what = unknown === undefined ? error.message : `unknown field ${unknown.join(', ')}`
  return `${path || 'the case'}: ${what}`
}

function unknownFields({ params }: SchemaError): readonly string[] | undefined {
  if (params === undefined || !('additionalProperties' in params)) return undefined
  return Array.isArray(params.additionalProperties) ? params.additionalProperties : []
}

function nameOf(one: unknown): string | undefined {
  if (one === null || typeof one !== 'object' || !('name' in one)) return undefined
  return typeof one.name === 'string' ? one.name : undefined
}
