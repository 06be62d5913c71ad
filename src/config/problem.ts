import { WardenError } from '../core/errors.ts'

/** One thing wrong in a config. */
export interface Problem {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 units. */
  readonly column: number
  /** Dotted path of the key, e.g. `metrics.loan.dedup`; empty for the file as a whole. */
  readonly path: string
  /** What is wrong. */
  readonly what: string
  /** What would be right. */
  readonly right: string
}

/** `file:line:column: what is wrong; what would be right`. */
export function problemText(problem: Problem): string {
  const { file, line, column, path, what, right } = problem
  const subject = path === '' ? '' : `${path}: `
  return `${file}:${line}:${column}: ${subject}${what}; ${right}`
}

/** All that is wrong in a config at once; the message has one line for each problem, in the order of the file. */
export class ConfigError extends WardenError {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    const inOrder = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
    super('config_invalid', inOrder.map(problemText).join('\n'))
    this.name = 'ConfigError'
    this.problems = inOrder
  }
}
