import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { planOfText } from '../../support/config-text.ts'

const metricOf = (metric: string) => {
  const [plan] = planOfText({ metric }).metrics
  return plan ?? assert.fail()
}

describe('the plan of a config', () => {
  it('names rates, values and fields, and reads each field once', () => {
    const plan = metricOf(`    window: { size: 1h }
    outcomes: [fail, success]
    aggregates:
      - users
      - rate: { success: [success], of: [fail, success] }
      - rawRate: { name: tries, success: [success] }
      - sum: loan.amount
      - avg: { field: amount, path: loan.amount }
      - max: { field: term }`)
    assert.deepEqual(plan.aggregates, [
      { kind: 'users', name: 'users' },
      { kind: 'rate', name: 'rate', raw: false, success: ['success'], of: ['fail', 'success'] },
      { kind: 'rate', name: 'tries', raw: true, success: ['success'], of: undefined },
      { kind: 'sum', name: 'sum.loan.amount', value: 0 },
      { kind: 'avg', name: 'avg.amount', value: 0 },
      { kind: 'max', name: 'max.term', value: 1 },
    ])
    assert.deepEqual(plan.values, [
      { name: 'loan.amount', path: ['loan', 'amount'] },
      { name: 'term', path: ['term'] },
    ])
  })

  it('takes the dimension outcome for the outcome and the others for fields', () => {
    const plan = metricOf(`    window: { size: 1h }
    dimensions: [outcome, bizLine, { name: channel, path: ext.channel, missing: unknown }]
    series: [{ channel: app, bizLine: cash }]`)
    assert.equal(plan.splitByOutcome, true)
    assert.deepEqual(plan.dimensions, [
      { name: 'bizLine', path: ['bizLine'], missing: undefined },
      { name: 'channel', path: ['ext', 'channel'], missing: 'unknown' },
    ])
    assert.deepEqual(plan.declaredSeries, [['cash', 'app']])
  })

  it('has tumbling windows without a slide, and midnights with a zone', () => {
    assert.deepEqual(metricOf('    window: { size: 1h, offset: 5m }').window, {
      sizeMs: 3_600_000,
      slideMs: 3_600_000,
      alignment: { kind: 'offset', offsetMs: 300_000 },
    })
    assert.deepEqual(metricOf('    window: { size: 7d, timezone: Asia/Shanghai }').window, {
      sizeMs: 604_800_000,
      slideMs: 604_800_000,
      alignment: { kind: 'zone', timezone: 'Asia/Shanghai' },
    })
  })

  it('maps events: paths, formats, outcome names and filters', () => {
    const plan = planOfText({
      source: `    event:
      time: { format: record }
      outcome: { path: result.code, names: { SUCC: success, "0": success } }
      where: v == 2`,
    })
    const [source] = plan.sources
    assert.deepEqual(source?.time, { path: [], format: 'record' })
    assert.deepEqual(source?.outcome, ['result', 'code'])
    assert.deepEqual(
      source?.outcomeNames,
      new Map([
        ['0', 'success'],
        ['SUCC', 'success'],
      ]),
    )
    assert.deepEqual(source?.where, { kind: 'compare', path: ['v'], op: '==', value: 2 })
  })
})
