/** The steps of `npm run check`, and how their results are shown. */
import { join } from 'node:path'
import { staleMap } from './architecture-map.ts'
import { cruise } from './import-rules.ts'
import { filesUnder } from './source-files.ts'
import { type Failure, root, runGroup, runTests, type SuiteResult } from './test-run.ts'

export interface NamedResult extends SuiteResult {
  readonly suite: string
}

/** Test folders that need no service. */
const unitFolders = ['unit', 'contract', 'golden', 'issues']

export function unitTestFiles(): string[] {
  return unitFolders.flatMap((folder) => filesUnder(root, `test/${folder}`, '.test.ts'))
}

/** @param isolation `process`: files share a few processes, which takes half the time; `file`: each has its own, so that none leans on another. */
export async function unitTests(
  suite: string,
  node: string,
  isolation: 'process' | 'file',
  files: readonly string[] = unitTestFiles(),
): Promise<NamedResult> {
  const run = { files, node, mode: 'together', timeoutMs: 900_000 } as const
  const bounds =
    isolation === 'file' ? { fileTimeoutMs: 60_000 } : { fileTimeoutMs: 400_000, processes: 12 }
  return { suite, ...(await runTests({ ...run, ...bounds })) }
}

/** Format and lint, types, import rules and the module map, two at a time. */
export async function staticChecks(): Promise<NamedResult[]> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const remembered = join(root, 'node_modules/.cache/warden/tsc.tsbuildinfo')
  const types = [compiler, '-p', '.', '--incremental', '--tsBuildInfoFile', remembered]
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome')
  const lint = [biome, 'check', '--error-on-warnings', '--diagnostic-level=warn', '--colors=off']
  return await Promise.all([
    step('types (tsc)', () => tool([...types, '--pretty', 'false'])),
    (async () => [
      await step('format and lint (biome)', () => tool([...lint, '--max-diagnostics=100'])),
      ...(await importChecks()),
    ])(),
  ]).then((results) => results.flat())
}

async function importChecks(): Promise<NamedResult[]> {
  let imports: Awaited<ReturnType<typeof cruise>>['imports'] = []
  const rules = await step('import rules (dependency-cruiser)', async () => {
    const cruised = await cruise()
    imports = cruised.imports
    return cruised.violations.length > 0 ? cruised.violations.join('\n') : undefined
  })
  return [rules, await step('module map (ARCHITECTURE.md)', async () => staleMap(imports))]
}

export async function tool(args: readonly string[]): Promise<string | undefined> {
  const ended = await runGroup(process.execPath, args, { timeoutMs: 300_000, show: false })
  return ended.why === undefined ? undefined : `${ended.tail.trim()}\n(${ended.why})`
}

/** @param run resolves to what is wrong */
export async function step(
  suite: string,
  run: () => Promise<string | undefined>,
): Promise<NamedResult> {
  const startedAt = performance.now()
  let error: string | undefined
  try {
    error = await run()
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  }
  const failures: Failure[] = error === undefined ? [] : [{ name: suite, where: '', error }]
  return {
    suite,
    passed: error === undefined ? 1 : 0,
    failures,
    skipped: [],
    ms: performance.now() - startedAt,
  }
}

export function showProgress(result: NamedResult): void {
  const verdict = result.failures.length > 0 ? 'FAILED' : 'ok'
  console.log(`${verdict.padEnd(6)} ${result.suite}  ${seconds(result.ms)}`)
}

/** What failed, in full. */
export function showFailures({ suite, failures }: NamedResult): void {
  for (const { name, where, error } of failures) {
    console.log(`\n✗ ${suite}: ${name}${where === '' ? '' : `  (${where})`}`)
    console.log(error.replace(/^/gm, '    '))
  }
}

/** Failures in full, a table of the suites, and as the last line `N passed, N failed`. @returns whether all is well */
export function showResults(results: readonly NamedResult[]): boolean {
  for (const result of results) showFailures(result)
  const skipped = results.flatMap((result) => result.skipped)
  if (skipped.length > 0) console.log(`\nSkipped:\n${skipped.join('\n').replace(/^/gm, '  ')}`)
  console.log(`\n${table(results)}\n`)
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  const failed = results.reduce((sum, result) => sum + result.failures.length, 0)
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0
}

function table(results: readonly NamedResult[]): string {
  const rows = results.map(({ suite, passed, failures, skipped, ms }) => [
    suite,
    String(passed),
    String(failures.length),
    String(skipped.length),
    seconds(ms),
  ])
  const all = [['suite', 'passed', 'failed', 'skipped', 'time'], ...rows]
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...all.map((row) => row[i]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
  return all.map((row) => line(row).join('  ')).join('\n')
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
