import { WardenError } from '../core/errors.ts'
import {
  type BlockHeader,
  blockBytes,
  decodeHeader,
  headerBytes,
  isSound,
  magic,
} from './http-log-block.ts'

/** What the log needs of a file; tests put failing ones in. */
export interface LogFile {
  read(
    target: Buffer,
    start: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>
  write(
    source: Buffer,
    start: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>
  datasync(): Promise<void>
  truncate(length: number): Promise<void>
  stat(): Promise<{ readonly size: number }>
  close(): Promise<void>
}

export type OpenLogFile = (path: string, flags: 'r' | 'r+' | 'w+') => Promise<LogFile>

export interface ScannedBlock {
  readonly header: BlockHeader
  /** Where it lies in the file. */
  readonly at: number
  readonly keys: Buffer
}

export interface ScannedSegment {
  /** Bytes of the file up to the end of the last sound block. */
  readonly size: number
  /** Offset after its last line byte. */
  readonly end: number
}

/**
 * Walks the blocks of a segment from its begin. It ends at the first thing that is no block: the torn tail of a write that
 * nobody was told of. Sound blocks after that would have been acknowledged: then the disk lost something, and it throws.
 * @param checked also compare the checksums (reads everything)
 */
export async function scanSegment(
  path: string,
  file: LogFile,
  base: number,
  checked: boolean,
  each: (block: ScannedBlock) => void,
): Promise<ScannedSegment> {
  const { size } = await file.stat()
  let at = 0
  let end = base
  while (at < size) {
    const header = await headerAt(file, at)
    if (header === undefined || header.base !== end || at + blockBytes(header) > size) break
    const wanted = checked ? blockBytes(header) : headerBytes + header.keyBytes
    const block = await bytesAt(file, at, wanted)
    if (checked && !isSound(header, block)) break
    each({ header, at, keys: block.subarray(headerBytes, headerBytes + header.keyBytes) })
    at += blockBytes(header)
    end += header.lineBytes
  }
  if (at < size && (await soundBlockAfter(file, at + 1, size)))
    throw new WardenError(
      'state_corrupt',
      `${path} is damaged at byte ${at}, before records that were acknowledged; restore it from a copy, or move it away to lose what is in it`,
    )
  return { size: at, end }
}

async function headerAt(file: LogFile, at: number): Promise<BlockHeader | undefined> {
  return decodeHeader(await bytesAt(file, at, headerBytes))
}

async function soundBlockAfter(file: LogFile, from: number, size: number): Promise<boolean> {
  const rest = await bytesAt(file, from, size - from)
  for (let at = rest.indexOf(magic); at >= 0; at = rest.indexOf(magic, at + 1)) {
    const header = decodeHeader(rest.subarray(at))
    if (header !== undefined && isSound(header, rest.subarray(at))) return true
  }
  return false
}

/** Up to `length` bytes from `at`; fewer at the end of the file. */
export async function bytesAt(file: LogFile, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, at + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}
