import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { EventPlan, MetricPlan } from '../../../src/core/plan.ts'
import type { DecodedBatch } from '../../../src/core/rows.ts'
import { decoderFor, eventPlan, metricPlan, NOW } from '../../support/decode-plans.ts'
import { documents, hostileDocuments } from '../../support/json-texts.ts'
import { kafkaBatch, recordBatch } from '../../support/kafka-batches.ts'

/** Documents compared; `FUZZ=1000000` for a long run. */
const cases = Number(process.env.FUZZ ?? 20_000)

interface Plans {
  readonly event: EventPlan
  readonly metrics: readonly MetricPlan[]
}

const dimension = (name: string, path: readonly string[], missing?: string) => ({
  name,
  path,
  missing,
})

const plans: readonly Plans[] = [
  { event: eventPlan(), metrics: [metricPlan({ values: [{ name: 'amount', path: ['amount'] }] })] },
  {
    event: eventPlan({
      time: { path: ['ctx', 'time'], format: 'iso8601' },
      user: ['ctx', 'ver', 'major'],
      where: { kind: 'exists', path: ['ctx', 'os'] },
    }),
    metrics: [
      metricPlan({
        dimensions: [dimension('os', ['ctx', 'os'], 'none'), dimension('key', ['a"b'], '')],
        maxSeries: 5,
      }),
      metricPlan({ name: 'plain', dimensions: [], keep: undefined, splitByOutcome: false }),
      metricPlan({
        name: 'same user',
        dimensions: [dimension('ctx', ['ctx'], 'x'), dimension('proto', ['constructor'], '-')],
        outcomes: [],
      }),
    ],
  },
  {
    event: eventPlan({ time: { path: [], format: 'record' }, user: ['userId'] }),
    metrics: [
      metricPlan({
        where: {
          kind: 'or',
          of: [
            { kind: 'in', path: ['status'], values: ['success', 1, true, null] },
            { kind: 'not', of: { kind: 'compare', path: ['amount'], op: '<', value: 10 } },
            {
              kind: 'and',
              of: [
                { kind: 'matches', path: ['product'], pattern: /^(1|a|tr)/g },
                { kind: 'compare', path: ['event'], op: '!=', value: 'pay' },
              ],
            },
          ],
        },
        dimensions: [dimension('product', ['product'], 'none')],
        values: [
          { name: 'amount', path: ['amount'] },
          { name: 'time', path: ['eventTime'] },
        ],
      }),
      metricPlan({
        name: 'ordered',
        where: { kind: 'compare', path: ['status'], op: '>=', value: 'fail' },
        dimensions: [dimension('city', ['杭'], '?'), dimension('user', ['userId'])],
        keep: undefined,
        splitByOutcome: false,
      }),
    ],
  },
  {
    event: eventPlan({
      time: { path: ['eventTime'], format: 'epoch-ms' },
      user: undefined,
      outcome: undefined,
    }),
    metrics: [metricPlan(), metricPlan({ name: 'count', keep: undefined, splitByOutcome: false })],
  },
  {
    event: eventPlan({ time: { path: ['seconds'], format: 'epoch-s' } }),
    metrics: [metricPlan()],
  },
]

/** What a batch says, without the unused ends of its columns. */
function contents(out: DecodedBatch) {
  return {
    ...out,
    time: out.time.slice(0, out.length),
    offset: out.offset.slice(0, out.length),
    metrics: out.metrics.map((rows) => ({
      length: rows.length,
      event: rows.event.slice(0, rows.length),
      series: rows.series.slice(0, rows.length),
      outcome: rows.outcome.slice(0, rows.length),
      values: rows.values.map((column) => column.slice(0, rows.length)),
    })),
    rejects: out.rejects,
  }
}

/** Keys count where the metric needs the user only. */
function keys(out: DecodedBatch, metrics: readonly MetricPlan[]) {
  return out.metrics.map((rows, index) =>
    metrics[index]?.keep === undefined
      ? []
      : [rows.keyHigh.slice(0, rows.length), rows.keyLow.slice(0, rows.length)],
  )
}

