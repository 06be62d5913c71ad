import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { WardenError } from '../core/errors.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'

/**
 * State in one LMDB file on a local disk, changed in place, default sync: what `commit` acknowledged survives kill -9 and
 * power loss. One process owns the directory (a lock file with its pid).
 */
export class LmdbStateStore implements StateStore {
  readonly #db: RootDatabase<Buffer, string>
  readonly #file: string
  readonly #releaseLock: () => void

  /** @throws WardenError `state_locked` when another live process owns the directory, `state_corrupt` when it can't be read. */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true })
    this.#releaseLock = lockDirectory(directory)
    this.#file = join(directory, 'state.mdb')
    try {
      this.#db = open<Buffer, string>({
        path: this.#file,
        encoding: 'binary',
        noSubdir: true,
        compression: false,
        // Reserved address space, not disk: the file grows as needed.
        mapSize: 2 ** 36,
      })
    } catch (cause) {
      this.#releaseLock()
      throw new WardenError(
        'state_corrupt',
        `can't open the state in ${directory}: ${String(cause)}`,
        {
          cause,
        },
      )
    }
  }

  get(key: string): Uint8Array | undefined {
    const value = this.#db.get(key)
    return value === undefined ? undefined : new Uint8Array(value)
  }

  *range(from: string, to: string): Iterable<readonly [string, Uint8Array]> {
    for (const { key, value } of this.#db.getRange({ start: from, end: to, snapshot: true })) {
      yield [key, new Uint8Array(value)]
    }
  }

  async commit(operations: readonly StateOperation[]): Promise<void> {
    try {
      await this.#db.transaction(() => {
        for (const operation of operations) this.#apply(operation)
      })
      await this.#db.flushed
    } catch (cause) {
      throw new WardenError('state_write_failed', `can't write the state: ${String(cause)}`, {
        cause,
      })
    }
  }

  sizeBytes(): number {
    return statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0
  }

  async close(): Promise<void> {
    await this.#db.close()
    this.#releaseLock()
  }

  #apply(operation: StateOperation): void {
    switch (operation.kind) {
      case 'put':
        this.#db.putSync(operation.key, asBuffer(operation.value))
        break
      case 'remove':
        this.#db.removeSync(operation.key)
        break
      case 'remove-range':
        for (const key of [...this.#db.getKeys({ start: operation.from, end: operation.to })]) {
          this.#db.removeSync(key)
        }
        break
    }
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Takes `<directory>/LOCK` or throws; a lock whose process is gone is taken over. */
function lockDirectory(directory: string): () => void {
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

interface Owner {
  readonly pid: number
  readonly start: string
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
