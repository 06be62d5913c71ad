import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Pane } from '../../../src/core/pane.ts'
import { epochMs } from '../../../src/core/time.ts'
import { type PointOptions, pointKey, pointsOf } from '../../../src/sink/data-point.ts'

const options: PointOptions = {
  prefix: 'warden.',
  timestamp: 'start',
  job: 'lending',
  incarnation: 3,
}

function pane(overrides: Partial<Pane> = {}): Pane {
  return {
    metric: 'loan',
    tags: { product: 'p1', channel: '' },
    windowStart: epochMs(3_600_000),
    windowEnd: epochMs(7_200_000),
    firing: 'late',
    revision: 2,
    values: { count: 5, 'sum.amount': 12.5, rate: 0.25 },
    previous: undefined,
    zero: false,
    ...overrides,
  }
}

describe('pointsOf', () => {
  it('makes one point per aggregate, with the rank of the pane', () => {
    const tags = { product: 'p1', channel: '_x_' }
    const rest = { tags, timestamp: 3_600, incarnation: 3, revision: 2 }
    assert.deepEqual(pointsOf(pane(), options), [
      { metric: 'warden.loan.count', value: 5, ...rest },
      { metric: 'warden.loan.sum.amount', value: 12.5, ...rest },
      { metric: 'warden.loan.rate', value: 0.25, ...rest },
    ])
  })

  it('dates points by the end of the window when asked to', () => {
    const [point] = pointsOf(pane(), { ...options, timestamp: 'end' })
    assert.equal(point?.timestamp, 7_200)
  })

  it('tags a metric without dimensions with the job', () => {
    const [point] = pointsOf(pane({ tags: {} }), { ...options, job: 'my job' })
    assert.deepEqual(point?.tags, { job: 'my_x20_job' })
  })

  it('leaves out what is not finite', () => {
    const values = { a: Number.NaN, b: Number.POSITIVE_INFINITY, c: Number.NEGATIVE_INFINITY, d: 0 }
    assert.deepEqual(
      pointsOf(pane({ values }), options).map(({ metric }) => metric),
      ['warden.loan.d'],
    )
  })

  it('takes a dimension of any name', () => {
    const [point] = pointsOf(
      pane({ tags: JSON.parse('{"__proto__":"1","biz line":"2"}') }),
      options,
    )
    assert.deepEqual(Object.entries(point?.tags ?? {}), [
      ['__proto__', '1'],
      ['biz_x20_line', '2'],
    ])
  })
})

describe('pointKey', () => {
  it('does not depend on the order of tags', () => {
    const [point] = pointsOf(pane(), options)
    assert.ok(point)
    const reversed = { ...point, tags: { channel: '_x_', product: 'p1' } }
    assert.equal(pointKey(point), pointKey(reversed))
    assert.notEqual(
      pointKey(point),
      pointKey({ ...point, tags: { channel: 'p1', product: '_x_' } }),
    )
    assert.notEqual(pointKey(point), pointKey({ ...point, timestamp: 0 }))
  })
})
