/** Every decoder beside JSON.parse on the same bytes. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Condition, EventPlan, MetricPlan, TimeFormat } from '../../src/core/plan.ts'
import type { DecodedBatch } from '../../src/core/rows.ts'
import { decoderFor, eventPlan, metricPlan, NOW } from './decode-plans.ts'
import { kafkaBatch, recordBatch } from './kafka-batches.ts'

export interface Plans {
  readonly event: EventPlan
  readonly metrics: readonly MetricPlan[]
}

const dimension = (name: string, path: readonly string[], missing?: string) => ({
  name,
  path,
  missing,
})

/** Plans that read every kind of field. */
export const plans: readonly Plans[] = [
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
export function contents(out: DecodedBatch) {
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
export const subjects = [
  { name: 'json-walk', kind: 'json-walk', options: {} },
  { name: 'json-wasm', kind: 'json-wasm', options: { wasmBuild: 'simd' } },
  { name: 'json-wasm without vectors', kind: 'json-wasm', options: { wasmBuild: 'plain' } },
] as const

/** All decoders for one plan, with their own dictionaries. */
export function setOf({ event, metrics }: Plans) {
  return {
    subjects: subjects.map(({ kind, options }) => decoderFor(kind, event, metrics, options)),
    parse: decoderFor('json-parse', event, metrics),
  }
}

export type DecoderSet = ReturnType<typeof setOf>

/** Throws unless every decoder gives the rows, rejects and hashes of JSON.parse for documents in one batch. */
export function assertEqual(set: DecoderSet, { metrics }: Plans, values: readonly Buffer[]) {
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

const paths: readonly (readonly string[])[] = [
  ...[
    'eventTime',
    'userId',
    'status',
    'bizLine',
    'product',
    'event',
    'amount',
    'seconds',
    'ctx',
  ].map((key) => [key]),
  ['ctx', 'os'],
  ['ctx', 'time'],
  ['ctx', 'ver'],
  ['ctx', 'ver', 'major'],
  ['a"b'],
  ['杭'],
  ['\ud800'],
  [''],
]

const path = fc.constantFrom(...paths)
const scalar = fc.constantFrom(
  ...['success', 'pay', '', '1', 'u12345', 'true', '😀', '\ud800', '\ufffd', '\ufffdb', '\u0000'],
  ...[0, 1, -0, 3, 12.5, 1699999999.25, Number.POSITIVE_INFINITY, 1699999999123, true, false, null],
)

const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'condition' },
    fc.record({ kind: fc.constant('exists' as const), path }),
    fc.record({
      kind: fc.constant('in' as const),
      path,
      values: fc.array(scalar, { maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant('compare' as const),
      path,
      op: fc.constantFrom('==', '!=', '<', '<=', '>', '>='),
      value: scalar,
    }),
    fc.record({
      kind: fc.constant('matches' as const),
      path,
      pattern: fc.constantFrom(/^(1|a|tr)/g, /s/, /^$/, /[0-9]{3}/u, /./),
    }),
    fc.record({ kind: fc.constant('not' as const), of: tie('condition') }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      of: fc.array(tie('condition'), { maxLength: 3, depthIdentifier: 'condition' }),
    }),
  ),
}))

const numeric = fc.constantFrom(['amount'], ['seconds'], ['eventTime'], ['ctx', 'ver', 'major'])

const metric: fc.Arbitrary<MetricPlan> = fc
  .record({
    where: fc.option(condition, { nil: undefined }),
    dimensions: fc.array(
      fc.record({
        name: fc.constant('d'),
        path,
        missing: fc.constantFrom(undefined, '', 'none', 'none', '杭'),
      }),
      { maxLength: 3 },
    ),
    values: fc.array(
      fc.record({ name: fc.constant('v'), path: fc.oneof(path, numeric, numeric) }),
      { maxLength: 2 },
    ),
    keep: fc.constantFrom(undefined, 'best' as const, 'first' as const),
    splitByOutcome: fc.boolean(),
    outcomes: fc.constantFrom([], ['fail', 'success'], ['true', '1', 'pay']),
    maxSeries: fc.constantFrom(1, 3, 1000),
  })
  .map((one) => metricPlan(one))

const times = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ path: ['eventTime'], format: 'auto' as const }) },
  { weight: 2, arbitrary: fc.constant({ path: ['seconds'], format: 'epoch-s' as const }) },
  { weight: 2, arbitrary: fc.constant({ path: ['ctx', 'time'], format: 'iso8601' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      path: fc.constantFrom(['eventTime'], ['seconds'], ['ctx', 'time']),
      format: fc.constantFrom<TimeFormat>('auto', 'epoch-s', 'epoch-ms', 'iso8601', 'record'),
    }),
  },
)

/** Plans with any conditions, over the keys that `documents` have. */
export const anyPlans: fc.Arbitrary<Plans> = fc
  .record({
    time: times,
    user: fc.oneof(
      { weight: 5, arbitrary: fc.constant(['userId']) },
      { weight: 1, arbitrary: fc.option(path, { nil: undefined }) },
    ),
    outcome: fc.oneof(
      { weight: 5, arbitrary: fc.constant(['status']) },
      { weight: 1, arbitrary: fc.option(path, { nil: undefined }) },
    ),
    where: fc.option(condition, { nil: undefined, freq: 1 }),
    metrics: fc.array(metric, { maxLength: 3 }),
  })
  .map(({ metrics, ...event }) => ({
    event: eventPlan(event),
    metrics: metrics.map((one, index) => ({ ...one, name: `metric ${index}` })),
  }))
