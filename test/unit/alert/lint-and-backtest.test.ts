import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { arrivalsOf, backtest } from '../../../src/alert/backtest.ts'
import { readCsv } from '../../../src/alert/csv-series.ts'
import { lint } from '../../../src/alert/lint.ts'
import { explainRoutes } from '../../../src/alert/routing/routes.ts'
import { epochMs, MAX_TIME, MIN_TIME } from '../../../src/core/time.ts'
import { AlertRig, hour, metricOf, minute, planOf } from './alert-rig.ts'

const now = epochMs(Date.UTC(2026, 5, 1))
const found = (rules: unknown, noZeroFill: readonly string[] = []) =>
  lint(planOf(rules), [metricOf('loan')], new Set(noZeroFill), now).map(
    ({ code, subject }) => `${code} ${subject}`,
  )
const withRoute = (rules: object) => ({ rules, route: { receivers: ['ops'] } })

test('lint finds nothing in rules that are as they should be', () => {
  const rules = withRoute({
    dead: { kind: 'zero', metric: 'loan' },
    low: { kind: 'threshold', metric: 'loan', warn: { min: 50 }, crit: { min: 10 } },
    drop: { kind: 'change', metric: 'loan', crit: { drop: 50 }, floor: 20 },
    odd: { kind: 'baseline', metric: 'loan', crit: 5 },
    lag: { kind: 'pipeline', signal: 'lag', crit: { max: 1000 } },
  })
  assert.deepEqual(found(rules), [])
})

for (const [name, rules, expected, noZeroFill = []] of [
  [
    'a count below zero',
    { a: { kind: 'threshold', metric: 'loan', crit: { min: 0 } } },
    ['never-fires a'],
  ],
  [
    'a share of 90',
    { a: { kind: 'rate', metric: 'loan', success: ['ok'], crit: { min: 90 }, minVolume: 9 } },
    ['always-fires a'],
  ],
  [
    'a rate without a floor',
    { a: { kind: 'rate', metric: 'loan', success: ['ok'], crit: { min: 0.9 } } },
    ['no-volume-floor a'],
  ],
  [
    'a change without a floor',
    { a: { kind: 'change', metric: 'loan', crit: { drop: 50 } } },
    ['no-volume-floor a'],
  ],
  [
    'a fall by more than all',
    { a: { kind: 'change', metric: 'loan', crit: { drop: 100 }, floor: 9 } },
    ['never-fires a'],
  ],
  [
    'zeros that nobody writes',
    { a: { kind: 'zero', metric: 'loan' } },
    ['never-fires a'],
    ['loan'],
  ],
  ['a metric that is not there', { a: { kind: 'zero', metric: 'laon' } }, ['unknown-metric a']],
  [
    'a warning inside what is critical',
    { a: { kind: 'threshold', metric: 'loan', warn: { min: 5 }, crit: { min: 10 } } },
    ['never-fires a'],
  ],
  [
    'the same rule twice',
    {
      a: { kind: 'zero', metric: 'loan' },
      b: { kind: 'zero', metric: 'loan', match: { product: 'x' } },
    },
    ['overlap b'],
  ],
  [
    'a series forgotten before it is missing',
    { a: { kind: 'missing-series', metric: 'loan', after: '3d', forget: '1d' } },
    ['never-fires a'],
  ],
  [
    'a share of dead letters above 1',
    { a: { kind: 'pipeline', signal: 'dead-letter-rate', crit: { max: 5 } } },
    ['never-fires a'],
  ],
  [
    'a rule that is off',
    { a: { kind: 'zero', metric: 'loan', enabled: false } },
    ['never-fires a'],
  ],
] as const) {
  test(`lint names ${name}`, () => {
    assert.deepEqual(found(withRoute(rules), noZeroFill), expected)
  })
}

test('lint names a week that is not kept, a route that nothing reaches, an old silence, and messages to nobody', () => {
  const rules = { drop: { kind: 'change', metric: 'loan', crit: { drop: 50 }, floor: 9 } }
  assert.deepEqual(found({ ...withRoute(rules), history: { keep: '3d' } }), ['never-fires drop'])
  const routes = [
    { match: { team: 'a*' }, receivers: ['x'] },
    { match: { team: 'abc' }, receivers: ['y'] },
  ]
  assert.deepEqual(found({ ...withRoute(rules), routes }), ['unreachable-route route 2'])
  const silences = [
    { match: { rule: 'drop' }, until: '2026-01-01T00:00:00Z', owner: 'me', reason: 'old' },
  ]
  assert.deepEqual(found({ ...withRoute(rules), silences }), ['ended-silence file-1'])
  assert.deepEqual(found({ rules }), ['never-told routes'])
})

