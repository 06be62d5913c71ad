/**
 * `npm test`: the check, its tests on Node 24, then Warden as a real process and against real services.
 * `npm test -- --only PATTERN` runs the test files whose path contains PATTERN, and nothing else.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { node24 } from './node24.ts'
import { inClosure, type ServiceRun, startServices, whyLeftOut } from './services.ts'
import { filesUnder } from './source-files.ts'
import {
  type NamedResult,
  showFailures,
  showProgress,
  showResults,
  staticChecks,
  step,
  tool,
  unitTestFiles,
  unitTests,
} from './steps.ts'
import { root, runTests } from './test-run.ts'

/** Bound on one file against real services; the longest kill Warden and wait for it tens of times. */
const fileTimeoutMs = 45 * 60_000
const inCi = process.env.CI === 'true'
const results: NamedResult[] = []
/** What was not run: the suite and the reason with its cure. */
const leftOut: string[] = []

function take(...more: readonly NamedResult[]): void {
  for (const result of more) {
    results.push(result)
    showProgress(result)
    // At once: who watches a long run need not wait for its end.
    showFailures(result)
  }
}

/** Says that a suite does not run; in CI, where nobody reads that, it is a failure. */
function leaveOut(suite: string, reason: string): void {
  leftOut.push(`${suite}: ${reason}`)
  console.log(`LEFT OUT ${suite}: ${reason}`)
  if (!inCi) return
  const failures = [{ name: suite, where: '', error: `left out, and CI is true: ${reason}` }]
  results.push({ suite, passed: 0, failures, skipped: [], ms: 0 })
}

async function withoutServices(): Promise<void> {
  take(...(await staticChecks()))
  take(await unitTests(`unit tests on Node ${process.versions.node}`, process.execPath, 'process'))
  const newer = node24()
  if (newer.kind === 'ready') {
    take(await unitTests(`unit tests on Node ${newer.version}`, newer.path, 'file'))
  } else if (newer.kind === 'same') {
    console.log(
      `Node ${process.versions.node} is the Node 24 that the unit tests were to run on too`,
    )
  } else leaveOut('unit tests on Node 24', newer.reason)
}

async function withServices(files: readonly string[]): Promise<void> {
  if (files.length === 0) return
  take(await step('build', () => tool([join(root, 'scripts/build.mjs')])))
  const reasons = whyLeftOut()
  const wanted = files.filter((file) => {
    const out = reasons.length > 0 && inClosure(file, 'test/support/java.ts')
    if (out) leaveOut(file, reasons.join(' '))
    return !out
  })
  const services: ServiceRun = await startServices(wanted, async (name, start) => {
    console.log(`\n=== starting ${name}`)
    take(await step(name, start))
  })
  try {
    for (const file of wanted) {
      console.log(`\n=== ${file}`)
      const node = process.execPath
      const env = services.environment
      const run = { files: [file], node, mode: 'alone', timeoutMs: fileTimeoutMs, env } as const
      take({ suite: file, ...(await runTests(run)) })
    }
  } finally {
    await services.stop()
  }
}

function usage(message: string): never {
  console.error(`${message}\nusage: npm test -- [--only PATTERN]`)
  process.exit(2)
}

function onlyPattern(): string | undefined {
  try {
    return parseArgs({ options: { only: { type: 'string' } } }).values.only
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
}

const only = onlyPattern()
const wanted = (file: string) => only === undefined || file.includes(only)
const units = unitTestFiles().filter(wanted)
const others = ['integration', 'e2e']
  .flatMap((folder) => filesUnder(root, `test/${folder}`, '.test.ts'))
  .filter(wanted)
if (units.length + others.length === 0) usage(`no test file has ${only} in its path`)

if (only === undefined) await withoutServices()
else if (units.length > 0) take(await unitTests('unit tests', process.execPath, 'file', units))
await withServices(others)

if (leftOut.length > 0) console.log(`\nLeft out:\n${leftOut.join('\n').replace(/^/gm, '  ')}`)
process.exitCode = showResults(results) ? 0 : 1
