import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventPlan, JobPlan } from '../../../src/core/plan.ts'
import { createDecodedBatch, type DecodedBatch } from '../../../src/core/rows.ts'
import { SeriesDictionary } from '../../../src/core/series.ts'
import { epochMs } from '../../../src/core/time.ts'
import { createDecoder } from '../../../src/ingest/create-decoder.ts'
import { JsonWalkDecoder } from '../../../src/ingest/decode-json-walk.ts'
import type { DecoderKind } from '../../../src/ingest/decoder.ts'
import { planOfText } from '../../support/config-text.ts'

const day = Date.UTC(2026, 0, 5)
const now = epochMs(day + 3_600_000)

function planOf(mark: string): JobPlan & { readonly event: EventPlan } {
  const plan = planOfText({
    source: `    event: { time: eventTime, user: userId, outcome: status }
    watermark: { strategy: punctuated, mark: ${mark} }`,
  })
  const [event] = plan.sources
  assert.ok(event !== undefined)
  return { ...plan, event }
}

const usual = planOf(`{ where: 'type == "watermark"', time: until }`)

function decoderOf(kind: DecoderKind | 'auto', plan: ReturnType<typeof planOf>) {
  const { event, metrics } = plan
  const dictionaries = metrics.map(({ maxSeries }) => new SeriesDictionary(maxSeries))
  return createDecoder(kind, { event, metrics, dictionaries, hashKey: Buffer.alloc(16, 7) })
}

function decode(
  kind: DecoderKind,
  texts: readonly string[],
  { plan = usual, recordTimestamp = day } = {},
): DecodedBatch {
  const batch = createDecodedBatch(
    4,
    plan.metrics.map(({ values }) => values.length),
  )
  const bytes = Buffer.from(texts.join('\n'))
  const lines = { partition: 0, framing: 'lines', bytes, fromOffset: 0 } as const
  decoderOf(kind, plan).decode(
    {
      ...lines,
      nextOffset: bytes.length,
      recordTimestamp: epochMs(recordTimestamp),
      aborted: [],
    },
    now,
    batch,
  )
  return batch
}

const event = (ms: number) =>
  JSON.stringify({
    event: 'loan',
    eventTime: day + ms,
    userId: `u${ms}`,
    status: 'success',
    bizLine: 'cash',
    product: 'p1',
  })
const mark = (until: unknown) => JSON.stringify({ type: 'watermark', until })

for (const kind of ['json-parse', 'json-walk'] as const) {
  describe(`watermarks of records, by ${kind}`, () => {
    it('stand between the events that they stand between, and are none', () => {
      const { marks, length, records, rejects } = decode(kind, [
        mark(day),
        event(1),
        event(2),
        mark(day + 2),
        mark(day + 3),
        event(4),
        mark(new Date(day + 5).toISOString()),
      ])
      assert.deepEqual(marks, [
        { event: 0, watermark: day },
        { event: 2, watermark: day + 2 },
        { event: 2, watermark: day + 3 },
        { event: 3, watermark: day + 5 },
      ])
      assert.deepEqual({ length, records, rejects }, { length: 3, records: 7, rejects: [] })
    })

    it('are dead letters where they are no times, in the future, or missing', () => {
      const { marks, rejects } = decode(kind, [
        mark('later'),
        mark(day + 86_400_000),
        mark(undefined),
        mark(1),
      ])
      assert.deepEqual(marks, [])
      assert.deepEqual(
        rejects.map(({ reason }) => reason),
        ['bad_time', 'time_in_future', 'missing_time', 'time_too_old'],
      )
      assert.match(rejects[0]?.detail ?? '', /^until: "later"/)
    })

    it('may be the timestamp of the record', () => {
      const plan = planOf(`{ where: exists(end), time: { format: record } }`)
      const { marks } = decode(kind, ['{"end":1}'], { plan, recordTimestamp: day + 7 })
      assert.deepEqual(marks, [{ event: 0, watermark: day + 7 }])
    })

    it('are found in documents that are written oddly', () => {
      const { marks } = decode(kind, [
        `{"type":"\\u0077atermark","until":${day + 1}}`,
        `{"type":"event","type":"watermark","until":"${day + 2}"}`,
      ])
      assert.deepEqual(
        marks.map(({ watermark }) => watermark - day),
        [1, 2],
      )
    })
  })
}

it('the decoder in WebAssembly leaves such sources to json-walk', () => {
  assert.throws(() => decoderOf('json-wasm', usual), /watermarks/)
  assert.ok(decoderOf('auto', usual) instanceof JsonWalkDecoder)
})

it('the marks of a batch are not those of the one before', () => {
  const decoder = decoderOf('json-walk', usual)
  const batch = createDecodedBatch(
    4,
    usual.metrics.map(({ values }) => values.length),
  )
  for (const text of [mark(day), event(1)]) {
    const bytes = Buffer.from(text)
    decoder.decode(
      {
        partition: 0,
        framing: 'lines',
        bytes,
        fromOffset: 0,
        nextOffset: bytes.length,
        recordTimestamp: epochMs(day),
        aborted: [],
      },
      now,
      batch,
    )
  }
  assert.deepEqual(batch.marks, [])
})
