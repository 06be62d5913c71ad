import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WardenError } from '../../../src/core/errors.ts'
import { KeyHash } from '../../../src/ingest/key-hash.ts'
import type { SourceBatch } from '../../../src/ingest/source.ts'
import { contents, setOf, subjects } from '../../support/decode-comparison.ts'
import {
  decoderFor,
  eventPlan,
  HASH_KEY,
  linesBatch,
  metricPlan,
  NOW,
} from '../../support/decode-plans.ts'
import { endMarker, kafkaBatch, recordBatch } from '../../support/kafka-batches.ts'

const plan = {
  event: eventPlan(),
  metrics: [metricPlan({ values: [{ name: 'amount', path: ['amount'] }] })],
}
const byRecord = { ...plan, event: eventPlan({ time: { path: [], format: 'record' } }) }

function document(index: number, padding = 0): string {
  return JSON.stringify({
    eventTime: NOW - 1_000_000 + index,
    userId: `u${index % 700}`,
    status: index % 3 === 0 ? 'fail' : 'success',
    bizLine: `line ${index % 5}`,
    event: 'pay',
    amount: index / 4,
    padding: 'x'.repeat(padding),
  })
}

/** What each decoder makes of the batch: rows and rejects, or its error. */
function assertSame(batch: SourceBatch, { event, metrics } = plan): void {
  const { parse, subjects: others } = setOf({ event, metrics })
  const outcomeOf = ({ decoder, out }: typeof parse) => {
    try {
      decoder.decode(batch, NOW, out)
    } catch (error) {
      assert.ok(error instanceof WardenError, String(error))
      return { error: error.message, ...contents(out) }
    }
    return contents(out)
  }
  const expected = outcomeOf(parse)
  for (const [index, one] of others.entries()) {
    assert.deepEqual(outcomeOf(one), expected, subjects[index]?.name)
    assert.equal(one.decoder.stats.records, parse.decoder.stats.records)
  }
}

test('every decoder gives the same rows when there are more than its columns hold, with rejects among them', () => {
  const values = Array.from({ length: 5000 }, (_, index) =>
    index % 977 === 0 ? `{"broken":${index}` : document(index),
  )
  const batches: Buffer[] = []
  for (let from = 0; from < values.length; from += 1300) {
    const records = values.slice(from, from + 1300).map((value) => ({ value }))
    batches.push(recordBatch({ records, baseOffset: from, baseTimestamp: NOW }))
  }
  assertSame(kafkaBatch(batches))
  assertSame(linesBatch(values.join('\n')))
})

test('every decoder reads documents longer than what is copied at a time, and those around them', () => {
  const values = [1, 300_000, 20, 2_000_000, 500_000, 3].map((padding, index) =>
    document(index, padding),
  )
  const records = values.map((value) => ({ value }))
  assertSame(kafkaBatch([recordBatch({ records, baseTimestamp: NOW })]))
  assertSame(
    kafkaBatch(
      values.map((value, baseOffset) => recordBatch({ records: [{ value }], baseOffset })),
    ),
  )
  assertSame(linesBatch(values.join('\r\n')))
  const many = Array.from({ length: 3000 }, (_, index) => document(index, index % 400))
  assertSame(linesBatch(`\n ${many.join(' \n\t\n')}\n\r\n`, { fromOffset: 2 ** 41 }))
})

test('every decoder skips, and times, the same records of a batch', () => {
  const record = fc.record({
    value: fc.option(fc.constantFrom('', '{}', document(1), document(2)), { freq: 4 }),
    key: fc.option(fc.constantFrom('', 'k', 'x'.repeat(200))),
    gap: fc.integer({ min: 1, max: 300 }),
    timestampDelta: fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.nat(200)),
  })
  const header = fc.record({
    baseTimestamp: fc.constantFrom(-1, 0, NOW - 5, NOW, 2 ** 52),
    attributes: fc.constantFrom(0, 0, 8, 16),
    skip: fc.integer({ min: -2, max: 900 }),
  })
  fc.assert(
    fc.property(fc.array(record, { maxLength: 8 }), header, (of, { skip, ...head }) => {
      let offsetDelta = -1
      const records = of.map(({ gap, ...one }) => {
        offsetDelta += gap
        return { ...one, offsetDelta }
      })
      const first = recordBatch({ records, ...head, baseOffset: 1000, producerId: 7n })
      const next = recordBatch({
        records: [{ value: document(3) }],
        baseOffset: 5000,
        producerId: 7n,
      })
      const batch = kafkaBatch([first, endMarker('abort', 7n, 4000), next], {
        fromOffset: 1000 + skip,
        aborted: skip % 2 === 0 ? [{ producerId: 7n, firstOffset: 0 }] : [],
      })
      assertSame(batch)
      assertSame(batch, byRecord)
    }),
    { numRuns: 150 },
  )
})

