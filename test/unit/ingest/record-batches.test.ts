import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c } from '@platformatic/kafka'
import fc from 'fast-check'
import { WardenError } from '../../../src/core/errors.ts'
import { RecordBatches, type RecordCodecs } from '../../../src/ingest/record-batches.ts'
import type { SourceBatch } from '../../../src/ingest/source.ts'
import { endMarker, kafkaBatch, recordBatch, type TestBatch } from '../../support/kafka-batches.ts'

type Seen = readonly [value: string | null, offset: number, timestamp: number]

const identity: RecordCodecs = {
  decompress: (_codec, bytes) => bytes,
  crc32c: (bytes) => crc32c(bytes),
}

function seen(batch: SourceBatch, codecs?: RecordCodecs, checkCrc = false): Seen[] {
  const records: Seen[] = []
  new RecordBatches(codecs, checkCrc).visit(batch, {
    record(bytes, start, end, offset, timestamp) {
      records.push([start < 0 ? null : bytes.toString('utf8', start, end), offset, timestamp])
    },
  })
  return records
}

const values = (of: readonly Seen[]) => of.map(([value]) => value)

const batchOf = (baseOffset: number, of: readonly string[], more: Partial<TestBatch> = {}) =>
  recordBatch({ records: of.map((value) => ({ value })), baseOffset, ...more })

test('every record comes with its value, offset and timestamp', () => {
  const record = fc.record({
    value: fc.option(fc.string({ maxLength: 200 })),
    key: fc.option(fc.string({ maxLength: 10 })),
    gap: fc.integer({ min: 1, max: 1000 }),
    timestampDelta: fc.integer({ min: -1_000_000, max: 1_000_000_000_000 }),
  })
  const base = fc.integer({ min: 0, max: 2 ** 52 })
  fc.assert(
    fc.property(
      fc.array(record, { maxLength: 20 }),
      base,
      base,
      (of, baseOffset, baseTimestamp) => {
        let offsetDelta = -1
        const records = of.map((one) => {
          offsetDelta += one.gap
          return { ...one, offsetDelta }
        })
        const bytes = recordBatch({ records, baseOffset, baseTimestamp })
        assert.deepEqual(
          seen(kafkaBatch([bytes])),
          records.map((one) => [
            one.value,
            baseOffset + one.offsetDelta,
            Math.max(0, baseTimestamp + one.timestampDelta),
          ]),
        )
      },
    ),
  )
})

test('records below the wanted offset are skipped', () => {
  const parts = [batchOf(10, ['a', 'b', 'c']), batchOf(13, ['d', 'e'])]
  assert.deepEqual(values(seen(kafkaBatch(parts, { fromOffset: 12 }))), ['c', 'd', 'e'])
  assert.deepEqual(values(seen(kafkaBatch(parts, { fromOffset: 14 }))), ['e'])
  assert.deepEqual(values(seen(kafkaBatch(parts, { fromOffset: 15 }))), [])
})

test('a last batch that is cut off anywhere is left out', () => {
  const whole = batchOf(0, ['a', 'b'])
  const last = batchOf(2, ['c', 'd'])
  for (let length = 0; length < last.length; length++) {
    assert.deepEqual(values(seen(kafkaBatch([whole, last.subarray(0, length)]))), ['a', 'b'])
  }
})

test('under log append time every record has the timestamp of the append', () => {
  const records = [
    { value: 'a', timestampDelta: 5 },
    { value: 'b', timestampDelta: 9 },
  ]
  const bytes = recordBatch({ records, baseTimestamp: 100, maxTimestamp: 777, attributes: 8 })
  assert.deepEqual(seen(kafkaBatch([bytes])), [
    ['a', 0, 777],
    ['b', 1, 777],
  ])
})

test('a record without a timestamp has 0', () => {
  const bytes = recordBatch({ records: [{ value: 'a' }], baseTimestamp: -1 })
  assert.deepEqual(seen(kafkaBatch([bytes])), [['a', 0, 0]])
})

test('control records are no records', () => {
  const parts = [batchOf(0, ['a']), endMarker('commit', 7n, 1), batchOf(2, ['b'])]
  assert.deepEqual(values(seen(kafkaBatch(parts))), ['a', 'b'])
})

