import { crc32c } from '@platformatic/kafka'
import { epochMs } from '../../src/core/time.ts'
import type { SourceBatch } from '../../src/ingest/source.ts'

export interface TestRecord {
  readonly value: Buffer | string | null
  readonly key?: Buffer | string | null
  readonly offsetDelta?: number
  readonly timestampDelta?: number
}

export interface TestBatch {
  readonly records: readonly TestRecord[]
  readonly baseOffset?: number
  readonly baseTimestamp?: number
  readonly maxTimestamp?: number
  /** Codec bits are added by `compress`. */
  readonly attributes?: number
  readonly producerId?: bigint
  readonly magic?: number
  readonly compress?: (records: Buffer) => Buffer
}

function zigzag(value: number): Buffer {
  let rest = value < 0 ? -BigInt(value) * 2n - 1n : BigInt(value) * 2n
  const bytes: number[] = []
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

function field(bytes: Buffer | string | null | undefined): Buffer {
  if (bytes === null || bytes === undefined) return zigzag(-1)
  const content = Buffer.from(bytes as string)
  return Buffer.concat([zigzag(content.length), content])
}

/** Bytes of one record batch as a broker sends it, with a right CRC32C. */
export function recordBatch(batch: TestBatch): Buffer {
  const records = batch.records.map((record, index) => {
    const body = Buffer.concat([
      Buffer.from([0]),
      zigzag(record.timestampDelta ?? 0),
      zigzag(record.offsetDelta ?? index),
      field(record.key),
      field(record.value),
      zigzag(1),
      field('trace'),
      field('abc'),
    ])
    return Buffer.concat([zigzag(body.length), body])
  })
  const plain = Buffer.concat(records)
  const body = batch.compress?.(plain) ?? plain
  const head = Buffer.alloc(61)
  head.writeBigInt64BE(BigInt(batch.baseOffset ?? 0), 0)
  head.writeInt32BE(49 + body.length, 8)
  head.writeInt8(batch.magic ?? 2, 16)
  head.writeInt16BE(batch.attributes ?? 0, 21)
  const last = batch.records.reduce((max, one, index) => Math.max(max, one.offsetDelta ?? index), 0)
  head.writeInt32BE(last, 23)
  head.writeBigInt64BE(BigInt(batch.baseTimestamp ?? 0), 27)
  head.writeBigInt64BE(BigInt(batch.maxTimestamp ?? batch.baseTimestamp ?? 0), 35)
  head.writeBigInt64BE(batch.producerId ?? -1n, 43)
  head.writeInt32BE(batch.records.length, 57)
  const bytes = Buffer.concat([head, body])
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}

/** A control batch that ends the producer's transaction. */
export function endMarker(
  kind: 'abort' | 'commit',
  producerId: bigint,
  baseOffset: number,
): Buffer {
  const key = Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1])
  return recordBatch({
    records: [{ key, value: Buffer.alloc(6) }],
    baseOffset,
    producerId,
    attributes: 16 | 32,
  })
}

export function kafkaBatch(
  parts: readonly Buffer[],
  overrides: Partial<SourceBatch> = {},
): SourceBatch {
  return {
    partition: 0,
    framing: 'kafka-v2',
    bytes: Buffer.concat(parts),
    fromOffset: 0,
    nextOffset: 0,
    recordTimestamp: epochMs(0),
    aborted: [],
    ...overrides,
  }
}
