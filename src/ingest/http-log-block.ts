import { crc32 } from 'node:zlib'
import { type EpochMs, epochMs } from '../core/time.ts'

/**
 * What one write of the log holds: the lines of all requests that share one fsync.
 * On disk: magic, length of the lines, length of the keys, CRC-32 of all but the first 16 bytes (each 4 bytes), offset of the
 * first line byte, arrival (each 8), the keys (16 bytes each), the lines. Little endian.
 */
export interface BlockHeader {
  /** Offset of the first byte of the lines, counting line bytes only. */
  readonly base: number
  readonly arrival: EpochMs
  readonly keyBytes: number
  readonly lineBytes: number
  readonly crc: number
}

export const headerBytes = 32
export const keyLength = 16
export const magic = Buffer.from('WLB1')

export const blockBytes = (header: BlockHeader): number =>
  headerBytes + header.keyBytes + header.lineBytes

export function encodeBlock(
  base: number,
  arrival: EpochMs,
  keys: readonly Buffer[],
  lines: readonly Buffer[],
): Buffer {
  const block = Buffer.concat([Buffer.alloc(headerBytes), ...keys, ...lines])
  magic.copy(block)
  const keyBytes = keys.length * keyLength
  block.writeUInt32LE(block.length - headerBytes - keyBytes, 4)
  block.writeUInt32LE(keyBytes, 8)
  block.writeDoubleLE(base, 16)
  block.writeDoubleLE(arrival, 24)
  block.writeUInt32LE(crc32(block.subarray(16)), 12)
  return block
}

/** The header at the begin of `bytes`; undefined when there is none. */
export function decodeHeader(bytes: Buffer): BlockHeader | undefined {
  if (bytes.length < headerBytes || !bytes.subarray(0, 4).equals(magic)) return undefined
  return {
    lineBytes: bytes.readUInt32LE(4),
    keyBytes: bytes.readUInt32LE(8),
    crc: bytes.readUInt32LE(12),
    base: bytes.readDoubleLE(16),
    arrival: epochMs(bytes.readDoubleLE(24)),
  }
}

/** Is `block` whole and as it was written? */
export function isSound(header: BlockHeader, block: Buffer): boolean {
  return (
    block.length >= blockBytes(header) &&
    crc32(block.subarray(16, blockBytes(header))) === header.crc
  )
}
