import { WardenError } from '../core/errors.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { EpochMs } from '../core/time.ts'

/** Encoding of everything in the state; another one is refused. */
const format = 3
const key = 'job'

/** What the state is of. */
export interface JobState<Fingerprint> {
  readonly job: string
  /** Secret of the key hash, 16 bytes: dedup entries mean nothing without it. */
  readonly hashKey: Uint8Array
  /** Orders what this state wrote against what an older or newer one wrote: seconds of its creation. */
  readonly incarnation: number
  /** What each metric's state was built with. */
  readonly metrics: readonly Fingerprint[]
}

/** @throws WardenError `state_incompatible` when another version or another job wrote it */
export function readJobState<F>(store: StateStore, job: string): JobState<F> | undefined {
  const bytes = store.get(key)
  if (bytes === undefined) return undefined
  const saved = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
    readonly format: number
    readonly job: string
    readonly hashKey: string
    readonly incarnation: number
    readonly metrics: readonly F[]
  }
  if (saved.format !== format) {
    throw new WardenError(
      'state_incompatible',
      `the state is of format ${saved.format}, this Warden reads format ${format}; run the version that wrote it, or start with an empty stateDir`,
    )
  }
  if (saved.job !== job) {
    throw new WardenError(
      'state_incompatible',
      `the state belongs to job ${saved.job}, the config is of job ${job}; give each job a stateDir of its own`,
    )
  }
  const { incarnation, metrics } = saved
  return { job, hashKey: Buffer.from(saved.hashKey, 'hex'), incarnation, metrics }
}

export function newJobState<F>(
  job: string,
  hashKey: Uint8Array,
  now: EpochMs,
  metrics: readonly F[],
): JobState<F> {
  return { job, hashKey, incarnation: Math.floor(now / 1000), metrics }
}

export function saveJobState<F>(state: JobState<F>): StateOperation {
  const hashKey = Buffer.from(state.hashKey).toString('hex')
  const value = Buffer.from(JSON.stringify({ format, ...state, hashKey }))
  return { kind: 'put', key, value }
}
