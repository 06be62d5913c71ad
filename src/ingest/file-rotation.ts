import type { Logger } from '../core/telemetry.ts'
import type { EpochMs } from '../core/time.ts'
import { isGzip } from './file-bytes.ts'
import { type FilePartition, type ReadFile, toRead } from './file-partition.ts'
import {
  type FileSight,
  lastLineEnd,
  lengthenHead,
  neighbours,
  sameHead,
  sight,
  track,
} from './file-tracking.ts'

/** One look at the disk. */
export interface FileLook {
  readonly now: EpochMs
  /** What the patterns match, in name order. */
  readonly listed: readonly FileSight[]
  /** The same by inode: what has moved is found without a search. */
  readonly byInode: ReadonlyMap<string, FileSight>
  /** The first look of a run: what is missing went away while nobody looked. */
  readonly starting: boolean
  readonly bounded: boolean
  readonly graceMs: number
  /** Keys of the files that have an owner; filled by `judgeFiles`. */
  readonly tracked: Set<string>
  readonly logger: Logger
  readonly lose: (partition: FilePartition, error: Error) => void
}

/** Files of the look that nobody tracks yet. `skip`: only what comes after now is wanted of them. */
export async function newFiles(look: FileLook, skip: boolean): Promise<ReadFile[]> {
  const found: ReadFile[] = []
  for (const seen of look.listed) {
    if (look.tracked.has(seen.key)) continue
    const file = await track(seen)
    // A gzip file has no known length: past its end, wherever that is.
    if (skip) file.taken = isGzip(seen.name) ? Number.MAX_SAFE_INTEGER : await lastLineEnd(seen)
    found.push(toRead(file, seen))
  }
  return found
}

/** Finds every file of the partition again, wherever rotation put it, and decides what a change means. */
export async function judgeFiles(partition: FilePartition, look: FileLook): Promise<void> {
  for (const file of [...partition.files]) {
    if (file.retired) {
      if (file.key !== undefined) look.tracked.add(file.key)
      continue
    }
    const seen = await locate(file, look)
    if (seen !== undefined && (await sameFile(file, seen))) await found(partition, file, seen, look)
    else if (seen?.name === file.name) await replaced(partition, file, look)
    // An inode with other content under another name was given to a new file.
    else await gone(partition, file, look)
  }
}

/** The file by its inode: among what matches, under its last name, or beside it. */
async function locate(file: ReadFile, look: FileLook): Promise<FileSight | undefined> {
  const same = (seen: FileSight | undefined): seen is FileSight =>
    seen !== undefined &&
    seen.inode === file.inode &&
    (file.key === undefined || file.key === seen.key)
  const listed = look.byInode.get(file.inode)
  if (same(listed)) return listed
  const last = await sight(file.name)
  if (same(last)) return last
  return (await neighbours(file.name)).find(same)
}

async function sameFile(file: ReadFile, seen: FileSight): Promise<boolean> {
  if (file.seen?.changed === seen.changed) return true
  const least = isGzip(file.name) ? (file.ended ? file.size : 0) : file.read
  return seen.size >= least && (await sameHead(file, seen))
}

async function found(
  partition: FilePartition,
  file: ReadFile,
  seen: FileSight,
  look: FileLook,
): Promise<void> {
  look.tracked.add(seen.key)
  const grown = file.seen?.changed !== seen.changed
  if (file.name !== seen.name) {
    look.logger.info({ from: file.name, to: seen.name }, 'file was renamed: reading goes on')
    partition.touched()
  }
  file.name = seen.name
  file.key = seen.key
  file.seen = seen
  if (grown) {
    const finished =
      file.ended && seen.size === file.size && (isGzip(seen.name) || file.taken === seen.size)
    file.size = seen.size
    await lengthenHead(file, seen.size)
    file.drained = finished
    file.ended = finished
    if (file.trouble !== undefined) await partition.reopen(file)
    partition.touched()
  }
  watchAway(file, grown, look)
}

/** A file outside of the patterns is given up when it has not grown for the time of grace. */
function watchAway(file: ReadFile, grown: boolean, look: FileLook): void {
  if (look.byInode.get(file.inode)?.key === file.key) file.awaySince = undefined
  else if (grown || file.awaySince === undefined) file.awaySince = look.now
  else if (file.drained && look.now - file.awaySince >= look.graceMs) retire(file)
}

/** Its last line counts as it stands; then the file is forgotten. */
function retire(file: ReadFile): void {
  file.retired = true
  file.drained = false
}

async function gone(partition: FilePartition, file: ReadFile, look: FileLook): Promise<void> {
  const taken = await sight(file.name)
  if (look.bounded && taken !== undefined) {
    look.lose(partition, new Error(`${file.name} is another file than the one in the checkpoint`))
    await partition.forget(file)
    return
  }
  if (file.lines !== undefined) {
    // Deleted under our eyes: the open handle still reads the rest of it.
    retire(file)
    return
  }
  await over(partition, file, look, 'is gone')
}

/** Same inode, other content: truncated, or the inode was given to a new file. */
async function replaced(partition: FilePartition, file: ReadFile, look: FileLook): Promise<void> {
  if (look.bounded) {
    look.lose(partition, new Error(`${file.name} changed since it was read: shrunk or overwritten`))
    await partition.forget(file)
    return
  }
  const copy = await copyOf(file, look)
  if (copy === undefined) {
    await over(partition, file, look, 'was truncated or overwritten')
    return
  }
  look.logger.info(
    { from: file.name, to: copy.name },
    'file was copied and truncated: reading goes on in the copy',
  )
  look.tracked.add(copy.key)
  file.name = copy.name
  file.inode = copy.inode
  file.key = copy.key
  file.seen = copy
  file.size = copy.size
  file.awaySince = look.now
  await partition.reopen(file)
}

/** The copy that `copytruncate` made before it cut the file. */
async function copyOf(file: ReadFile, look: FileLook): Promise<FileSight | undefined> {
  if (file.headLength === 0 || isGzip(file.name)) return undefined
  for (const seen of await neighbours(file.name)) {
    if (seen.inode === file.inode || look.tracked.has(seen.key)) continue
    if (!isGzip(seen.name) && seen.size >= file.read && (await sameHead(file, seen))) return seen
  }
  return undefined
}

async function over(
  partition: FilePartition,
  file: ReadFile,
  look: FileLook,
  what: string,
): Promise<void> {
  const unread = !file.ended && (isGzip(file.name) || file.size > file.read)
  if (unread) look.lose(partition, new Error(`${file.name} ${what} before it was read to its end`))
  else
    look.logger.warn(
      { file: file.name, bytes: file.read },
      `file ${what}; all that was seen of it was read, what was appended after the last look is not known`,
    )
  await partition.forget(file)
}
