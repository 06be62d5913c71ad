import { WardenError } from '../core/errors.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { crc32 } from './crc32.ts'
import type { DataPoint } from './sink.ts'

/**
 * Bytes of one outbox entry, version 2, little endian:
 * u8 version, u32 CRC-32 of everything after it, f64 time of appending (epoch ms), f64 oldest timestamp among the points (not in
 * version 1, which is read too), varint number of points, varint number of texts, texts (varint length, UTF-8), then per point: varint metric, varint number of tags, per tag
 * varint name and varint value (all indexes of texts), f64 timestamp, f64 value, varint incarnation, varint revision.
 */
const version = 2
const versionWithoutOldest = 1
const checkedFrom = 5
const fixedHeader = 13

export interface PointBlock {
  /** When the block was appended. */
  readonly appendedAt: EpochMs
  readonly points: readonly DataPoint[]
}

/** What `decodePoints` gives back; revisions and incarnations are whole numbers ≥ 0. */
export function encodePoints(points: readonly DataPoint[], appendedAt: EpochMs): Uint8Array {
  const texts = new Map<string, number>()
  const indexOf = (text: string): number => {
    const known = texts.get(text)
    if (known !== undefined) return known
    texts.set(text, texts.size)
    return texts.size - 1
  }
  const body = new ByteWriter()
  for (const point of points) {
    body.varint(indexOf(point.metric))
    const tags = Object.entries(point.tags)
    body.varint(tags.length)
    for (const [name, value] of tags) {
      body.varint(indexOf(name))
      body.varint(indexOf(value))
    }
    body.float(point.timestamp)
    body.float(point.value)
    body.varint(point.incarnation)
    body.varint(point.revision)
  }
  const block = new ByteWriter()
  block.byte(version)
  block.skip(checkedFrom - 1)
  block.float(appendedAt)
  block.float(oldestTimestamp(points))
  block.varint(points.length)
  block.varint(texts.size)
  for (const text of texts.keys()) block.text(text)
  block.append(body.bytes())
  const bytes = block.bytes()
  view(bytes).setUint32(1, crc32(bytes.subarray(checkedFrom)), true)
  return bytes
}

/** Infinite for no points. */
export function oldestTimestamp(points: readonly DataPoint[]): number {
  let oldest = Number.POSITIVE_INFINITY
  for (const { timestamp } of points) oldest = Math.min(oldest, timestamp)
  return oldest
}

export interface BlockSummary {
  readonly appendedAt: EpochMs
  readonly count: number
  /** Oldest timestamp among the points, epoch seconds. */
  readonly oldest: number
}

/**
 * What is known of a block without reading its points; the checksum of the whole is verified.
 * @throws WardenError `state_corrupt`
 */
export function inspectPoints(bytes: Uint8Array, where: string): BlockSummary {
  const reader = new ByteReader(bytes, where)
  const { appendedAt, oldest } = reader.header()
  const count = reader.varint()
  return { appendedAt, count, oldest: oldest ?? oldestTimestamp(decodePoints(bytes, where).points) }
}

/** @param where names the block in the error. @throws WardenError `state_corrupt` for other versions and damaged bytes. */
export function decodePoints(bytes: Uint8Array, where: string): PointBlock {
  const reader = new ByteReader(bytes, where)
  const { appendedAt } = reader.header()
  const count = reader.varint()
  const texts: string[] = []
  for (let left = reader.varint(); left > 0; left--) texts.push(reader.text())
  const text = (): string => texts[reader.varint()] ?? reader.fail('a text index out of range')
  const points: DataPoint[] = []
  for (let i = 0; i < count; i++) {
    const metric = text()
    const tags: [string, string][] = []
    for (let left = reader.varint(); left > 0; left--) tags.push([text(), text()])
    points.push({
      metric,
      tags: Object.fromEntries(tags),
      timestamp: reader.float(),
      value: reader.float(),
      incarnation: reader.varint(),
      revision: reader.varint(),
    })
  }
  return { appendedAt, points }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const view = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

class ByteWriter {
  #bytes = new Uint8Array(1024)
  #view = view(this.#bytes)
  #length = 0

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  skip(count: number): void {
    this.#reserve(count)
    this.#length += count
  }

  float(value: number): void {
    this.#reserve(8)
    this.#view.setFloat64(this.#length, value, true)
    this.#length += 8
  }

  /** 7 bits a byte, lowest first; up to 2^53. */
  varint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.byte(rest)
  }

  text(text: string): void {
    const utf8 = encoder.encode(text)
    this.varint(utf8.length)
    this.append(utf8)
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = view(grown)
  }
}

class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #where: string
  #at = 0

  constructor(bytes: Uint8Array, where: string) {
    this.#bytes = bytes
    this.#view = view(bytes)
    this.#where = where
  }

  /** Verifies version and checksum. */
  header(): { readonly appendedAt: EpochMs; readonly oldest: number | undefined } {
    if (this.#bytes.length < fixedHeader) this.fail(`${this.#bytes.length} bytes`)
    const found = this.#bytes[0]
    if (found !== version && found !== versionWithoutOldest) {
      this.fail(`version ${found}, this program reads up to ${version}`)
    }
    if (this.#view.getUint32(1, true) !== crc32(this.#bytes.subarray(checkedFrom))) {
      this.fail('the checksum does not match')
    }
    this.#at = checkedFrom
    const appendedAt = epochMs(this.float())
    return { appendedAt, oldest: found === version ? this.float() : undefined }
  }

  float(): number {
    this.#need(8)
    this.#at += 8
    return this.#view.getFloat64(this.#at - 8, true)
  }

  varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      this.#need(1)
      const byte = this.#bytes[this.#at++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }

  text(): string {
    const length = this.varint()
    this.#need(length)
    this.#at += length
    return decoder.decode(this.#bytes.subarray(this.#at - length, this.#at))
  }

  fail(what: string): never {
    throw new WardenError('state_corrupt', `${this.#where} can't be read: ${what}`)
  }

  #need(count: number): void {
    if (this.#at + count > this.#bytes.length) this.fail('it ends too early')
  }
}
