import { type FileHandle, open } from 'node:fs/promises'
import { createGunzip, type Gunzip } from 'node:zlib'
import { WardenError } from '../core/errors.ts'

/** The content of one file from some position on. */
export interface ByteReader {
  /** Fills `target` from `start` on, at most `length` bytes; 0 at the end of what is there now. */
  read(target: Buffer, start: number, length: number): Promise<number>
  close(): Promise<void>
}

/** The stream breaks off: the file is still being written, or it was cut. */
export class IncompleteGzip extends Error {}

/** Is it read as gzip? Told by the name, so that an empty file is no riddle. */
export const isGzip = (name: string): boolean => name.endsWith('.gz')

/**
 * Opens `name` at `at`; for gzip that counts decompressed bytes, and what is before it is decompressed and dropped.
 * undefined when the name is gone or holds another inode by now (rotation between the look and the opening).
 */
export async function openBytes(
  name: string,
  inode: string,
  at: number,
): Promise<ByteReader | undefined> {
  let file: FileHandle | undefined
  try {
    file = await open(name, 'r')
    const { ino } = await file.stat({ bigint: true })
    if (String(ino) === inode)
      return isGzip(name) ? new GzipBytes(name, file, at) : new PlainBytes(file, at)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      throw unreadable(name, error)
  }
  await file?.close()
  return undefined
}

export function unreadable(name: string, cause: unknown): WardenError {
  const message = cause instanceof Error ? cause.message : String(cause)
  return new WardenError('source_unreachable', `can't read ${name}: ${message}`, { cause })
}

class PlainBytes implements ByteReader {
  readonly #file: FileHandle
  #at: number

  constructor(file: FileHandle, at: number) {
    this.#file = file
    this.#at = at
  }

  async read(target: Buffer, start: number, length: number): Promise<number> {
    const { bytesRead } = await this.#file.read(target, start, length, this.#at)
    this.#at += bytesRead
    return bytesRead
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}

class GzipBytes implements ByteReader {
  readonly #name: string
  readonly #stream: Gunzip
  readonly #chunks: AsyncIterator<Buffer>
  #chunk: Buffer = Buffer.alloc(0)
  #skip: number

  constructor(name: string, handle: FileHandle, skip: number) {
    this.#name = name
    this.#skip = skip
    this.#stream = createGunzip({ chunkSize: 256 * 1024 })
    const file = handle.createReadStream({ highWaterMark: 256 * 1024 })
    file.on('error', (error) => this.#stream.destroy(error))
    this.#stream.on('close', () => file.destroy())
    file.pipe(this.#stream)
    this.#chunks = this.#stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }

  async read(target: Buffer, start: number, length: number): Promise<number> {
    while (this.#chunk.length === 0) {
      const chunk = await this.#next()
      if (chunk === undefined) return 0
      const skipped = Math.min(this.#skip, chunk.length)
      this.#skip -= skipped
      this.#chunk = chunk.subarray(skipped)
    }
    const copied = this.#chunk.copy(target, start, 0, length)
    this.#chunk = this.#chunk.subarray(copied)
    return copied
  }

  async #next(): Promise<Buffer | undefined> {
    try {
      const next = await this.#chunks.next()
      return next.done ? undefined : next.value
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'Z_BUF_ERROR')
        throw new IncompleteGzip(`${this.#name} breaks off inside its gzip stream`)
      throw unreadable(this.#name, error)
    }
  }

  async close(): Promise<void> {
    this.#stream.destroy()
  }
}
