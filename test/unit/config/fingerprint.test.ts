import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compareMetrics, fingerprintsOf, renamesOf } from '../../../src/config/fingerprint.ts'
import { configOf, configText, planOfText } from '../../support/config-text.ts'

const metric = (change: (text: string) => string = (text) => text): string =>
  change(`    window: { size: 1h }
    where: event == "loan" and amount > 0
    dimensions: [bizLine, product]
    outcomes: [fail, success]
    dedup: { keep: best }
    aggregates: [count]`)

const source =
  '    event: { time: eventTime, user: userId, outcome: { path: status, names: { A: success, B: fail } } }'
const fingerprints = (change?: (text: string) => string, from = source) =>
  fingerprintsOf(planOfText({ metric: metric(change), source: from }))

const before = fingerprints()

function changeOf(after: ReturnType<typeof fingerprints>) {
  const [change] = compareMetrics(before, after)
  return change ?? assert.fail()
}

describe('a changed config', () => {
  it('is the same when only the order of a filter or of outcome names changed', () => {
    const after = fingerprints(
      (text) => text.replace('event == "loan" and amount > 0', '(amount > 0) && event == "loan"'),
      source.replace('A: success, B: fail', 'B: fail, A: success'),
    )
    assert.equal(changeOf(after).kind, 'same')
  })

  it('is refused where users are remembered elsewhere, or over another span, and free where a Redis moves', () => {
    const keep = (dedup: string) =>
      fingerprints((text) => text.replace('dedup: { keep: best }', `dedup: ${dedup}`))
    const redis = (host: string) =>
      keep(`{ keep: first, backend: { type: redis, url: 'redis://${host}:6379' } }`)
    const kinds = (from: ReturnType<typeof keep>, to: ReturnType<typeof keep>) =>
      compareMetrics(from, to).map(({ kind }) => kind)
    const first = keep('{ keep: first }')
    for (const other of [
      '{ keep: first, backend: bitmap }',
      '{ keep: first, backend: { type: bloom, keys: 1000 } }',
      '{ keep: first, per: 7d }',
    ]) {
      assert.deepEqual(kinds(first, keep(other)), ['refused'], other)
    }
    assert.deepEqual(kinds(keep('{ keep: first, per: 7d }'), keep('{ keep: first, per: 8d }')), [
      'refused',
    ])
    assert.deepEqual(kinds(first, redis('a')), ['refused'])
    assert.deepEqual(kinds(redis('a'), redis('b')), ['same'])
    assert.deepEqual(kinds(first, keep('{ keep: first, backend: exact, per: window }')), ['same'])
  })

  it('survives being kept as JSON', () => {
    const [change] = compareMetrics(JSON.parse(JSON.stringify(before)), before)
    assert.equal(change?.kind, 'same')
  })

  it('is free where state does not depend on it, and says what changed', () => {
    const after = fingerprints((text) =>
      text
        .replace('[count]', '[count, events, users, { rate: { success: [success] } }]')
        .concat('\n    allowedLateness: 1h\n    maxSeries: 5'),
    )
    assert.deepEqual(changeOf(after), {
      kind: 'free',
      metric: 'loan',
      from: 'loan',
      parts: ['aggregates', 'lateness', 'series limit'],
    })
  })

  for (const [part, change] of Object.entries({
    window: (text: string) => text.replace('1h', '2h'),
    filter: (text: string) => text.replace('amount > 0', 'amount > 1'),
    dimensions: (text: string) => text.replace('[bizLine, product]', '[product, bizLine]'),
    keep: (text: string) => text.replace('best', 'last'),
    outcomes: (text: string) => text.replace('[fail, success]', '[fail, retry, success]'),
    'outcome dimension': (text: string) => text.replace('product]', 'product, outcome]'),
    'summed fields': (text: string) => text.replace('[count]', '[count, { sum: amount }]'),
  })) {
    it(`is refused by name when ${part} changed, with the way on`, () => {
      const refused = changeOf(fingerprints(change))
      if (refused.kind !== 'refused') assert.fail(refused.kind)
      assert.match(
        refused.reason,
        new RegExp(`^metric loan: .*\\(${part} .* → .*--drop-metric loan$`),
      )
    })
  }

  for (const [part, change] of Object.entries({
    user: (text: string) => text.replace('userId', 'ext.uid'),
    outcome: (text: string) => text.replace('B: fail', 'B: success'),
    'event time': (text: string) => text.replace('eventTime', 'ts'),
    'filter of the source': (text: string) => text.replace('user:', 'where: v == 2, user:'),
  })) {
    it(`is refused by name when ${part} changed at the source`, () => {
      const refused = changeOf(fingerprints(undefined, change(source)))
      assert.match(refused.kind === 'refused' ? refused.reason : '', new RegExp(`\\(${part} `))
    })
  }

  it('does not look at the user of a metric that counts all events', () => {
    const noUser = (text: string) => text.replace('    dedup: { keep: best }\n', '')
    const [change] = compareMetrics(
      fingerprints(noUser),
      fingerprints(noUser, source.replace('userId', 'uid')),
    )
    assert.equal(change?.kind, 'same')
  })

  it('may rename a metric by renamedFrom, once and for all', () => {
    const renamed = configText({ metric: `${metric()}\n    renamedFrom: loan`, source }).replace(
      '  loan:',
      '  credit:',
    )
    const renames = renamesOf(configOf(renamed))
    const after = before.map((one) => ({ ...one, metric: 'credit' }))
    assert.deepEqual(compareMetrics(before, after, renames), [
      { kind: 'same', metric: 'credit', from: 'loan' },
    ])
    assert.deepEqual(compareMetrics(after, after, renames), [
      { kind: 'same', metric: 'credit', from: 'credit' },
    ])
  })

  it('names new and removed metrics', () => {
    const after = before.map((one) => ({ ...one, metric: 'other' }))
    assert.deepEqual(compareMetrics(before, after), [
      { kind: 'new', metric: 'other' },
      { kind: 'removed', metric: 'loan' },
    ])
  })

  it('starts a dropped metric anew', () => {
    const after = fingerprints((text) => text.replace('1h', '2h'))
    assert.deepEqual(compareMetrics(before, after, new Map(), new Set(['loan'])), [
      { kind: 'new', metric: 'loan' },
    ])
  })
})
