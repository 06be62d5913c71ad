import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { WardenError } from '../core/errors.ts'
import { stateFile } from './lmdb-state-store.ts'
import {
  type BrokenCopy,
  type CopiedFile,
  type CopyFacts,
  type CopyKind,
  type CopySource,
  isNewerCopy,
  type StateCopy,
} from './state-copy.ts'

const manifestFile = 'manifest.json'
const unfinished = '.tmp'

export interface NewCopy {
  readonly source: CopySource
  /** Directory on the local disk for the first step: the state's file is read for the shortest time, however slow the target is. */
  readonly work: string
  /** Reads what the copy is of; `directory` holds its file. */
  readonly describe: (directory: string) => Promise<CopyFacts>
  readonly at: Date
  readonly version: string
  /** Called when all of it is on disk, before it appears; it does not when this throws. */
  readonly beforePublishing?: () => void
}

/**
 * The copies of one job's state in one directory, each in a directory of its own with a manifest. A copy appears by a rename when
 * all of it is on disk; its files carry SHA-256 sums, and the manifest one of itself.
 */
export class FileStateCopies {
  readonly directory: string
  readonly kind: CopyKind

  constructor(directory: string, kind: CopyKind) {
    this.directory = directory
    this.kind = kind
  }

  /** @throws WardenError `state_write_failed`; nothing is left behind then */
  async create(wanted: NewCopy): Promise<StateCopy> {
    const { work, source, describe, at, version } = wanted
    let target = ''
    try {
      await rm(work, { recursive: true, force: true })
      await mkdir(work, { recursive: true })
      await source.copyTo(join(work, stateFile))
      const facts = await describe(work)
      const id = this.#freeId(at, facts.checkpoint)
      target = join(this.directory, `${id}${unfinished}`)
      await rm(target, { recursive: true, force: true })
      await mkdir(target, { recursive: true })
      const files = [await copyFile(join(work, stateFile), join(target, stateFile))]
      const { kind } = this
      const createdAt = at.toISOString()
      const copy: StateCopy = { manifest: 1, id, kind, createdAt, version, ...facts, files }
      await writeDurably(join(target, manifestFile), manifestText(copy))
      await syncDirectory(target)
      wanted.beforePublishing?.()
      await rename(target, join(this.directory, id))
      await syncDirectory(this.directory)
      return copy
    } catch (cause) {
      if (target !== '') await rm(target, { recursive: true, force: true }).catch(() => {})
      if (cause instanceof WardenError) throw cause
      const text = `can't write a copy of the state to ${this.directory}: ${message(cause)}`
      throw new WardenError('state_write_failed', text, { cause })
    } finally {
      await rm(work, { recursive: true, force: true }).catch(() => {})
    }
  }

  /** All copies, the newest first; their files are not looked at. */
  list(): readonly (StateCopy | BrokenCopy)[] {
    if (!existsSync(this.directory)) return []
    return readdirSync(this.directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.endsWith(unfinished))
      .map(({ name }) => this.#read(name))
      .sort((a, b) => (a.id < b.id ? 1 : -1))
  }

  /** The copy, every byte of it checked. @throws WardenError `usage` when there is none of that name, `state_corrupt` when it is damaged */
  async verified(id: string): Promise<StateCopy> {
    if (!/^[\w.-]+$/.test(id) || !existsSync(join(this.directory, id)))
      throw new WardenError('usage', `there is no copy ${id} in ${this.directory}`)
    const copy = this.#read(id)
    if ('reason' in copy) throw new WardenError('state_corrupt', `copy ${id}: ${copy.reason}`)
    for (const file of copy.files) {
      const path = join(this.directory, id, file.name)
      const found = existsSync(path) ? await sumOf(path) : undefined
      if (found === file.sha256) continue
      const what = found === undefined ? 'is missing' : 'is damaged: its checksum is another one'
      throw new WardenError('state_corrupt', `copy ${id}: ${file.name} ${what}`)
    }
    return copy
  }

  /** The newest copy that is whole. `skipped` is told of newer ones that are not. */
  async newestGood(skipped: (broken: BrokenCopy) => void): Promise<StateCopy | undefined> {
    for (const { id } of newestFirst(this.list())) {
      try {
        return await this.verified(id)
      } catch (error) {
        skipped({ id, reason: message(error) })
      }
    }
    return undefined
  }

  /** Path of the state's file in a copy. */
  fileOf(copy: StateCopy): string {
    return join(this.directory, copy.id, stateFile)
  }

  async remove(id: string): Promise<void> {
    if (!/^[\w.-]+$/.test(id) || !existsSync(join(this.directory, id)))
      throw new WardenError('usage', `there is no copy ${id} in ${this.directory}`)
    // Half a copy never looks like one.
    const doomed = join(this.directory, `${id}${unfinished}`)
    await rename(join(this.directory, id), doomed)
    await rm(doomed, { recursive: true, force: true })
  }

  /** Removes all but the newest `count` whole manifests. @returns what was removed */
  async retain(count: number): Promise<readonly string[]> {
    const old = newestFirst(this.list())
      .filter((copy) => !('reason' in copy))
      .slice(count)
    for (const { id } of old) await this.remove(id)
    return old.map(({ id }) => id)
  }

  #freeId(at: Date, checkpoint: number): string {
    const time = at.toISOString().replaceAll(':', '-').replace('.', '-')
    const id = `${time}-c${checkpoint}`
    for (let next = 2; ; next++) {
      const wanted = next === 2 ? id : `${id}-${next}`
      if (!existsSync(join(this.directory, wanted))) return wanted
    }
  }

  #read(id: string): StateCopy | BrokenCopy {
    try {
      const text = readFileSync(join(this.directory, id, manifestFile), 'utf8')
      const { sum, ...copy } = JSON.parse(text) as StateCopy & { readonly sum: string }
      if (copy.manifest !== 1) return { id, reason: 'its manifest is of another version of Warden' }
      if (sum !== sumOfText(JSON.stringify(copy))) return { id, reason: 'its manifest is damaged' }
      return copy.id === id ? copy : { id, reason: `its manifest is of copy ${copy.id}` }
    } catch (error) {
      return { id, reason: `its manifest can't be read: ${message(error)}` }
    }
  }
}

/** Broken ones first: whoever looks for a good one is told of them. */
function newestFirst(
  copies: readonly (StateCopy | BrokenCopy)[],
): readonly (StateCopy | BrokenCopy)[] {
  return copies.toSorted((a, b) => {
    if ('reason' in a || 'reason' in b) return Number('reason' in b) - Number('reason' in a)
    if (isNewerCopy(a, b)) return -1
    return isNewerCopy(b, a) ? 1 : 0
  })
}

const manifestText = (copy: StateCopy): string =>
  `${JSON.stringify({ ...copy, sum: sumOfText(JSON.stringify(copy)) }, undefined, 2)}\n`

const sumOfText = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Copies in small steps and makes it durable; the sum is of what was read. */
export async function copyFile(from: string, to: string): Promise<CopiedFile> {
  const hash = createHash('sha256')
  const summing = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk)
      done(undefined, chunk)
    },
  })
  await pipeline(createReadStream(from, { highWaterMark: 2 ** 18 }), summing, createWriteStream(to))
  const file = await open(to, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
  const { size } = await stat(to)
  return { name: stateFile, bytes: size, sha256: hash.digest('hex') }
}

async function sumOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 18 }))
    hash.update(chunk as Buffer)
  return hash.digest('hex')
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes renames in it durable, where the file system can. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r').catch(() => undefined)
  await directory?.sync().catch(() => {})
  await directory?.close()
}

const message = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
