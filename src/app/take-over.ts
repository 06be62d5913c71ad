import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { asWardenError, WardenError } from '../core/errors.ts'
import type { StateStore } from '../core/state-store.ts'
import { type JobState, saveJobState } from '../pipeline/job-state.ts'
import { syncDirectory } from '../state/file-state-copies.ts'
import { LmdbStateStore, stateFile } from '../state/lmdb-state-store.ts'
import { type CopyFacts, isNewerCopy } from '../state/state-copy.ts'
import { restoreCopy } from './savepoint-restore.ts'
import { type CopyTelemetry, replicasOf, stateDirectory } from './savepoints.ts'
import { factsIn } from './state-facts.ts'

type StateConfig = Pick<Config, 'stateDir' | 'job' | 'state'>

/** Who led last; beside the replicas, where every Warden of the job reads it. */
interface LeaderRecord {
  readonly holder: string
  readonly incarnation: number
  /** ISO 8601. */
  readonly since: string
}

/**
 * A new leader goes on from the newest state there is: its own, or the newest good replica where that is newer. Newer is what has
 * the larger incarnation, then the later checkpoint: clocks of machines don't count.
 * @throws WardenError `state_write_failed` when the directory of the replicas is not there
 */
export async function takeOverState(config: StateConfig, telemetry: CopyTelemetry): Promise<void> {
  const copies = replicasOf(config)
  const place = config.state.replica?.directory
  if (copies === undefined || place === undefined) return
  if (!existsSync(place)) {
    throw new WardenError(
      'state_write_failed',
      `state.replica ${place} is not there: mount it, or make it where the job never ran; without it a new leader would begin anew`,
    )
  }
  const { logger, clock } = telemetry
  const copy = await copies.newestGood(({ id, reason }) =>
    logger.error({ id, reason }, 'a replica of the state is damaged; an older one is looked for'),
  )
  const directory = stateDirectory(config)
  const own = await ownFacts(directory, copy !== undefined)
  if (copy === undefined || (own !== undefined && !isNewerCopy(copy, own))) {
    const state = own === undefined ? 'none' : 'own'
    logger.info({ state, checkpoint: own?.checkpoint }, 'no replica is newer than the own state')
    return
  }
  const now = new Date(clock.now())
  const { before } = await restoreCopy(copies, copy.id, directory, config.job, now)
  await keepOneBefore(directory, before)
  await forgetSideOutputs(directory)
  const { id, createdAt, checkpoint, positions } = copy
  logger.info(
    { id, createdAt, checkpoint, positions, from: copies.directory },
    'the state is that of the newest replica; what was read after it is read again',
  )
}

/**
 * Makes what this leader writes newer than what any leader before it wrote, also one that left no replica or whose clock was ahead,
 * and says so beside the replicas.
 */
export async function beginTenure<F>(
  config: StateConfig,
  store: StateStore,
  state: JobState<F>,
  holder: string,
  telemetry: CopyTelemetry,
): Promise<JobState<F>> {
  const directory = replicasOf(config)?.directory
  const last = directory === undefined ? undefined : readRecord(directory)
  const now = telemetry.clock.now()
  const incarnation = Math.max(
    Math.floor(now / 1000),
    state.incarnation + 1,
    (last?.incarnation ?? 0) + 1,
  )
  const own = { ...state, incarnation }
  await store.commit([saveJobState(own)])
  if (directory === undefined) return own
  try {
    await writeRecord(directory, { holder, incarnation, since: new Date(now).toISOString() })
  } catch (cause) {
    const fields = { err: asWardenError(cause), directory }
    telemetry.logger.warn(fields, 'the new leader could not be noted beside the replicas')
  }
  return own
}

/** undefined: there is no state, or none that can be read while a replica can take its place. */
async function ownFacts(directory: string, isReplaceable: boolean): Promise<CopyFacts | undefined> {
  if (!existsSync(join(directory, stateFile))) return undefined
  try {
    return await factsIn(directory)
  } catch (cause) {
    if (isReplaceable && asWardenError(cause).code === 'state_corrupt') return undefined
    throw cause
  }
}

/** What was set aside may be large, and leaders change often: the last one is kept. */
async function keepOneBefore(directory: string, before: string | undefined): Promise<void> {
  if (before === undefined) return
  const kept = `${directory}.superseded`
  await rm(kept, { recursive: true, force: true })
  await rename(before, kept)
}

/** The files of the other machine are not these: what is in them stays, and more goes behind it. */
async function forgetSideOutputs(directory: string): Promise<void> {
  const store = new LmdbStateStore(directory)
  try {
    await store.commit([{ kind: 'remove-range', from: 'side/', to: 'side0' }])
  } finally {
    await store.close()
  }
}

const recordFile = (directory: string): string => join(directory, 'leader.json')

function readRecord(directory: string): LeaderRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(recordFile(directory), 'utf8')) as LeaderRecord
    return Number.isSafeInteger(record.incarnation) ? record : undefined
  } catch {
    return undefined
  }
}

async function writeRecord(directory: string, record: LeaderRecord): Promise<void> {
  await mkdir(directory, { recursive: true })
  const fresh = `${recordFile(directory)}.${process.pid}`
  await writeFile(fresh, `${JSON.stringify(record)}\n`, { flush: true })
  await rename(fresh, recordFile(directory))
  await syncDirectory(directory)
}
