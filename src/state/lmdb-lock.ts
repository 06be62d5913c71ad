import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { WardenError } from '../core/errors.ts'

/** Takes `<directory>/LOCK` or throws; a lock whose process is gone is taken over. */
export function lockDirectory(directory: string): () => void {
  const path = join(directory, 'LOCK')
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = openSync(path, 'wx')
      writeSync(file, `${process.pid} ${processStart(process.pid)}\n`)
      closeSync(file)
      return () => {
        try {
          unlinkSync(path)
        } catch {
          // Already gone: nothing holds it.
        }
      }
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new WardenError('state_write_failed', `can't create ${path}: ${String(cause)}`, {
          cause,
        })
      }
      const owner = readOwner(path)
      if (owner !== undefined && isAlive(owner)) {
        throw new WardenError(
          'state_locked',
          `${directory} is in use by process ${owner.pid}; stop it, or give this job a stateDir of its own`,
        )
      }
      unlinkSync(path)
    }
  }
  throw new WardenError(
    'state_locked',
    `can't lock ${directory}: another process is starting in it`,
  )
}

/** The process that holds a lock. */
export interface Owner {
  readonly pid: number
  readonly start: string
}

/** The live process that works in the directory; undefined: none. */
export function ownerOf(directory: string): Owner | undefined {
  const owner = readOwner(join(directory, 'LOCK'))
  return owner !== undefined && isAlive(owner) ? owner : undefined
}

function readOwner(path: string): Owner | undefined {
  try {
    const [pid, start] = readFileSync(path, 'utf8').trim().split(' ')
    return { pid: Number(pid), start: start ?? '' }
  } catch {
    return undefined
  }
}

function isAlive(owner: Owner): boolean {
  if (!Number.isInteger(owner.pid) || owner.pid <= 0) return false
  // A container restarts with the same small pids: the same pid with another start time is another process.
  if (owner.pid === process.pid)
    return owner.start === processStart(process.pid) && owner.start !== ''
  try {
    process.kill(owner.pid, 0)
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM'
  }
  return owner.start === '' || owner.start === processStart(owner.pid)
}

/** Start time of a process in clock ticks since boot, from /proc; empty where that does not exist. */
function processStart(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}
