import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { WardenError } from '../core/errors.ts'
import { type CaseResult, runSpecFile } from '../spec/run-specs.ts'

/** Runs spec files from disk. */
export async function runSpecFiles(files: readonly string[]): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const file of files) {
    let text: string
    try {
      text = readFileSync(file, 'utf8')
    } catch (cause) {
      results.push({
        file,
        name: file,
        passed: false,
        reason: unreadable('the file', cause).message,
      })
      continue
    }
    const surroundings = {
      readFile: (path: string) => {
        try {
          return readFileSync(path, 'utf8')
        } catch (cause) {
          throw unreadable(path, cause)
        }
      },
      resolve: (specFile: string, path: string) => resolve(dirname(specFile), path),
    }
    results.push(...(await runSpecFile(file, text, surroundings)))
  }
  return results
}

function unreadable(file: string, cause: unknown): WardenError {
  const code = cause instanceof Error && 'code' in cause ? ` (${cause.code})` : ''
  return new WardenError('config_invalid', `${file} can't be read${code}`, { cause })
}
