import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Config } from './config.ts'
import { parseConfig } from './load.ts'
import { ConfigError } from './problem.ts'
import type { Environment } from './read/interpolate.ts'

/**
 * Reads a config file, YAML or JSON; messages name it as `file` does, relative paths in it start at its directory.
 * @throws ConfigError (`config_invalid`) with everything that is wrong, each with file:line:column
 */
export function loadConfig(file: string, env: Environment): Config {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? ` (${cause.code})` : ''
    const what = `the file cannot be read${code}`
    const right = 'name a config file that is there'
    throw new ConfigError([{ file, line: 1, column: 1, path: '', what, right }])
  }
  return parseConfig(text, {
    file,
    directory: path.dirname(path.resolve(file)),
    env,
    readFile: (one) => readFileSync(one, 'utf8'),
  })
}
