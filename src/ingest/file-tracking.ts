import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { WardenError } from '../core/errors.ts'
import { type EpochMs, epochMs } from '../core/time.ts'

/** How many first bytes tell one file from another that took over its inode or name. */
const headBytes = 1024

/** A file as it is on disk now. */
export interface FileSight {
  readonly name: string
  readonly inode: string
  /** Tells files of different devices apart; not kept over restarts, where devices may be numbered anew. */
  readonly key: string
  readonly size: number
  readonly changed: string
}

/** A file and how far it was read; what the identity of a position lists. */
export interface TrackedFile {
  /** Where it was seen last; rotation changes it. */
  name: string
  /** Changes only when reading goes on in a copy. */
  inode: string
  /** Hash of the first `headLength` bytes. */
  head: string
  headLength: number
  /** Bytes on disk when it was seen last. */
  size: number
  /** Bytes taken (decompressed, for gzip). */
  taken: number
  /** Everything that was seen of it had been taken. */
  ended: boolean
}

export async function sight(name: string): Promise<FileSight | undefined> {
  const found = await stat(name, { bigint: true }).catch(() => undefined)
  return found?.isFile() ? sighted(name, found) : undefined
}

const sighted = (name: string, found: BigIntStats): FileSight => ({
  name,
  inode: String(found.ino),
  key: `${found.dev}:${found.ino}`,
  size: Number(found.size),
  changed: `${found.ino}:${found.size}:${found.mtimeNs}`,
})

/** Hash of the first bytes of a file, at most `length`; undefined when there are fewer or it can't be read. */
export async function headOf(name: string, length: number): Promise<string | undefined> {
  const file = await open(name, 'r').catch(() => undefined)
  if (file === undefined) return undefined
  try {
    const buffer = Buffer.alloc(length)
    const { bytesRead } = await file.read(buffer, 0, length, 0)
    if (bytesRead < length) return undefined
    return createHash('sha256').update(buffer).digest('hex').slice(0, 16)
  } finally {
    await file.close()
  }
}

/** Begins to track a file at its first byte. */
export async function track(seen: FileSight): Promise<TrackedFile> {
  const headLength = Math.min(seen.size, headBytes)
  const head = (await headOf(seen.name, headLength)) ?? ''
  return {
    name: seen.name,
    inode: seen.inode,
    head,
    headLength,
    size: seen.size,
    taken: 0,
    ended: false,
  }
}

/** Takes more first bytes into the fingerprint of a file that was short when it was first seen. */
export async function lengthenHead(file: TrackedFile, size: number): Promise<void> {
  const length = Math.min(size, headBytes)
  if (length <= file.headLength) return
  const head = await headOf(file.name, length)
  if (head === undefined) return
  file.head = head
  file.headLength = length
}

/** Just after the last line end of a file, looked for in its last MiB; its size when there is none. */
export async function lastLineEnd(seen: FileSight): Promise<number> {
  const file = await open(seen.name, 'r')
  try {
    const from = Math.max(0, seen.size - 1024 * 1024)
    const buffer = Buffer.alloc(seen.size - from)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from)
    const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a)
    return end < 0 && from > 0 ? seen.size : from + end + 1
  } finally {
    await file.close()
  }
}

/** Does `seen` begin as `file` did? */
export async function sameHead(file: TrackedFile, seen: FileSight): Promise<boolean> {
  if (seen.size < file.headLength) return false
  return (await headOf(seen.name, file.headLength)) === file.head
}

/** Files beside `name`, for one that rotation moved or copied out of the pattern. */
export async function neighbours(name: string): Promise<FileSight[]> {
  const directory = dirname(name)
  const names = await readdir(directory).catch(() => [])
  const sights = await Promise.all(names.map((each) => sight(join(directory, each))))
  return sights.filter((each) => each !== undefined)
}

/**
 * Identity of a position in a partition of files: how far each file was taken, in the order of reading, and when reading began.
 * The offset counts all bytes taken of all of them (so that it only grows, over rotations too); this says where they lie.
 */
export function encodeIdentity(files: readonly TrackedFile[], readFrom: EpochMs): string {
  const listed = files.map((file) => [
    file.name,
    file.inode,
    `${file.headLength}:${file.head}`,
    file.size,
    file.taken,
    file.ended,
  ])
  return JSON.stringify({ v: 1, from: Number.isFinite(readFrom) ? readFrom : null, files: listed })
}

type ListedFile = [
  name: string,
  inode: string,
  head: string,
  size: number,
  taken: number,
  ended: boolean,
]

export function decodeIdentity(identity: string): { files: TrackedFile[]; readFrom: EpochMs } {
  try {
    const parsed = JSON.parse(identity)
    if (parsed.v !== 1) throw new Error(`version ${parsed.v}`)
    const files = parsed.files.map(([name, inode, head, size, taken, ended]: ListedFile) => {
      const [length = '0', hash = ''] = head.split(':')
      return { name, inode, head: hash, headLength: Number(length), size, taken, ended }
    })
    return { files, readFrom: epochMs(parsed.from ?? Number.NEGATIVE_INFINITY) }
  } catch (error) {
    throw new WardenError('state_incompatible', `not a position in files: ${identity}`, {
      cause: error,
    })
  }
}
