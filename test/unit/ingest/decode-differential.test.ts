import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { EventPlan, MetricPlan } from '../../../src/core/plan.ts'
import type { DecodedBatch } from '../../../src/core/rows.ts'
import { decoderFor, eventPlan, metricPlan, NOW } from '../../support/decode-plans.ts'
import { documents, hostileDocuments } from '../../support/json-texts.ts'
import { kafkaBatch, recordBatch } from '../../support/kafka-batches.ts'

/** Documents compared; `FUZZ=1000000` for a long run. */
const cases = Number(process.env.FUZZ ?? 5000)

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

function pairOf({ event, metrics }: Plans) {
  return {
    walk: decoderFor('json-walk', event, metrics),
    parse: decoderFor('json-parse', event, metrics),
  }
}

function assertEqual(
  pair: ReturnType<typeof pairOf>,
  { metrics }: Plans,
  values: readonly Buffer[],
) {
  const bytes = recordBatch({ records: values.map((value) => ({ value })), baseTimestamp: NOW - 5 })
  for (const { decoder, out } of [pair.walk, pair.parse])
    decoder.decode(kafkaBatch([bytes]), NOW, out)
  assert.deepEqual(contents(pair.walk.out), contents(pair.parse.out))
  assert.deepEqual(keys(pair.walk.out, metrics), keys(pair.parse.out, metrics))
  assert.equal(pair.walk.out.records, values.length)
}

for (const [index, plan] of plans.entries()) {
  test(`json-walk and json-parse give equal rows, rejects and hashes: plan ${index}`, () => {
    let pair = pairOf(plan)
    let runs = 0
    let rows = 0
    fc.assert(
      fc.property(documents, (document) => {
        // Series dictionaries fill up: now and then both begin anew.
        if (runs++ % 500 === 0) pair = pairOf(plan)
        assertEqual(pair, plan, [document])
        rows += pair.walk.out.length
      }),
      { numRuns: Math.ceil(cases / plans.length) },
    )
    assert.ok(
      rows > runs / 10,
      `only ${rows} of ${runs} documents gave an event: the generator is off`,
    )
  })

  test(`json-walk and json-parse agree on hostile documents: plan ${index}`, () => {
    assertEqual(pairOf(plan), plan, hostileDocuments)
  })
}

test('json-walk and json-parse agree on a good document with any one byte changed', () => {
  const plan: Plans = { event: eventPlan(), metrics: [metricPlan()] }
  const pair = pairOf(plan)
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
    assertEqual(pair, plan, changed)
  }
})

test('json-walk leaves well-formed documents to nobody', () => {
  const { decoder, out } = decoderFor('json-walk', eventPlan(), [metricPlan()])
  const value = `{ "a\\u0062c": ["x", {"y": -1.5e3}], "eventTime" : 1699999999, "userId": "\\ud83d\\ude00",
    "bizLine":"杭州", "event":"p\\"ay", "status":"SUCC", "product":null, "z": [[], {}, true, false, null] }`
  decoder.decode(kafkaBatch([recordBatch({ records: [{ value }] })]), NOW, out)
  assert.equal(out.metrics[0]?.length, 1)
  assert.equal(decoder.stats.fallbacks, 0)
})
