import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type CaseResult, runSpecFile } from '../spec/run-specs.ts'

/** Runs spec files from disk. */
export async function runSpecFiles(files: readonly string[]): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const file of files) {
    let text: string
    try {
      text = readFileSync(file, 'utf8')
    } catch (cause) {
      const reason = `can't read ${file}: ${cause instanceof Error ? cause.message : String(cause)}`
      results.push({ file, name: file, passed: false, reason })
      continue
    }
    const surroundings = {
      readFile: (path: string) => readFileSync(path, 'utf8'),
      resolve: (specFile: string, path: string) => resolve(dirname(specFile), path),
    }
    results.push(...(await runSpecFile(file, text, surroundings)))
  }
  return results
}
