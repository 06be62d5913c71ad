import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDecodedBatch } from '../../../src/core/rows.ts'
import { SeriesDictionary } from '../../../src/core/series.ts'
import { epochMs } from '../../../src/core/time.ts'
import { createDecoder } from '../../../src/ingest/create-decoder.ts'
import type { DecoderKind } from '../../../src/ingest/decoder.ts'
import { integerUser } from '../../../src/ingest/integer-user.ts'
import { eventPlan, metricPlan } from '../../support/lane-rig.ts'

const read = (text: string) => integerUser(Buffer.from(` ${text} `), 1, 1 + text.length)

test('only the one way to write a whole number below 2^32 is an integer user', () => {
  for (const value of [0, 7, 10, 4_294_967_295]) assert.equal(read(String(value)), value)
  for (const text of [
    '',
    '00',
    '01',
    '-1',
    '+1',
    '1.0',
    '1e3',
    ' 1',
    '4294967296',
    '99999999999',
    'u1',
    '١',
  ])
    assert.equal(read(text), -1, text)
})

const plan = eventPlan()
const metrics = [metricPlan({ keep: 'first', values: [], backend: { type: 'bitmap' } })]

function decoded(kind: DecoderKind | 'auto', lines: readonly string[]) {
  const dictionaries = [new SeriesDictionary(10)]
  const batch = createDecodedBatch(16, [0])
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
  const source = {
    partition: 0,
    framing: 'lines',
    bytes,
    fromOffset: 0,
    nextOffset: bytes.length,
  } as const
  createDecoder(kind, { event: plan, metrics, dictionaries, hashKey: new Uint8Array(16) }).decode(
    { ...source, recordTimestamp: epochMs(0), aborted: [] },
    epochMs(0),
    batch,
  )
  const [rows] = batch.metrics
  return {
    users: [...(rows?.keyLow.subarray(0, rows.length) ?? [])],
    rejects: batch.rejects.map(({ reason, detail }) => `${reason} ${detail}`),
  }
}

test('decoders give integer users alike, also of documents that one leaves to the other', () => {
  const user = (text: string) => `{"t":1000,"u":${text},"product":"a","o":"fail"}`
  const lines = [
    user('7'),
    user('"4294967295"'),
    user('0'),
    user('"\\u0038"'),
    `{"t":1000,"u":9,"product":"a","product":"b","o":"fail"}`,
    user('"x"'),
    user('1.5'),
    user('4294967296'),
  ]
  const walked = decoded('json-walk', lines)
  assert.deepEqual(walked, decoded('json-parse', lines))
  assert.deepEqual(walked, decoded('auto', lines))
  assert.deepEqual(walked.users, [7, 4_294_967_295, 0, 8, 9])
  assert.equal(walked.rejects.length, 3)
  assert.match(walked.rejects[0] ?? '', /^bad_field_type u: "x" is not a whole number/)
})

test('the WebAssembly decoder, which has no integer users, is refused for them', () => {
  assert.throws(() => decoded('json-wasm', []), RangeError)
})
