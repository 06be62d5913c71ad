import type { Config } from '../config/config.ts'
import { WardenError } from '../core/errors.ts'
import type { FileStateCopies } from '../state/file-state-copies.ts'
import { ownerOf } from '../state/lmdb-lock.ts'
import { LmdbStateStore } from '../state/lmdb-state-store.ts'
import type { BrokenCopy, StateCopy } from '../state/state-copy.ts'
import { askRunning } from './ask-running.ts'
import { restoreCopy } from './savepoint-restore.ts'
import { replicasOf, StateCopier, savepointsOf, stateDirectory } from './savepoints.ts'
import { createTelemetry } from './telemetry.ts'

export interface SavepointOptions {
  readonly config: Config
  readonly version: string
  /** Directory of copies to look at instead of those of the config. */
  readonly from: string | undefined
  readonly json: boolean
  readonly print: (text: string) => void
}

/** Takes a savepoint: of the running job by asking it, else of the state as it lies there. */
export async function createSavepoint(
  options: SavepointOptions,
  url: string | undefined,
): Promise<void> {
  const { config, version } = options
  const directory = stateDirectory(config)
  const owner = ownerOf(directory)
  if (owner !== undefined) {
    show(options, await askRunning<StateCopy>(config, url, '/api/savepoints'))
    return
  }
  const store = new LmdbStateStore(directory)
  try {
    const copier = new StateCopier(config, store, version, createTelemetry(config))
    show(options, await copier.savepoint())
  } finally {
    await store.close()
  }
}

/** Savepoints, and replicas where the config has some, the newest first. */
export function listSavepoints(options: SavepointOptions): void {
  const all = placesOf(options).flatMap((copies) => copies.list())
  if (options.json) {
    options.print(`${JSON.stringify(all, undefined, 2)}\n`)
    return
  }
  if (all.length === 0) options.print('no savepoints\n')
  for (const copy of all) options.print(`${lineOf(copy)}\n`)
}

/** Checks every byte of a copy and shows what it is of. @throws WardenError `state_corrupt` */
export async function inspectSavepoint(options: SavepointOptions, id: string): Promise<void> {
  const { copies, id: found } = await find(options, id)
  show(options, await copies.verified(found))
}

/**
 * Puts a copy in the place of the state of the config's job, which must be stopped.
 * @param job must name the config's job where the copy is of another one: a fork
 */
export async function restoreSavepoint(
  options: SavepointOptions,
  id: string,
  job: string | undefined,
): Promise<void> {
  const { config, print } = options
  const { copies, id: found } = await find(options, id)
  const copy = await copies.verified(found)
  const wanted = job ?? copy.job
  if (wanted !== config.job) {
    const right =
      job === undefined
        ? `to fork ${copy.job} into it, write --job ${config.job}`
        : `the config is of job ${config.job}`
    throw new WardenError('usage', `the savepoint is of job ${copy.job}: ${right}`)
  }
  const directory = stateDirectory(config)
  const { before } = await restoreCopy(copies, found, directory, config.job, new Date())
  print(`${lineOf(copy)}\nrestored to ${directory}; the next start goes on from its positions\n`)
  if (copy.job !== config.job)
    print(`forked from ${copy.job}: what waited for its sinks and receivers stays with it\n`)
  if (before !== undefined) print(`the state that was there is in ${before}\n`)
}

export async function deleteSavepoint(options: SavepointOptions, id: string): Promise<void> {
  const { copies, id: found } = await find(options, id)
  await copies.remove(found)
  options.print(`${found} deleted\n`)
}

function placesOf({ config, from }: SavepointOptions): readonly FileStateCopies[] {
  if (from !== undefined) return [savepointsOf({ ...config, state: savepointsAt(config, from) })]
  const replicas = replicasOf(config)
  return [savepointsOf(config), ...(replicas === undefined ? [] : [replicas])]
}

const savepointsAt = (config: Config, directory: string): Config['state'] => ({
  ...config.state,
  savepoints: { ...config.state.savepoints, directory },
})

/** `latest` is the newest copy of all places that is whole. */
async function find(
  options: SavepointOptions,
  id: string,
): Promise<{ copies: FileStateCopies; id: string }> {
  const places = placesOf(options)
  if (id !== 'latest') {
    const copies = places.find((one) => one.list().some((copy) => copy.id === id))
    if (copies !== undefined) return { copies, id }
    const where = places.map(({ directory }) => directory).join(' and ')
    throw new WardenError(
      'usage',
      `there is no savepoint ${id} in ${where}; see warden savepoint list`,
    )
  }
  let newest: { copies: FileStateCopies; id: string } | undefined
  for (const copies of places) {
    const copy = await copies.newestGood(({ id: broken, reason }) =>
      options.print(`${broken}: left out, ${reason}\n`),
    )
    if (copy !== undefined && (newest === undefined || copy.id > newest.id))
      newest = { copies, id: copy.id }
  }
  if (newest === undefined)
    throw new WardenError('usage', 'there is no savepoint and no replica that is whole')
  return newest
}

function show(options: SavepointOptions, copy: StateCopy): void {
  const { json, print } = options
  if (json) {
    print(`${JSON.stringify(copy, undefined, 2)}\n`)
    return
  }
  print(`${lineOf(copy)}\n`)
  for (const [source, partitions] of Object.entries(copy.positions)) {
    for (const [name, { offset }] of Object.entries(partitions)) {
      print(`  ${source} ${name} at ${offset}\n`)
    }
  }
}

function lineOf(copy: StateCopy | BrokenCopy): string {
  if ('reason' in copy) return `${copy.id}  broken: ${copy.reason}`
  const { id, kind, job, checkpoint, format, files } = copy
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return `${id}  ${kind} of ${job}, checkpoint ${checkpoint}, format ${format}, ${(bytes / 1e6).toFixed(1)} MB`
}
