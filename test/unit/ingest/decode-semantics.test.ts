import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Condition, EventPlan, MetricPlan } from '../../../src/core/plan.ts'
import { durationMs, epochMs } from '../../../src/core/time.ts'
import { KeyHash } from '../../../src/ingest/key-hash.ts'
import {
  decoderFor,
  eventPlan,
  HASH_KEY,
  linesBatch,
  metricPlan,
  NOW,
} from '../../support/decode-plans.ts'
import { kafkaBatch, recordBatch } from '../../support/kafka-batches.ts'

const good = {
  eventTime: NOW - 1000,
  userId: 'u1',
  status: 'success',
  bizLine: 'retail',
  product: 'app',
  event: 'pay',
}

const text = (changes: object) => JSON.stringify({ ...good, ...changes })

for (const kind of ['json-wasm', 'json-walk', 'json-parse'] as const) {
  const decoded = (
    values: readonly (string | null)[],
    metrics: readonly MetricPlan[] = [metricPlan()],
    event: EventPlan = eventPlan(),
    baseTimestamp: number = NOW,
  ) => {
    const of = decoderFor(kind, event, metrics)
    const bytes = recordBatch({
      records: values.map((value) => ({ value })),
      baseOffset: 100,
      baseTimestamp,
    })
    of.decoder.decode(kafkaBatch([bytes]), NOW, of.out)
    return of
  }
  const reasons = (...of: Parameters<typeof decoded>) =>
    decoded(...of).out.rejects.map(({ reason, metric }) =>
      metric === undefined ? reason : `${metric}: ${reason}`,
    )

  test(`${kind}: an event becomes a row with its series, outcome and time`, () => {
    const { out, dictionaries } = decoded([text({}), text({ status: 'FAILED', product: null })])
    assert.deepEqual([...out.time.slice(0, 2)], [NOW - 1000, NOW - 1000])
    assert.deepEqual([...out.offset.slice(0, 2)], [100, 101])
    assert.equal(out.maxTime, NOW - 1000)
    assert.equal(out.lastRecordTimestamp, NOW)
    assert.equal(out.records, 2)
    const [rows] = out.metrics
    assert.deepEqual([...(rows?.outcome.slice(0, 2) ?? [])], [2, 0])
    assert.deepEqual([...(rows?.series.slice(0, 2) ?? [])], [0, 1])
    assert.deepEqual(dictionaries[0]?.valuesOf(0), ['retail', 'app', 'pay'])
    assert.deepEqual(dictionaries[0]?.valuesOf(1), ['retail', 'none', 'pay'])
  })

  test(`${kind}: an outcome is renamed before it is looked up`, () => {
    assert.equal(decoded([text({ status: 'SUCC' })]).out.metrics[0]?.outcome[0], 2)
  })

  test(`${kind}: the key is the hash of the user's text under the dimension values, not under the series' id`, () => {
    const { out } = decoded([
      text({ event: 'other' }),
      text({ userId: 12 }),
      text({ userId: '12' }),
    ])
    const hash = new KeyHash(HASH_KEY)
    const seed = hash.seedOf(['retail', 'app', 'pay'])
    hash.user(Buffer.from('12'), 0, 2, seed.high, seed.low)
    const [rows] = out.metrics
    for (const row of [1, 2]) {
      assert.equal(rows?.keyHigh[row], hash.high >>> 0)
      assert.equal(rows?.keyLow[row], hash.low >>> 0)
    }
  })

  test(`${kind}: large integers keep their digits as users and dimensions`, () => {
    const of = ['9007199254740992', '9007199254740993', '12345678901234567890123', '1.0']
    const users = of.map((digits) => text({ userId: '#' }).replace('"#"', digits))
    const products = of.map((digits) => text({ product: '#' }).replace('"#"', digits))
    const { out, dictionaries } = decoded([...users, ...products])
    const keys = of.map(
      (_, row) => `${out.metrics[0]?.keyHigh[row]}/${out.metrics[0]?.keyLow[row]}`,
    )
    assert.equal(new Set(keys).size, of.length)
    assert.deepEqual(
      of.map((_, index) => dictionaries[0]?.valuesOf(index + 1)[1]),
      of,
    )
  })

  test(`${kind}: what is no readable document is a dead letter with its bytes`, () => {
    const { out } = decoded([null, '', '{', '[]', '"x"', text({})])
    assert.deepEqual(
      out.rejects.map(({ reason, offset, metric }) => [reason, offset, metric]),
      [
        ['empty', 100, undefined],
        ['empty', 101, undefined],
        ['not_json', 102, undefined],
        ['not_an_object', 103, undefined],
        ['not_an_object', 104, undefined],
      ],
    )
    assert.equal(Buffer.from(out.rejects[2]?.bytes ?? []).toString(), '{')
    assert.equal(out.records, 6)
    assert.equal(out.length, 1)
  })

  test(`${kind}: a dead letter's bytes survive the batch`, () => {
    const { decoder, out } = decoderFor(kind, eventPlan(), [metricPlan()])
    const batch = kafkaBatch([recordBatch({ records: [{ value: '{broken' }] })])
    decoder.decode(batch, NOW, out)
    batch.bytes.fill(0)
    assert.equal(Buffer.from(out.rejects[0]?.bytes ?? []).toString(), '{broken')
  })

  test(`${kind}: a bogus time is a dead letter for all and moves no watermark`, () => {
    const of = [
      text({ eventTime: undefined }),
      text({ eventTime: null }),
      text({ eventTime: 0 }),
      text({ eventTime: -5 }),
      text({ eventTime: 'yesterday' }),
      text({ eventTime: {} }),
      text({ eventTime: true }),
      text({ eventTime: '2023-11-14T22:13:19' }),
      text({ eventTime: 999_999_999_999 }),
      text({ eventTime: NOW + 60_001 }),
    ]
    const { out } = decoded(of)
    assert.deepEqual(
      out.rejects.map(({ reason }) => reason),
      [
        ...[
          'missing_time',
          'missing_time',
          'bad_time',
          'bad_time',
          'bad_time',
          'bad_time',
          'bad_time',
          'bad_time',
        ],
        ...['time_too_old', 'time_in_future'],
      ],
    )
    assert.equal(out.length, 0)
    assert.equal(out.maxTime, Number.NEGATIVE_INFINITY)
  })

  test(`${kind}: times are read in every format that is configured`, () => {
    const of = [
      '"2023-11-14T22:13:19Z"',
      '"2023-11-15T06:13:19.000+08:00"',
      '1699999999',
      '1699999999.0',
      '"1699999999000"',
      '1.699999999e12',
    ]
    const { out } = decoded(of.map((time) => text({ eventTime: '#' }).replace('"#"', time)))
    assert.deepEqual(
      [...out.time.slice(0, out.length)],
      of.map(() => NOW - 1000),
    )
  })

  test(`${kind}: under record time the record timestamp counts`, () => {
    const event = eventPlan({ time: { path: [], format: 'record' } })
    assert.equal(decoded([text({})], [], event, NOW - 7).out.time[0], NOW - 7)
    assert.deepEqual(reasons([text({})], [], event, -1), ['missing_time'])
  })

  test(`${kind}: a time ahead of the record timestamp is in the future, also in a replay`, () => {
    const event = eventPlan({ maxFutureSkew: durationMs(10), minEventTime: epochMs(1) })
    const of = [text({ eventTime: NOW - 99_990 }), text({ eventTime: NOW - 99_989 })]
    assert.deepEqual(reasons(of, [], event, NOW - 100_000), ['time_in_future'])
  })

  test(`${kind}: an event that the source does not want moves the watermark and nothing counts it`, () => {
    const where: Condition = { kind: 'compare', path: ['event'], op: '==', value: 'pay' }
    const { out } = decoded(
      [text({ event: 'order', userId: null }), text({})],
      [metricPlan()],
      eventPlan({ where }),
    )
    assert.equal(out.length, 2)
    assert.equal(out.rejects.length, 0)
    assert.deepEqual([out.metrics[0]?.length, out.metrics[0]?.event[0]], [1, 1])
  })

  test(`${kind}: what one metric refuses the others still count`, () => {
    const metrics = [
      metricPlan({ name: 'a' }),
      metricPlan({ name: 'b', dimensions: [], keep: undefined, splitByOutcome: false }),
      metricPlan({ name: 'c', where: { kind: 'exists', path: ['userId'] } }),
    ]
    const { out } = decoded([text({ userId: undefined })], metrics)
    assert.deepEqual(
      out.rejects.map(({ metric, reason }) => [metric, reason]),
      [['a', 'missing_user']],
    )
    assert.deepEqual(
      out.metrics.map((rows) => rows.length),
      [0, 1, 0],
    )
    assert.equal(out.length, 1)
  })

  test(`${kind}: the first thing wrong is the reason: dimensions, user, outcome, values, series`, () => {
    const metric = metricPlan({ values: [{ name: 'amount', path: ['amount'] }], maxSeries: 1 })
    assert.deepEqual(
      reasons(
        [
          text({ amount: 1 }),
          text({ bizLine: null, userId: null, status: null, amount: 'x' }),
          text({ bizLine: {}, userId: null }),
          text({ event: [], userId: null }),
          text({ userId: '', status: null, amount: 'x' }),
          text({ userId: true }),
          text({ userId: {} }),
          text({ status: undefined, amount: 'x' }),
          text({ status: [] }),
          text({ amount: 'x', event: 'new' }),
          text({ amount: false }),
          text({ amount: {} }),
          text({ amount: 1, event: 'new' }),
        ],
        [metric],
      ),
      [
        ...[
          'missing_dimension',
          'bad_field_type',
          'bad_field_type',
          'missing_user',
          'bad_field_type',
          'bad_field_type',
        ],
        ...[
          'missing_outcome',
          'bad_field_type',
          'bad_field_type',
          'bad_field_type',
          'bad_field_type',
          'too_many_series',
        ],
      ].map((reason) => `orders: ${reason}`),
    )
  })

  test(`${kind}: a refused event leaves no series behind`, () => {
    const { dictionaries } = decoded([text({ userId: null }), text({ status: null })])
    assert.equal(dictionaries[0]?.size, 0)
  })

  test(`${kind}: values are numbers, numbers in strings, or NaN where there is none`, () => {
    const metric = metricPlan({ values: [{ name: 'amount', path: ['order', 'amount'] }] })
    const amounts = [12.5, '12.50', '-1e3', undefined, null]
    const { out } = decoded(
      amounts.map((amount) => text({ order: { amount } })),
      [metric],
    )
    assert.deepEqual(
      [...(out.metrics[0]?.values[0]?.slice(0, 5) ?? [])],
      [12.5, 12.5, -1000, NaN, NaN],
    )
    assert.equal(out.rejects.length, 0)
  })

  test(`${kind}: booleans and numbers are dimensions as JSON writes them`, () => {
    const dimensions = ['a', 'b', 'c'].map((name) => ({ name, path: [name], missing: undefined }))
    const { dictionaries } = decoded(
      [text({ a: true, b: false, c: -0.5 })],
      [metricPlan({ dimensions })],
    )
    assert.deepEqual(dictionaries[0]?.valuesOf(0), ['true', 'false', '-0.5'])
  })

  const holds = (where: Condition, fields: string) => {
    const metric = metricPlan({ where, dimensions: [], keep: undefined, splitByOutcome: false })
    return decoded([`{"eventTime":${NOW},${fields}}`], [metric]).out.metrics[0]?.length === 1
  }

  test(`${kind}: filters compare by JSON's types, and a missing field is unequal to everything`, () => {
    const path = ['x']
    const is = (value: string | number | boolean | null): Condition => ({
      kind: 'compare',
      path,
      op: '==',
      value,
    })
    const isNot = (value: string | number): Condition => ({
      kind: 'compare',
      path,
      op: '!=',
      value,
    })
    const cases: readonly (readonly [Condition, string, boolean])[] = [
      [is('a'), '"x":"a"', true],
      [is('a'), '"x":"\\u0061"', true],
      [is(1), '"x":1.0', true],
      [is(1), '"x":"1"', false],
      [is('1'), '"x":1', false],
      [is(true), '"x":true', true],
      [is(null), '"x":null', true],
      [is(null), '"y":1', false],
      [isNot('a'), '"y":1', true],
      [isNot('a'), '"x":"a"', false],
      [isNot(1), '"x":2', true],
      [{ kind: 'compare', path, op: '<', value: 10 }, '"x":9.99', true],
      [{ kind: 'compare', path, op: '<', value: 10 }, '"x":"9"', false],
      [{ kind: 'compare', path, op: '>=', value: 'b' }, '"x":"b"', true],
      [{ kind: 'compare', path, op: '>', value: 'b' }, '"x":"b"', false],
      [{ kind: 'compare', path, op: '<=', value: 3 }, '"y":1', false],
      [{ kind: 'exists', path }, '"x":0', true],
      [{ kind: 'exists', path }, '"x":null', false],
      [{ kind: 'exists', path: ['x', 'y'] }, '"x":{"y":[]}', true],
      [{ kind: 'exists', path: ['x', '0'] }, '"x":[1]', false],
      [{ kind: 'exists', path: ['x', 'length'] }, '"x":"text"', false],
      [{ kind: 'exists', path: ['toString'] }, '"x":1', false],
      [{ kind: 'in', path, values: ['a', 2, null] }, '"x":2', true],
      [{ kind: 'in', path, values: ['a', 2, null] }, '"x":"2"', false],
      [{ kind: 'in', path, values: ['a', 2, null] }, '"y":2', false],
      [{ kind: 'matches', path, pattern: /^5/ }, '"x":503', true],
      [{ kind: 'matches', path, pattern: /^5/ }, '"x":403', false],
      [{ kind: 'matches', path, pattern: /^tr/ }, '"x":true', true],
      [{ kind: 'matches', path, pattern: /./ }, '"x":null', false],
      [{ kind: 'not', of: is('a') }, '"y":1', true],
      [{ kind: 'and', of: [is('a'), isNot('b')] }, '"x":"a"', true],
      [{ kind: 'and', of: [] }, '"y":1', true],
      [{ kind: 'or', of: [is('b'), is('a')] }, '"x":"a"', true],
      [{ kind: 'or', of: [] }, '"y":1', false],
    ]
    for (const [condition, fields, expected] of cases) {
      assert.equal(
        holds(condition, fields),
        expected,
        `${JSON.stringify(condition)} of {${fields}}`,
      )
    }
  })

  test(`${kind}: a pattern with the flag g gives the same answer every time`, () => {
    const where: Condition = { kind: 'matches', path: ['n'], pattern: /1/g }
    const metric = metricPlan({ where, dimensions: [], keep: undefined, splitByOutcome: false })
    const of = [1, 1, 1, 11, 1].map((n) => text({ n }))
    assert.equal(decoded(of, [metric]).out.metrics[0]?.length, of.length)
  })

  test(`${kind}: a field with a value per event outgrows no table`, () => {
    const where: Condition = { kind: 'matches', path: ['id'], pattern: /7$/ }
    const metric = metricPlan({
      where,
      dimensions: [{ name: 'biz', path: ['bizLine'], missing: 'x' }],
      keep: undefined,
      splitByOutcome: false,
    })
    const { decoder, out } = decoderFor(kind, eventPlan(), [metric])
    // More than the table of `json-walk` holds, or that of `json-wasm`.
    const count = kind === 'json-wasm' ? 300_000 : 70_000
    const lines = Array.from(
      { length: count },
      (_, id) => `{"eventTime":${NOW},"id":"id-${id}","bizLine":"${id % 3}"}\n`,
    )
    decoder.decode(linesBatch(lines.join('')), NOW, out)
    assert.equal(out.metrics[0]?.length, count / 10)
    // What was known of a symbol is forgotten with it.
    assert.equal(
      out.metrics[0]?.event.subarray(0, count / 10).findIndex((id) => id % 10 !== 7),
      -1,
    )
    assert.deepEqual([...(out.metrics[0]?.series.slice(0, 4) ?? [])], [0, 1, 2, 0])
    assert.equal(decoder.stats.internResets, kind === 'json-parse' ? 0 : 1)
    assert.equal(decoder.stats.records, count)
  })
}
