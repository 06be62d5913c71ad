import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { WardenError } from '../core/errors.ts'
import { copyFile, type FileStateCopies, syncDirectory } from '../state/file-state-copies.ts'
import { ownerOf } from '../state/lmdb-lock.ts'
import { LmdbStateStore, stateFile } from '../state/lmdb-state-store.ts'
import type { StateCopy } from '../state/state-copy.ts'
import { asRestored } from './state-facts.ts'

export interface Restored {
  readonly copy: StateCopy
  /** Where the state that was there lies now; undefined: there was none. */
  readonly before: string | undefined
}

/**
 * Puts a copy in the place of a job's state. The copy is checked whole before anything is touched, and what was there is set aside,
 * not removed. A kill at any moment leaves the old state, or none, or the new one.
 * @param directory of the state; no Warden may work in it
 * @param job it becomes the state of
 * @throws WardenError `state_locked`, `state_corrupt`, `usage`, `state_write_failed`
 */
export async function restoreCopy(
  copies: FileStateCopies,
  id: string,
  directory: string,
  job: string,
  now: Date,
): Promise<Restored> {
  const copy = await copies.verified(id)
  refuseRunning(directory)
  const next = `${directory}.restoring`
  try {
    await rm(next, { recursive: true, force: true })
    await mkdir(next, { recursive: true })
    await copyFile(copies.fileOf(copy), join(next, stateFile))
    const store = new LmdbStateStore(next)
    try {
      await store.commit(asRestored(store, job, now.getTime()))
    } finally {
      await store.close()
    }
    await syncDirectory(next)
  } catch (cause) {
    await rm(next, { recursive: true, force: true }).catch(() => {})
    if (cause instanceof WardenError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new WardenError('state_write_failed', `can't restore to ${directory}: ${reason}`, {
      cause,
    })
  }
  refuseRunning(directory)
  const before = existsSync(directory)
    ? `${directory}.before-${now.toISOString().replaceAll(/[:.]/g, '-')}`
    : undefined
  if (before !== undefined) await rename(directory, before)
  await rename(next, directory)
  await syncDirectory(dirname(directory))
  return { copy, before }
}

function refuseRunning(directory: string): void {
  const owner = ownerOf(directory)
  if (owner !== undefined)
    throw new WardenError(
      'state_locked',
      `${directory} is in use by process ${owner.pid}; stop it before its state is replaced`,
    )
}
