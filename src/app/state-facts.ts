import { WardenError } from '../core/errors.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import { LmdbStateStore } from '../state/lmdb-state-store.ts'
import type { CopyFacts } from '../state/state-copy.ts'

interface SavedJob {
  readonly format: number
  readonly job: string
  readonly incarnation: number
}

interface SavedMetrics {
  readonly metrics: readonly {
    readonly metric: string
    readonly state: Readonly<Record<string, string>>
  }[]
}

interface SavedSource {
  readonly partitions: Readonly<
    Record<string, { readonly offset: number; readonly identity: string }>
  >
}

/** What the state in a directory is of. @throws WardenError `state_corrupt` */
export async function factsIn(directory: string): Promise<CopyFacts> {
  const store = new LmdbStateStore(directory)
  try {
    return readFacts(store)
  } finally {
    await store.close()
  }
}

/** Users claimed elsewhere are claimed for a job: under another name all of them would be new. */
function refuseClaims(saved: SavedJob & Partial<SavedMetrics>): void {
  const claimed = (saved.metrics ?? []).filter(({ state }) =>
    state.keep?.includes('"type":"redis"'),
  )
  if (claimed.length === 0) return
  const names = claimed.map(({ metric }) => metric).join(', ')
  throw new WardenError(
    'state_incompatible',
    `the users of ${names} are claimed in a Redis for job ${saved.job}, and another job would count them again; restore the savepoint to ${saved.job}, or start the other job without state`,
  )
}

/** What a state is of, whatever its format and job. @throws WardenError `state_corrupt` when it is of no job */
export function readFacts(store: StateStore): CopyFacts {
  const { format, job, incarnation } = readSavedJob(store)
  const sources = [...store.range('source/', 'source0')].map(([key, value]) => {
    const { partitions } = JSON.parse(text(value)) as SavedSource
    const positions = Object.entries(partitions).map(
      ([name, { offset, identity }]) => [name, { offset, identity }] as const,
    )
    return [key.slice('source/'.length), Object.fromEntries(positions)] as const
  })
  const checkpoint = Number(text(store.get('checkpoint') ?? new Uint8Array()))
  return { job, format, checkpoint, incarnation, positions: Object.fromEntries(sources) }
}

/**
 * Makes a restored state one of its own: what it writes from now on is newer than what was written after the copy was
 * taken. Under another job name it is a fork: points and messages that wait belong to the job it came from, and its side outputs begin anew.
 * @param now epoch ms
 * @throws WardenError `state_incompatible` for a fork of a job whose users are claimed in a Redis
 */
export function asRestored(store: StateStore, job: string, now: number): StateOperation[] {
  const saved = readSavedJob(store)
  const incarnation = Math.max(Math.floor(now / 1000), saved.incarnation + 1)
  const value = Buffer.from(JSON.stringify({ ...saved, job, incarnation }))
  const operations: StateOperation[] = [{ kind: 'put', key: 'job', value }]
  if (job === saved.job) return operations
  refuseClaims(saved)
  for (const [from, to] of [
    ['notice', 'noticf'],
    ['outbox', 'outboy'],
    ['side/', 'side0'],
  ] as const) {
    operations.push({ kind: 'remove-range', from, to })
  }
  return operations
}

function readSavedJob(store: StateStore): SavedJob {
  const bytes = store.get('job')
  if (bytes === undefined)
    throw new WardenError('state_corrupt', 'the state is of no job: no checkpoint was ever taken')
  return JSON.parse(text(bytes)) as SavedJob
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
