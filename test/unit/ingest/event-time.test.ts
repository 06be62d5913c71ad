import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { epochMs } from '../../../src/core/time.ts'
import { isoTime, timeFault, timeOfNumber } from '../../../src/ingest/event-time.ts'

function iso(text: string): number {
  const bytes = Buffer.from(`x${text}9`)
  return isoTime(bytes, 1, bytes.length - 1)
}

test('every instant reads back from its ISO text in every zone', () => {
  fc.assert(
    fc.property(
      fc.integer({
        min: Date.parse('0001-01-02T00:00:00Z'),
        max: Date.parse('9999-12-30T00:00:00Z'),
      }),
      fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 }),
      fc.constantFrom('T', 't', ' '),
      fc.boolean(),
      (instant, zone, separator, colon) => {
        const local = new Date(instant + zone * 60_000)
          .toISOString()
          .slice(0, 23)
          .replace('T', separator)
        const two = (value: number) => String(value).padStart(2, '0')
        const at = Math.abs(zone)
        const offset = `${zone < 0 ? '-' : '+'}${two(Math.floor(at / 60))}${colon ? ':' : ''}${two(at % 60)}`
        assert.equal(iso(local + offset), instant)
      },
    ),
  )
})

test('the forms of ISO 8601 that producers write are read', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['2026-11-21T09:22:10Z', '2026-11-21T09:22:10.000Z'],
    ['2026-11-21T09:22Z', '2026-11-21T09:22:00.000Z'],
    ['2026-11-21T09:22+08', '2026-11-21T01:22:00.000Z'],
    ['2026-11-21 09:22:10.5+0800', '2026-11-21T01:22:10.500Z'],
    ['2026-11-21T09:22:10,123456789-01:30', '2026-11-21T10:52:10.123Z'],
    ['2026-11-21T09:22:10.999999Z', '2026-11-21T09:22:10.999Z'],
    ['2024-02-29T23:59:60z', '2024-03-01T00:00:00.000Z'],
    ['2000-02-29T00:00:00-00:00', '2000-02-29T00:00:00.000Z'],
  ]
  for (const [text, expected] of cases)
    assert.equal(new Date(iso(text)).toISOString(), expected, text)
})

test('a text without a zone, and a date that is none, is no time', () => {
  for (const text of [
    ...[
      '',
      'now',
      '2026-11-21',
      '2026-11-21T09:22:10',
      '2026-11-21T09:22:10.123',
      '2026-11-21T09:22:10 Z',
    ],
    ...[
      '2026-13-01T00:00:00Z',
      '2026-00-01T00:00:00Z',
      '2026-02-29T00:00:00Z',
      '1900-02-29T00:00:00Z',
    ],
    ...[
      '2026-04-31T00:00:00Z',
      '2026-01-00T00:00:00Z',
      '2026-01-01T24:00:00Z',
      '2026-01-01T00:60:00Z',
    ],
    ...[
      '2026-01-01T00:00:61Z',
      '2026-01-01T00:00:00.Z',
      '2026-01-01T00:00:00+24:00',
      '2026-01-01T00:00:00+08:60',
    ],
    ...[
      '2026-01-01T00:00:00+8',
      '2026-01-01T00:00:00+08:0',
      '2026-01-01T00:00:00Zx',
      '2026-01-01T00:00:0Z',
    ],
    ...[
      '2026/01/01T00:00:00Z',
      '2026-01-01_00:00:00Z',
      '2026-01-01T00:00:00+08:00[Asia/Shanghai]',
      '20260101T000000Z0',
    ],
    ...['+2026-01-01T00:00:00Z', '2026-01-01T00:00:', '2026-01-01T00:00:1', '2026-01-01T00.00:00Z'],
  ]) {
    assert.ok(Number.isNaN(iso(text)), text)
  }
})

test('numbers below 1e11 are seconds under auto, others milliseconds', () => {
  assert.equal(timeOfNumber('auto', 1_700_000_000), 1_700_000_000_000)
  assert.equal(timeOfNumber('auto', 99_999_999_999), 99_999_999_999_000)
  assert.equal(timeOfNumber('auto', 100_000_000_000), 100_000_000_000)
  assert.equal(timeOfNumber('epoch-s', 100_000_000_000), 100_000_000_000_000)
  assert.equal(timeOfNumber('epoch-ms', 1_700_000_000), 1_700_000_000)
  assert.ok(Number.isNaN(timeOfNumber('iso8601', 1_700_000_000)))
})

test('every millisecond survives being written in seconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4_102_444_800_000 }), (ms) => {
      const text = `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}`
      assert.equal(timeOfNumber('epoch-s', Number(text)), ms)
    }),
    { numRuns: 5000 },
  )
})

test('a fraction of a millisecond is cut, so that no event slips into the next window', () => {
  assert.equal(timeOfNumber('epoch-ms', 1_699_999_999_999.9), 1_699_999_999_999)
  assert.equal(timeOfNumber('epoch-s', 1_699_999_999.999_9), 1_699_999_999_999)
})

test('a bogus time is named: bad, too old, in the future', () => {
  const fault = (time: number, record = 0) =>
    timeFault(time, epochMs(1_000), 60, epochMs(10_000), record)
  assert.equal(fault(Number.NaN), 'bad_time')
  assert.equal(fault(Number.POSITIVE_INFINITY), 'bad_time')
  assert.equal(fault(0), 'bad_time')
  assert.equal(fault(-1), 'bad_time')
  assert.equal(fault(999), 'time_too_old')
  assert.equal(fault(1_000), undefined)
  assert.equal(fault(10_060), undefined)
  assert.equal(fault(10_061), 'time_in_future')
})

test('a record timestamp behind the wall clock is the bound, one ahead of it is not', () => {
  const fault = (time: number, record: number) =>
    timeFault(time, epochMs(1_000), 60, epochMs(10_000), record)
  assert.equal(fault(5_061, 5_000), 'time_in_future')
  assert.equal(fault(5_060, 5_000), undefined)
  assert.equal(fault(10_061, 20_000), 'time_in_future')
})