test('explain says of every route whether it was taken and why not', () => {
  const plan = planOf({
    rules: { a: { kind: 'zero', metric: 'loan' } },
    route: { receivers: ['ops'] },
    routes: [
      { name: 'night', match: { severity: 'crit' }, receivers: ['pager'], continue: true },
      { name: 'lending', match: { team: 'lending' }, receivers: ['lending'] },
    ],
  })
  assert.deepEqual(explainRoutes(plan.routes, { severity: 'crit', team: 'risk' }), [
    'night (severity=crit): taken → pager, grouped by rule',
    'lending (team=lending): passed over, team is "risk"',
    'default (everything): passed over, a route before it was taken',
  ])
  assert.match(explainRoutes(plan.routes, {})[2] ?? '', /^default \(everything\): taken → ops/)
})

test('a backtest over the stored windows says what was said, corrections at their times included', async () => {
  const rules = { dead: { kind: 'zero', metric: 'loan' } }
  const rig = new AlertRig(rules, [metricOf('loan')])
  rig.window('loan', 0, { a: 5, b: 5 })
  await rig.until(2 * hour)
  rig.window('loan', hour, { a: 0, b: 0 })
  await rig.until(2 * hour + 9 * minute)
  rig.window('loan', hour, { b: 2 }, undefined)
  await rig.until(3 * hour)
  rig.window('loan', 2 * hour, { a: 5, b: 5 })
  await rig.until(3 * hour + 10 * minute)
  assert.deepEqual(rig.said(), [
    'firing dead ZERO 2',
    'correction dead ZERO 1',
    'resolved dead ZERO 1',
  ])
  rig.restart()
  const history = rig.engine.histories.get('loan')
  assert.ok(history)
  const arrivals = arrivalsOf(history, MIN_TIME, MAX_TIME)
  const { intervals, windows } = backtest(planOf(rules), [metricOf('loan')], arrivals)
  assert.equal(windows, 3)
  assert.deepEqual(
    intervals.map(({ tags, start, end, corrected }) => [tags.product, start, end, corrected]),
    [
      ['a', hour, 2 * hour, false],
      ['b', hour, 2 * hour, true],
    ],
  )
  const [a, b] = intervals
  assert.ok((a?.firedAt ?? 0) >= 2 * hour + 80_000 && (a?.firedAt ?? 0) < 2 * hour + 2 * minute)
  assert.ok(
    (b?.endedAt ?? 0) >= 2 * hour + 9 * minute && (b?.endedAt ?? 0) < 2 * hour + 10 * minute,
  )
  assert.deepEqual(
    backtest(
      planOf({ low: { kind: 'threshold', metric: 'loan', crit: { min: 1 }, forWindows: 2 } }),
      [metricOf('loan')],
      arrivals,
    ).intervals,
    [],
  )
})

test('a CSV is read with and without a header, in seconds, ms and ISO, and a line that is none is named', () => {
  const ats = (text: string) => readCsv(text).points.map(({ at }) => at)
  const expected = [0, hour, 2 * hour]
  assert.deepEqual(ats('timestamp,value\n0,1\n3600,2\n7200,3\n'), expected)
  assert.deepEqual(
    ats('1970-01-01 00:00:00,1\r\n1970-01-01T01:00:00Z,2\r\n1970-01-01T04:00:00+02:00,3'),
    expected,
  )
  assert.throws(() => readCsv('timestamp,value\n0,1\nsoon,2\n7200,3'), /line 3: "soon,2"/)
  assert.throws(() => readCsv('0,1\n'), /fewer than three/)
})

test('the examples in docs/alerts.md are read as rules, routes and times', () => {
  const text = readFileSync(new URL('../../../docs/alerts.md', import.meta.url), 'utf8')
  const all = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block = '']) => block)
  const alone = all.filter((block) => block.startsWith('# rules.yaml'))
  assert.deepEqual(
    alone.map((block) => planOf(parse(block)).rules.length),
    [2],
  )
  const blocks = all.filter((block) => !alone.includes(block))
  assert.equal(blocks.length, 2)
  const plan = planOf(Object.assign({}, ...blocks.map((block) => parse(block) as object)))
  assert.equal(plan.rules.length, 10)
  assert.deepEqual(
    plan.routes.map(({ name }) => name),
    ['route 1', 'route 2', 'default'],
  )
})
