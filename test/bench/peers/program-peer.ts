import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Counts, differences } from '../load/expected-counts.ts'
import type { Task } from './peer.ts'
import { processTree } from './process-tree.ts'
import { type Measured, Stopwatch } from './stopwatch.ts'

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Does it count, or only read? */
  readonly givesCounts: boolean
}

/** Longest time in which a program says nothing. */
const stallMs = 180_000

/**
 * Runs programs that read the topic together. Each says `counted N` on the way and `result JSON` when it has seen all it will;
 * it stays until its input ends, so that it can be looked at.
 */
export async function measurePrograms(task: Task, programs: readonly Program[]): Promise<Measured> {
  const { topic, endMs } = task
  const children = programs.map(({ command, args, env }) =>
    spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } }),
  )
  const roots = children.flatMap(({ pid }) => pid ?? [])
  const watch = new Stopwatch(topic.records, () => processTree(roots))
  const counted = children.map(() => 0)
  const kill = () => {
    for (const child of children) child.kill('SIGKILL')
  }
  let stalled = setTimeout(kill, stallMs)
  try {
    const results = await Promise.all(
      children.map(async (child, index) => {
        for await (const line of createInterface({ input: child.stdout })) {
          const [word, rest = ''] = split(line)
          clearTimeout(stalled)
          stalled = setTimeout(kill, stallMs)
          if (word === 'counted') {
            counted[index] = Number(rest)
            watch.reached(counted.reduce((sum, one) => sum + one, 0))
          } else if (word === 'result') {
            return JSON.parse(rest) as Readonly<Record<string, number>>
          }
        }
        throw new Error(`${programs[index]?.args.join(' ')} ended without a result, or stood still`)
      }),
    )
    const measured = watch.measured(undefined)
    if (programs.some(({ givesCounts }) => givesCounts)) {
      const wrong = differences(topic.expected, sumOf(results), endMs)
      if (wrong.length > 0) {
        throw new Error(`${wrong.length} counts are wrong: ${wrong.slice(0, 3).join('; ')}`)
      }
    }
    return measured
  } finally {
    clearTimeout(stalled)
    for (const child of children) {
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      clearTimeout(timer)
    }
  }
}

function split(line: string): [word: string, rest: string] {
  const at = line.indexOf(' ')
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)]
}

function sumOf(results: readonly Readonly<Record<string, number>>[]): Counts {
  const sum = new Map<string, number>()
  for (const result of results) {
    for (const [key, value] of Object.entries(result)) sum.set(key, (sum.get(key) ?? 0) + value)
  }
  return sum
}