/** The decoders that must do what JSON.parse does. */
const subjects = [
  { name: 'json-walk', kind: 'json-walk', options: {} },
  { name: 'json-wasm', kind: 'json-wasm', options: { wasmBuild: 'simd' } },
  { name: 'json-wasm without vectors', kind: 'json-wasm', options: { wasmBuild: 'plain' } },
] as const

function setOf({ event, metrics }: Plans) {
  return {
    subjects: subjects.map(({ kind, options }) => decoderFor(kind, event, metrics, options)),
    parse: decoderFor('json-parse', event, metrics),
  }
}

type DecoderSet = ReturnType<typeof setOf>

function assertEqual(set: DecoderSet, { metrics }: Plans, values: readonly Buffer[]) {
  const bytes = recordBatch({ records: values.map((value) => ({ value })), baseTimestamp: NOW - 5 })
  const { parse } = set
  parse.decoder.decode(kafkaBatch([bytes]), NOW, parse.out)
  const expected = contents(parse.out)
  const expectedKeys = keys(parse.out, metrics)
  assert.equal(parse.out.records, values.length)
  for (const [index, { decoder, out }] of set.subjects.entries()) {
    decoder.decode(kafkaBatch([bytes]), NOW, out)
    assert.deepEqual(contents(out), expected, subjects[index]?.name)
    assert.deepEqual(keys(out, metrics), expectedKeys, subjects[index]?.name)
  }
}

for (const [index, plan] of plans.entries()) {
  test(`every decoder gives the rows, rejects and hashes of JSON.parse: plan ${index}`, () => {
    let set = setOf(plan)
    let runs = 0
    let rows = 0
    fc.assert(
      // Ten at a time: a batch costs more than its documents.
      fc.property(fc.array(documents, { minLength: 10, maxLength: 10 }), (batch) => {
        // Series dictionaries fill up: now and then all begin anew.
        if (runs++ % 50 === 0) set = setOf(plan)
        assertEqual(set, plan, batch)
        rows += set.parse.out.length
      }),
      { numRuns: Math.ceil(cases / plans.length / 10) },
    )
    assert.ok(
      rows > runs,
      `only ${rows} of ${runs * 10} documents gave an event: the generator is off`,
    )
  })

  test(`every decoder agrees with JSON.parse on hostile documents: plan ${index}`, () => {
    assertEqual(setOf(plan), plan, hostileDocuments)
  })
}

test('every decoder agrees with JSON.parse on a good document with any one byte changed', () => {
  const plan: Plans = { event: eventPlan(), metrics: [metricPlan()] }
  const set = setOf(plan)
  const good = Buffer.from(
    '{"eventTime":1699999999123,"userId":"u1\\n","status":"fail","bizLine":"\u676d",' +
      '"event":"pay","n":[-1.5e3,0,true,null],"o":{"a":false}}',
  )
  const bytes = [
    ...Buffer.from('{}[]",:\\ \n0159-+eE.tfu/x'),
    0,
    15,
    16,
    31,
    127,
    128,
    192,
    224,
    237,
    240,
    255,
  ]
  for (let at = 0; at < good.length; at++) {
    const changed = bytes.map((byte) => {
      const document = Buffer.from(good)
      document[at] = byte
      return document
    })
    assertEqual(set, plan, changed)
  }
})

for (const { name, kind, options } of subjects) {
  test(`${name} leaves well-formed documents to nobody`, () => {
    const { decoder, out } = decoderFor(kind, eventPlan(), [metricPlan()], options)
    const value = `{ "a\\u0062c": ["x", {"y": -1.5e3}], "eventTime" : 1699999999, "userId": "\\ud83d\\ude00",
    "bizLine":"杭州", "event":"p\\"ay", "status":"SUCC", "product":null, "z": [[], {}, true, false, null] }`
    decoder.decode(kafkaBatch([recordBatch({ records: [{ value }] })]), NOW, out)
    assert.equal(out.metrics[0]?.length, 1)
    assert.equal(decoder.stats.fallbacks, 0)
  })
}
