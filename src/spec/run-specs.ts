import { Compile } from 'typebox/compile'
import { parse } from 'yaml'
import { type ParseOptions, parseInlineValue } from '../config/load.ts'
import type { Difference } from './comparison.ts'
import { PipelineCase } from './pipeline-case.ts'
import { runPipelineCase } from './pipeline-spec.ts'
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

/** Runs every case of a spec file (JSON or YAML, an array of cases); a file that is no spec gives one failed result. */
export async function runSpecFile(
  file: string,
  text: string,
  surroundings: Surroundings,
): Promise<CaseResult[]> {
  let cases: unknown
  try {
    cases = parse(text, { prettyErrors: true })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
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
      reason = await runCase(one, file, surroundings)
    } catch (cause) {
      reason = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
    }
    results.push({ file, name, passed: reason === undefined, reason })
  }
  return results
}

async function runCase(
  one: unknown,
  file: string,
  surroundings: Surroundings,
): Promise<string | undefined> {
  if (one === null || typeof one !== 'object') return 'a case is an object'
  if ('config' in one) {
    if (!windowCase.Check(one)) return firstError(windowCase.Errors(one))
    if (one.expect === undefined && one.late === undefined && one.expectWatermarks === undefined) {
      return 'nothing is expected: give expect, late or expectWatermarks'
    }
    return describe(await runWindowCase(one))
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
    return describe(await runPipelineCase(one, parseInlineValue(config, options)))
  }
  return 'a case has config (window spec) or pipeline (pipeline spec)'
}

function describe(difference: Difference | undefined): string | undefined {
  if (difference === undefined) return undefined
  const show = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value))
  return `${difference.at}: expected ${show(difference.expected)}, actual ${show(difference.actual)}`
}

function firstError(
  errors: readonly {
    readonly instancePath: string
    readonly message: string
    readonly params?: object
  }[],
): string {
  const unknownKey = errors.find((error) => 'additionalProperties' in (error.params ?? {}))
  const error = unknownKey ?? errors[0]
  if (error === undefined) return 'not a valid case'
  const extra = unknownKey === undefined ? '' : ` ${JSON.stringify(unknownKey.params)}`
  return `${error.instancePath || 'the case'} ${error.message}${extra}`
}

function nameOf(one: unknown): string | undefined {
  if (one === null || typeof one !== 'object' || !('name' in one)) return undefined
  return typeof one.name === 'string' ? one.name : undefined
}
