import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { askRunning } from './ask-running.ts'
import { summaryOf } from './profile-summary.ts'
import type { ThreadProfile } from './system-profiler.ts'

export interface ProfileOptions {
  readonly config: Config
  /** Where the running job listens; undefined: where the config says. */
  readonly url: string | undefined
  readonly seconds: number
  /** Directory of the files; made when it is not there. */
  readonly out: string
  readonly print: (text: string) => void
}

const shown = 12

/** Profiles all threads of the running job, writes a `.cpuprofile` for each and prints the top of it. */
export async function profile(options: ProfileOptions): Promise<void> {
  const { config, url, seconds, out, print } = options
  const path = `/api/profile?seconds=${seconds}`
  const { threads } = await askRunning<{ readonly threads: readonly ThreadProfile[] }>(
    config,
    url,
    path,
  )
  mkdirSync(out, { recursive: true })
  const taken = new Date().toISOString().replaceAll(/[:.]/g, '-')
  for (const { thread, profile } of threads) {
    const file = join(out, `warden-${taken}-${thread}.cpuprofile`)
    writeFileSync(file, profile)
    const { busy, top } = summaryOf(profile, shown)
    print(`${thread}: busy ${percent(busy)} of ${seconds} s; ${file}\n`)
    for (const { name, share } of top) print(`  ${percent(share).padStart(6)}  ${name}\n`)
  }
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
