import { crc32c } from '@platformatic/kafka'

const headerBytes = 61
/** Before and after the value: length, attributes, timestamp delta, offset delta, key, value length, headers. */
const recordOverhead = 32

/**
 * One record batch in memory that is used again: keyless records, uncompressed.
 * Source: https://kafka.apache.org/documentation/#recordbatch
 */
export class RecordBatchWriter {
  #bytes = Buffer.alloc(64 * 1024)
  #at = headerBytes
  #records = 0
  #firstTimestamp = 0
  #lastTimestamp = 0

  get records(): number {
    return this.#records
  }

  /** @param text ASCII */
  add(text: string, timestamp: number): void {
    this.#reserve(text.length + recordOverhead)
    if (this.#records === 0) this.#firstTimestamp = timestamp
    this.#lastTimestamp = Math.max(this.#lastTimestamp, timestamp)
    const delta = zigzag(timestamp - this.#firstTimestamp)
    const offset = zigzag(this.#records)
    const size = zigzag(text.length)
    const length =
      1 + varintBytes(delta) + varintBytes(offset) + 1 + varintBytes(size) + text.length + 1
    this.#varint(zigzag(length))
    this.#bytes[this.#at++] = 0
    this.#varint(delta)
    this.#varint(offset)
    this.#bytes[this.#at++] = 1 // no key: -1 as zigzag
    this.#varint(size)
    this.#at += this.#bytes.write(text, this.#at, 'latin1')
    this.#bytes[this.#at++] = 0 // no headers
    this.#records++
  }

  /** A copy of the batch; the next record begins a new one. */
  take(): Buffer {
    const batch = Buffer.from(this.#bytes.subarray(0, this.#at))
    batch.fill(0, 0, headerBytes)
    batch.writeInt32BE(batch.length - 12, 8)
    batch.writeInt32BE(-1, 12)
    batch[16] = 2
    batch.writeInt32BE(this.#records - 1, 23)
    batch.writeBigInt64BE(BigInt(this.#firstTimestamp), 27)
    batch.writeBigInt64BE(BigInt(this.#lastTimestamp), 35)
    batch.fill(0xff, 43, 57) // no producer id, epoch, sequence
    batch.writeInt32BE(this.#records, 57)
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
    this.#at = headerBytes
    this.#records = this.#lastTimestamp = 0
    return batch
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    this.#bytes = Buffer.concat([this.#bytes], this.#bytes.length * 2 + bytes)
  }

  #varint(value: number): void {
    let rest = value
    while (rest > 127) {
      this.#bytes[this.#at++] = (rest & 127) | 128
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#at++] = rest
  }
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++
  return bytes
}
