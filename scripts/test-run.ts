/** Runs test files under node:test in processes of their own and says what became of every single test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { groupedTests } from './test-groups.ts'

export interface Failure {
  readonly name: string
  /** `test/unit/x.test.ts:12` */
  readonly where: string
  /** The error in full, with its cause; for a file that crashed what it wrote. */
  readonly error: string
}

export interface SuiteResult {
  readonly passed: number
  readonly failures: readonly Failure[]
  /** Name and reason of each test that was skipped. */
  readonly skipped: readonly string[]
  readonly ms: number
}

export interface TestRun {
  /** Paths from the root of the checkout. */
  readonly files: readonly string[]
  /** The Node that runs them. */
  readonly node: string
  /** `together`: all files, two at a time, quiet. `alone`: one file, what it prints is shown as it comes. */
  readonly mode: 'together' | 'alone'
  /** Bound on the whole run; then its process group is killed. */
  readonly timeoutMs: number
  /** Bound on a file, or a group of files, of a run together. */
  readonly fileTimeoutMs?: number
  /** Of a run together: the files share this many processes; each has its own where it is left out. */
  readonly processes?: number
  readonly env?: Readonly<Record<string, string>>
}

type ReportLine =
  | { readonly kind: 'output'; readonly file?: string; readonly text: string }
  | { readonly kind: 'end' }
  | {
      readonly kind: 'pass' | 'fail' | 'skip'
      readonly name: string
      readonly file?: string
      readonly line?: number
      readonly error?: string
      readonly reason?: string
    }

export const root = fileURLToPath(new URL('..', import.meta.url))

export async function runTests(run: TestRun): Promise<SuiteResult> {
  const directory = mkdtempSync(join(tmpdir(), 'warden-test-'))
  const report = join(directory, 'report.ndjson')
  const startedAt = performance.now()
  const fileTimeout = run.fileTimeoutMs ?? run.timeoutMs
  const together = ['--test', '--test-concurrency=2', `--test-timeout=${fileTimeout}`]
  const entries =
    run.processes === undefined
      ? run.files
      : groupedTests(root, run.files, run.processes, directory)
  const live = ['--test-reporter=spec', '--test-reporter-destination=stdout']
  const args = [
    ...['--import', 'tsx'],
    ...(run.mode === 'together' ? together : live),
    `--test-reporter=${join(root, 'scripts/test-reporter.mjs')}`,
    `--test-reporter-destination=${report}`,
    ...entries,
  ]
  try {
    const ended = await runGroup(run.node, args, {
      timeoutMs: run.timeoutMs,
      env: run.env ?? {},
      show: run.mode === 'alone',
    })
    const ms = performance.now() - startedAt
    return { ...judged(run, readReport(report), ended), ms }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function readReport(file: string): ReportLine[] {
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    // The process died before its reporter wrote anything.
  }
  // A process that was killed may have left half a line.
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}

function judged(run: TestRun, lines: readonly ReportLine[], ended: Ended): Omit<SuiteResult, 'ms'> {
  const outputs = new Map<string, string>()
  const failures: Failure[] = []
  const skipped: string[] = []
  let passed = 0
  for (const line of lines) {
    if (line.kind === 'end') continue
    const file = line.file === undefined ? '' : relative(root, line.file)
    if (line.kind === 'output') {
      outputs.set(file, ((outputs.get(file) ?? '') + line.text).slice(-20_000))
      continue
    }
    // A file without tests, or one that crashed, is reported as a test with the name of the file.
    const isFile = line.name === line.file || line.name === file
    if (line.kind === 'skip')
      skipped.push(`${line.name} (${file})${line.reason && `: ${line.reason}`}`)
    else if (line.kind === 'pass' && !isFile) passed++
    else {
      const why = line.error ?? 'the file holds no test'
      const error = isFile ? [outputs.get(file)?.trimEnd(), why].filter(Boolean).join('\n') : why
      failures.push({
        name: isFile ? `${file} as a whole` : line.name,
        where: isFile ? file : `${file}:${line.line}`,
        error,
      })
    }
  }
  const reportEnded = lines.some((line) => line.kind === 'end')
  const explained = failures.length > 0 && reportEnded
  if (!explained && (ended.why !== undefined || !reportEnded || passed + skipped.length === 0)) {
    const files = run.files.length === 1 ? (run.files[0] ?? '') : `${run.files.length} files`
    const error = `${ended.why ?? (reportEnded ? 'no test ran' : 'ended before its tests did')}\n${ended.tail}`
    failures.push({ name: `${files} as a whole`, where: files, error: error.trimEnd() })
  }
  return { passed, failures, skipped }
}

export interface Ended {
  /** Why it did not end well; undefined when it exited with 0. */
  readonly why: string | undefined
  /** The end of what it wrote, where that was not shown. */
  readonly tail: string
}

const groups = new Set<ChildProcess>()

/** Runs a command in a process group of its own; nothing of the group is left afterwards. */
export function runGroup(
  command: string,
  args: readonly string[],
  options: {
    readonly timeoutMs: number
    readonly env?: Readonly<Record<string, string>>
    readonly show: boolean
  },
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      detached: true,
      // Without the mark of a test process: a run inside a test would skip its files.
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...options.env },
      stdio: ['ignore', options.show ? 'inherit' : 'pipe', options.show ? 'inherit' : 'pipe'],
    })
    groups.add(child)
    let tail = ''
    const keep = (chunk: Buffer) => {
      tail = (tail + chunk).slice(-100_000)
    }
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    let hung = false
    const timer = setTimeout(() => {
      hung = true
      killGroup(child)
    }, options.timeoutMs)
    const settle = (why: string | undefined) => {
      clearTimeout(timer)
      groups.delete(child)
      resolve({ why, tail })
    }
    child.once('error', (error) => settle(`did not start: ${error.message}`))
    child.once('exit', (code, signal) => {
      // What it started and left behind would keep the pipes open.
      killGroup(child)
      const bound = `still running after ${Math.round(options.timeoutMs / 1000)} s; killed`
      const why = code === 0 ? undefined : `exited with ${code ?? signal}`
      child.once('close', () => settle(hung ? bound : why))
    })
  })
}

function killGroup(leader: ChildProcess): void {
  if (leader.pid === undefined) return
  try {
    process.kill(-leader.pid, 'SIGKILL')
  } catch {
    // The group is empty already.
  }
}

/** Ctrl-C does not reach the groups, as they are not the terminal's. */
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    for (const child of groups) killGroup(child)
    process.exit(signal === 'SIGINT' ? 130 : 143)
  })
}
