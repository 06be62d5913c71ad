import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from '../../support/until.ts'
import type { WardenRun } from './warden-run.ts'

/** How late the event loops of Warden's threads were since the last look. */
export interface Stalls {
  /** Upper bounds of the counts; the last takes all that is longer. */
  readonly boundsMs: readonly number[]
  readonly threads: readonly ThreadStalls[]
  /** Used heap of the main thread at the end. */
  readonly heapBytes: number
}

export interface ThreadStalls {
  /** 0 is the main thread, the others are lanes. */
  readonly thread: number
  readonly counts: readonly number[]
  readonly maxMs: number
}

/** Arguments for Warden's Node that load the probe. */
export const stallProbe = ['--import', fileURLToPath(new URL('stall-probe.mjs', import.meta.url))]

/** What the probe has seen since the last look. */
export async function stallsOf(run: WardenRun): Promise<Stalls> {
  const file = stallFile(run.directory)
  rmSync(file, { force: true })
  run.signal('SIGUSR2')
  return await until('the probe answers', () => {
    return JSON.parse(readFileSync(file, 'utf8')) as Stalls
  })
}

export function stallFile(directory: string): string {
  return join(directory, 'stalls.json')
}

export function worstStallMs({ threads }: Stalls): number {
  return Math.max(0, ...threads.map(({ maxMs }) => maxMs))
}
