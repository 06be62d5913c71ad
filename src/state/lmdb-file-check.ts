import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { WardenError } from '../core/errors.ts'

/*
 * LMDB maps its file into memory and trusts what it finds: a file that was cut ends the process by SIGBUS, one whose pages are
 * garbage by SIGSEGV or as an empty map. So the file is looked at before it is opened. Layout: LMDB 1.0 (mdb.c of lmdb-js 3.5),
 * little-endian; a page header is 24 bytes: number u64, transaction u64, pad u16, flags u16, lower u16, upper u16.
 */
const headerBytes = 24
const magic = 0xbeefc0de
const flagsAt = 18
const lowerAt = 20
const isBranch = 0x01
const isLeaf = 0x02
const isOverflow = 0x04
const isMeta = 0x08
const isBigValue = 0x01
const noPage = 2n ** 64n - 1n

interface Meta {
  readonly pageBytes: number
  /** Roots of the tree of free pages and of the map. */
  readonly roots: readonly bigint[]
  readonly lastPage: bigint
  readonly transaction: bigint
}

/**
 * Checks the structure of an LMDB file: both meta pages, its length, and every branch and leaf page. Values are not looked at.
 * @returns pages looked at @throws WardenError `state_corrupt` saying what is wrong
 */
export function checkLmdbFile(path: string): number {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const first = readMeta(path, file, size, 0)
    const second = readMeta(path, file, size, first.pageBytes)
    const meta = first.transaction > second.transaction ? first : second
    const needed = (meta.lastPage + 1n) * BigInt(meta.pageBytes)
    if (BigInt(size) < needed)
      throw broken(path, `it has ${size} of at least ${needed} bytes: it was cut`)
    const walk = new TreeWalk(path, file, meta)
    for (const root of meta.roots) if (root !== noPage) walk.visit(root)
    return walk.pages
  } finally {
    closeSync(file)
  }
}

function readMeta(path: string, file: number, size: number, at: number): Meta {
  const bytes = Buffer.alloc(176)
  if (size < at + bytes.length) throw broken(path, `it has only ${size} bytes`)
  readSync(file, bytes, 0, bytes.length, at)
  const sound =
    (bytes.readUInt16LE(flagsAt) & isMeta) !== 0 && bytes.readUInt32LE(headerBytes) === magic
  const pageBytes = bytes.readUInt32LE(0x30)
  if (!sound || pageBytes < 256 || pageBytes > 65_536)
    throw broken(path, `the meta page at byte ${at} is not one of LMDB`)
  return {
    pageBytes,
    roots: [bytes.readBigUInt64LE(0x58), bytes.readBigUInt64LE(0x88)],
    lastPage: bytes.readBigUInt64LE(0x90),
    transaction: bytes.readBigUInt64LE(0x98),
  }
}

class TreeWalk {
  pages = 0
  readonly #path: string
  readonly #file: number
  readonly #meta: Meta

  constructor(path: string, file: number, meta: Meta) {
    this.#path = path
    this.#file = file
    this.#meta = meta
  }

  visit(page: bigint, depth = 0): void {
    const { pageBytes } = this.#meta
    const bytes = this.#read(page, pageBytes)
    const flags = bytes.readUInt16LE(flagsAt)
    if (depth > 32 || (flags & (isBranch | isLeaf)) === 0) throw this.#broken(page)
    this.pages++
    const lower = bytes.readUInt16LE(lowerAt)
    // Both it and the places of nodes count from the end of the header.
    if (lower % 2 !== 0 || headerBytes + lower > pageBytes) throw this.#broken(page)
    for (let at = headerBytes; at < headerBytes + lower; at += 2) {
      const node = headerBytes + bytes.readUInt16LE(at)
      if (node < headerBytes + lower || node + 8 > pageBytes) throw this.#broken(page)
      const low = bytes.readUInt32LE(node)
      const nodeFlags = bytes.readUInt16LE(node + 4)
      if ((flags & isBranch) !== 0) {
        this.visit(BigInt(low) + (BigInt(nodeFlags) << 32n), depth + 1)
        continue
      }
      const data = node + 8 + bytes.readUInt16LE(node + 6)
      if ((nodeFlags & isBigValue) === 0) {
        if (data + low > pageBytes) throw this.#broken(page)
      } else if (data + 8 > pageBytes) throw this.#broken(page)
      else this.#overflow(bytes.readBigUInt64LE(data))
    }
  }

  #overflow(page: bigint): void {
    const flags = this.#read(page, headerBytes).readUInt16LE(flagsAt)
    if ((flags & isOverflow) === 0) throw this.#broken(page)
  }

  #read(page: bigint, length: number): Buffer {
    if (page > this.#meta.lastPage) throw this.#broken(page)
    const bytes = Buffer.alloc(length)
    readSync(this.#file, bytes, 0, length, Number(page) * this.#meta.pageBytes)
    if (bytes.readBigUInt64LE(0) !== page) throw this.#broken(page)
    return bytes
  }

  #broken(page: bigint): WardenError {
    return broken(this.#path, `page ${page} is not what it should be`)
  }
}

function broken(path: string, what: string): WardenError {
  return new WardenError(
    'state_corrupt',
    `${path} is damaged (${what}); restore the newest good copy (warden savepoint restore latest -c FILE), or remove its directory to start without state`,
  )
}
