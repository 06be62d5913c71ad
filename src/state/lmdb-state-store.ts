import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { open, type RootDatabase } from 'lmdb'
import { WardenError } from '../core/errors.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import { checkLmdbFile } from './lmdb-file-check.ts'
import { lockDirectory } from './lmdb-lock.ts'

/** Name of the LMDB file in its directory. */
export const stateFile = 'state.mdb'
/** Says that a state was here, so that one whose file is gone is no first start. */
const markFile = 'CREATED'

/**
 * State in one LMDB file on a local disk, changed in place, default sync: what `commit` acknowledged survives kill -9 and
 * power loss. One process owns the directory (a lock file with its pid).
 */
export class LmdbStateStore implements StateStore {
  readonly #db: RootDatabase<Buffer, string>
  readonly #directory: string
  readonly #file: string
  readonly #releaseLock: () => void
  #failed = false

  /**
   * @throws WardenError `state_locked` when another live process owns the directory, `state_corrupt` when the file is damaged or was
   * removed, `state_write_failed` when the disk is read-only, full or not permitted
   */
  constructor(directory: string) {
    this.#directory = directory
    this.#file = join(directory, stateFile)
    makeDirectory(directory)
    this.#releaseLock = lockDirectory(directory)
    try {
      this.#db = openDatabase(directory, this.#file)
    } catch (cause) {
      this.#releaseLock()
      throw openFailed(directory, cause)
    }
  }

  get(key: string): Uint8Array | undefined {
    try {
      const value = this.#db.get(key)
      return value === undefined ? undefined : new Uint8Array(value)
    } catch (cause) {
      throw this.#unreadable(cause)
    }
  }

  *range(from: string, to: string): Iterable<readonly [string, Uint8Array]> {
    try {
      for (const { key, value } of this.#db.getRange({ start: from, end: to, snapshot: true })) {
        yield [key, new Uint8Array(value)]
      }
    } catch (cause) {
      throw this.#unreadable(cause)
    }
  }

  async commit(operations: readonly StateOperation[]): Promise<void> {
    try {
      await this.#db.transaction(() => {
        for (const operation of operations) this.#apply(operation)
      })
      await this.#db.flushed
    } catch (cause) {
      this.#failed = true
      const reason = await commitReason(cause)
      const hint = /no space|input\/output|ENOSPC/i.test(reason)
        ? '; is the disk full or broken?'
        : ''
      throw new WardenError(
        'state_write_failed',
        `can't write the state in ${this.#directory}: ${reason}${hint}`,
        { cause },
      )
    }
  }

  /**
   * Writes what the last commit left to a new file, from a read transaction on a thread of its own: commits go on meanwhile.
   * @throws WardenError `state_write_failed`
   */
  async copyTo(path: string): Promise<void> {
    try {
      await this.#db.backup(path, false)
    } catch (cause) {
      throw new WardenError('state_write_failed', `can't write ${path}: ${text(cause)}`, { cause })
    }
  }

  sizeBytes(): number {
    return statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0
  }

  async close(): Promise<void> {
    const closed = this.#db.close().catch(() => {})
    // After a failed commit LMDB may wait for ever for a flush that does not come.
    await (this.#failed ? Promise.race([closed, delay(1_000)]) : closed)
    this.#releaseLock()
  }

  #unreadable(cause: unknown): WardenError {
    if (cause instanceof WardenError) return cause
    return new WardenError('state_corrupt', `can't read ${this.#file}: ${text(cause)}`, { cause })
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

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true })
  } catch (cause) {
    throw new WardenError(
      'state_write_failed',
      `can't make ${directory}: ${mkdirReason(directory, cause)}`,
      {
        cause,
      },
    )
  }
}

/** Node says ENOENT of a read-only disk when it makes parents too; without them it says what it is. */
function mkdirReason(directory: string, cause: unknown): string {
  try {
    mkdirSync(directory)
  } catch (plain) {
    return text(plain)
  }
  return text(cause)
}

function openDatabase(directory: string, file: string): RootDatabase<Buffer, string> {
  const mark = join(directory, markFile)
  if (!existsSync(file)) {
    if (existsSync(mark))
      throw new WardenError(
        'state_corrupt',
        `${file} is gone, and a state was here; restore the newest good copy (warden savepoint restore latest -c FILE), or remove ${directory} to start without state`,
      )
    createDatabase(file)
  }
  checkLmdbFile(file)
  const db = openLmdb(file)
  if (!existsSync(mark)) writeFileSync(mark, `${stateFile} belongs here\n`)
  return db
}

/** Appears whole or not at all: an empty file is a damaged one, not a new one. */
function createDatabase(file: string): void {
  const fresh = `${file}.new`
  rmSync(fresh, { force: true })
  const db = openLmdb(fresh)
  // A sync open and close leaves both meta pages.
  void db.close()
  renameSync(fresh, file)
  rmSync(`${fresh}-lock`, { force: true })
}

function openLmdb(path: string): RootDatabase<Buffer, string> {
  return open<Buffer, string>({
    path,
    encoding: 'binary',
    noSubdir: true,
    compression: false,
    // The promise of a batch that nobody holds would reject unseen when the disk is full.
    eventTurnBatching: false,
    // Reserved address space, not disk: the file grows as needed.
    mapSize: 2 ** 36,
  })
}

function openFailed(directory: string, cause: unknown): WardenError {
  if (cause instanceof WardenError) return cause
  // LMDB gives the system's number, Node its name.
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const isDisk = typeof code === 'string' ? !code.startsWith('MDB') : Number(code) > 0
  return isDisk
    ? new WardenError(
        'state_write_failed',
        `can't open the state in ${directory}: ${text(cause)}`,
        {
          cause,
        },
      )
    : new WardenError('state_corrupt', `can't open the state in ${directory}: ${text(cause)}`, {
        cause,
      })
}

/** LMDB rejects with an error that holds a promise of the real one. */
async function commitReason(cause: unknown): Promise<string> {
  if (!(cause instanceof Error && 'commitError' in cause)) return text(cause)
  try {
    await cause.commitError
    return text(cause)
  } catch (reason) {
    return text(reason)
  }
}

const text = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
