import assert from 'node:assert/strict'
import { test } from 'node:test'
import zlib from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'
import { kafkaCodecs } from '../../../src/ingest/kafka-codecs.ts'

const plain = Buffer.from('{"eventTime":1699999999,"userId":"u1"}\n'.repeat(5000))

test('gzip is read, also in several members', () => {
  const parts = [zlib.gzipSync(plain.subarray(0, 1000)), zlib.gzipSync(plain.subarray(1000))]
  assert.deepEqual(kafkaCodecs.decompress('gzip', Buffer.concat(parts)), plain)
})

test('snappy is read as one block', () => {
  const bytes = compressionsAlgorithms.snappy.compressSync(plain)
  assert.deepEqual(kafkaCodecs.decompress('snappy', bytes), plain)
})

test('snappy is read in the blocks of snappy-java', () => {
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
  const parts: Buffer[] = [header]
  for (let at = 0; at < plain.length; at += 32_768) {
    const block = compressionsAlgorithms.snappy.compressSync(plain.subarray(at, at + 32_768))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  const bytes = Buffer.concat(parts)
  assert.deepEqual(kafkaCodecs.decompress('snappy', bytes), plain)
  assert.throws(() => kafkaCodecs.decompress('snappy', bytes.subarray(0, -1)), /cut off/)
})

test('lz4 frames are read, with blocks that stand alone and with blocks that lean on each other', () => {
  const text = Buffer.from(LZ4_LINKED, 'base64')
  assert.equal(kafkaCodecs.decompress('lz4', text)?.toString(), LZ4_TEXT)
  const bytes = compressionsAlgorithms.lz4.compressSync(plain)
  assert.deepEqual(kafkaCodecs.decompress('lz4', bytes), plain)
})

/** `lz4 -1 -BD -B4 --content-size` of the text. */
const LZ4_LINKED =
  'BCJNGGRApy8AAADzAXsiZXZlbnRUaW1lIjoxNjkBAP8BLCJ1c2VySWQiOiJ1MSJ9CicAOlAKZW5kCgAAAAB/6112'
const LZ4_TEXT = `${'{"eventTime":1699999999,"userId":"u1"}\n'.repeat(3)}end\n`

test('zstd is read where Node has it, and said to be missing where not', () => {
  const bytes = Buffer.from(
    'KLUv/QRYdQEARAJ7ImV2ZW50VGltZSI6MTY5LCJ1c2VySWQiOiJ1MSJ9CmVuZAoCAFYptLhgCXR7vMg=',
    'base64',
  )
  const text = kafkaCodecs.decompress('zstd', bytes)?.toString()
  assert.equal(text, 'zstdDecompressSync' in zlib ? LZ4_TEXT : undefined)
})

test('broken data throws', () => {
  for (const codec of ['gzip', 'snappy', 'lz4'] as const) {
    assert.throws(
      () => kafkaCodecs.decompress(codec, Buffer.from('ffffffffffffffffffff', 'hex')),
      codec,
    )
  }
})

test('CRC32C gives the check value of the standard', () => {
  assert.equal(kafkaCodecs.crc32c(Buffer.from('123456789')), 0xe3069283)
})
