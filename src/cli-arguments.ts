import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { Verb } from './cli-usage.ts'
import { WardenError } from './core/errors.ts'

/** Options of a command line, as `parseArgs` gives them. */
export type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>

/** Reads the arguments of a verb. @throws WardenError `usage` */
export function parse(
  verb: Verb,
  args: readonly string[],
  options: NonNullable<ParseArgsConfig['options']>,
  allowPositionals = false,
): { values: Values; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true })
  } catch (cause) {
    // The rest of the message speaks of Node's own conventions.
    const [message = ''] = (cause instanceof Error ? cause.message : String(cause)).split(/\. |\n/)
    throw new WardenError('usage', `${message.replace(/\.$/, '')}; see warden ${verb} --help`)
  }
}

/** The text of an option that must be there. @throws WardenError `usage` */
export function required(verb: Verb, value: Values[string], name: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new WardenError('usage', `${name} is missing; see warden ${verb} --help`)
}

/** The number of an option; undefined when it is not there. @throws WardenError `usage` outside [least, most] */
export function number(
  text: Values[string],
  name: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
  isWhole = false,
): number | undefined {
  if (text === undefined) return undefined
  const value = text === '' ? Number.NaN : Number(text)
  const fits = Number.isFinite(value) && value >= least && value <= most
  if (fits && (!isWhole || Number.isInteger(value))) return value
  const bounds = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `${least} to ${most}`
  throw new WardenError('usage', `${name} is a ${isWhole ? 'whole ' : ''}number ${bounds}`)
}

/** The same for whole numbers. */
export const whole = (text: Values[string], name: string, least: number, most?: number) =>
  number(text, name, least, most, true)