test('records of an aborted transaction are left out up to its marker, those after it are not', () => {
  const transactional = { producerId: 7n, attributes: 16 }
  const parts = [
    batchOf(0, ['committed before'], transactional),
    endMarker('commit', 7n, 1),
    batchOf(2, ['aborted 1'], transactional),
    batchOf(3, ['of another producer'], { producerId: 8n, attributes: 16 }),
    batchOf(4, ['not transactional']),
    batchOf(5, ['idempotent only'], { producerId: 7n, attributes: 0 }),
    batchOf(6, ['aborted 2'], transactional),
    endMarker('abort', 7n, 7),
    batchOf(8, ['committed after'], transactional),
    endMarker('commit', 7n, 9),
    endMarker('commit', 8n, 10),
  ]
  const aborted = [{ producerId: 7n, firstOffset: 2 }]
  assert.deepEqual(values(seen(kafkaBatch(parts, { aborted }))), [
    'committed before',
    'of another producer',
    'not transactional',
    'idempotent only',
    'committed after',
  ])
})

test('aborted transactions are found in any order, also when the wanted offset lies inside one', () => {
  const by = (producerId: bigint) => ({ producerId, attributes: 16 })
  const parts = [
    batchOf(0, ['a7', 'b7', 'c7'], by(7n)),
    batchOf(3, ['d8'], by(8n)),
    endMarker('abort', 7n, 4),
    batchOf(5, ['e7'], by(7n)),
    endMarker('abort', 8n, 6),
    endMarker('abort', 7n, 7),
    batchOf(8, ['f8', 'g7'], by(8n)),
  ]
  const aborted = [
    { producerId: 7n, firstOffset: 5 },
    { producerId: 8n, firstOffset: 3 },
    { producerId: 7n, firstOffset: 0 },
  ]
  assert.deepEqual(values(seen(kafkaBatch(parts, { aborted, fromOffset: 2 }))), ['f8', 'g7'])
})

function codeOf(run: () => unknown): WardenError {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof WardenError, String(error))
    return error
  }
  throw new assert.AssertionError({ message: 'nothing was thrown' })
}

test('old message formats are refused by name', () => {
  for (const magic of [0, 1]) {
    const error = codeOf(() => seen(kafkaBatch([batchOf(5, ['a'], { magic })])))
    assert.equal(error.code, 'source_unsupported')
    assert.match(error.message, new RegExp(`offset 5 is in message format v${magic};`))
  }
})

test('a compressed batch is decompressed, whatever the codec', () => {
  for (const attributes of [1, 2, 3, 4]) {
    assert.deepEqual(values(seen(kafkaBatch([batchOf(0, ['a', 'b'], { attributes })]), identity)), [
      'a',
      'b',
    ])
  }
})

test('a codec that is not at hand is refused with its cure', () => {
  const without: RecordCodecs = { ...identity, decompress: () => undefined }
  const error = codeOf(() => seen(kafkaBatch([batchOf(0, ['a'], { attributes: 4 })]), without))
  assert.equal(error.code, 'source_unsupported')
  assert.match(error.message, /zstd.*Node 22\.15 or newer, or set compression\.type=/)
})

test('data that does not decompress is a corrupt source', () => {
  const broken: RecordCodecs = {
    ...identity,
    decompress: () => {
      throw new Error('bad block')
    },
  }
  const error = codeOf(() => seen(kafkaBatch([batchOf(0, ['a'], { attributes: 1 })]), broken))
  assert.equal(error.code, 'source_corrupt')
  assert.equal((error.cause as Error).message, 'bad block')
})

test('any flipped bit behind the checksum is found when checksums are checked', () => {
  const whole = batchOf(0, ['{"a":1}', '{"b":2}'])
  assert.deepEqual(values(seen(kafkaBatch([whole]), identity, true)), ['{"a":1}', '{"b":2}'])
  for (let bit = 17 * 8; bit < whole.length * 8; bit++) {
    const flipped = Buffer.from(whole)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    assert.equal(codeOf(() => seen(kafkaBatch([flipped]), identity, true)).code, 'source_corrupt')
  }
})

test('damaged batches end in an error of the table or in records, never in another error or a loop', () => {
  const whole = Buffer.concat([batchOf(0, ['aaaa', 'bbbb']), batchOf(2, ['cccc'])])
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (damage) => {
        const bytes = Buffer.from(whole)
        for (const [at, byte] of damage) bytes[at] = byte
        try {
          seen(kafkaBatch([bytes], { aborted: [{ producerId: 1n, firstOffset: 0 }] }), identity)
        } catch (error) {
          assert.ok(error instanceof WardenError, String(error))
        }
      },
    ),
    { numRuns: 3000 },
  )
})