test('a damaged batch ends every decoder in the same error, with the same rows before it', () => {
  const records = [1, 2, 3].map((index) => ({ value: document(index), key: 'key' }))
  const whole = Buffer.concat([
    recordBatch({ records, baseTimestamp: NOW }),
    recordBatch({ records, baseOffset: 3, baseTimestamp: NOW }),
  ])
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 3,
  })
  const atHeads = fc.array(fc.tuple(fc.integer({ min: 57, max: 75 }), fc.nat(255)), {
    minLength: 1,
    maxLength: 3,
  })
  fc.assert(
    fc.property(fc.oneof(damage, atHeads), (of) => {
      const bytes = Buffer.from(whole)
      for (const [at, byte] of of) bytes[at] = byte
      assertSame(kafkaBatch([bytes]))
    }),
    { numRuns: 300 },
  )
})

test('keys, literals and dimension values that differ in one byte are told apart, however long', () => {
  for (const length of [1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 64, 65, 300]) {
    const text = 'k'.repeat(length)
    const documents = Array.from({ length }, (_, at) => {
      const other = `${text.slice(0, at)}x${text.slice(at + 1)}`
      return [
        { [other]: 'other key', [text]: text },
        { [text]: other, [other]: 'other key' },
      ].map((one) => JSON.stringify({ eventTime: NOW, ...one }))
    })
    const dimension = { name: 'd', path: [text], missing: undefined }
    const all = metricPlan({ dimensions: [dimension], keep: undefined, splitByOutcome: false })
    const where = { kind: 'compare', path: [text], op: '==', value: text } as const
    const batch = linesBatch(documents.flat().join('\n'))
    assertSame(batch, { event: eventPlan(), metrics: [all, { ...all, name: 'equal', where }] })
  }
})

test('a user of any length has the hash of KeyHash in every decoder', () => {
  const metric = metricPlan({ dimensions: [{ name: 'biz', path: ['biz'], missing: undefined }] })
  const hash = new KeyHash(HASH_KEY)
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
  const decoders = subjects.map(({ kind, options }) =>
    decoderFor(kind, eventPlan(), [metric], options),
  )
  fc.assert(
    fc.property(
      fc.array(fc.tuple(text, fc.constantFrom('', 'a', '杭州')), { maxLength: 20 }),
      (of) => {
        const values = of.map(([userId, biz]) =>
          JSON.stringify({ eventTime: NOW, userId, biz, status: 'fail' }),
        )
        const expected = of.map(([userId, biz]) => {
          const seed = hash.seedOf([biz])
          const bytes = Buffer.from(userId)
          hash.user(bytes, 0, bytes.length, seed.high, seed.low)
          return [hash.high >>> 0, hash.low >>> 0]
        })
        for (const { decoder, out } of decoders) {
          decoder.decode(linesBatch(values.join('\n')), NOW, out)
          const rows = out.metrics[0]
          assert.deepEqual(
            of.map((_, row) => [rows?.keyHigh[row], rows?.keyLow[row]]),
            expected,
          )
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('a date has the same time in every decoder', () => {
  const { parse, subjects: others } = setOf({
    event: eventPlan({ time: { path: ['t'], format: 'auto' } }),
    metrics: [],
  })
  const two = (max: number) => fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, '0'))
  const date = fc
    .tuple(
      fc.integer({ min: 1999, max: 2023 }),
      two(13),
      two(32),
      fc.constantFrom('T', 'T', 'T', 't', ' ', '_'),
      two(25),
      two(61),
      fc.oneof(
        two(61).map((s) => `:${s}`),
        fc.constantFrom('', ':', ':1', ':59', ':00'),
      ),
      fc.constantFrom('', '.1', '.12', '.123', '.123456', '.', ',5', '.9999999999999999999'),
      fc.constantFrom(
        'Z',
        'Z',
        'z',
        '+08:00',
        '-03:30',
        '+0530',
        '-11',
        '+24:00',
        '',
        '+8:00',
        'Zx',
      ),
    )
    .map(([y, mo, d, t, h, mi, s, f, z]) => `${y}-${mo}-${d}${t}${h}:${mi}${s}${f}${z}`)
  fc.assert(
    fc.property(fc.array(date, { minLength: 20, maxLength: 20 }), (dates) => {
      const batch = linesBatch(dates.map((t) => JSON.stringify({ t })).join('\n'))
      parse.decoder.decode(batch, NOW, parse.out)
      for (const { decoder, out } of others) {
        decoder.decode(batch, NOW, out)
        assert.deepEqual(contents(out), contents(parse.out))
      }
    }),
    { numRuns: 150 },
  )
})
