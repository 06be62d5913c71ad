import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from '../../support/until.ts'
import type { Figures, WardenRun } from './warden-run.ts'

/** How often the event loop of the main thread was late by at most so many ms, and the worst. */
export interface Stalls {
  readonly counts: Readonly<Record<string, number>>
  readonly maxMs: number
  /** Used heap of the main thread at the end. */
  readonly heapBytes: number
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

/**
 * Warden's own histograms of stalls, by lane where it has lanes: cumulative counts by upper bound as they stand in /metrics, those since `before`.
 * Empty when it has none.
 */
export function ownStalls(before: Figures, after: Figures): Map<string, number> {
  const found = new Map<string, number>()
  for (const [key, value] of after) {
    if (/^warden_\w*stall\w*_bucket/.test(key)) found.set(key, value - (before.get(key) ?? 0))
  }
  return found
}
