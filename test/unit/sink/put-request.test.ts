import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { putBody, putValue } from '../../../src/sink/put-request.ts'

describe('putValue', () => {
  const table: readonly [number, string][] = [
    [5, '5.0'],
    [0, '0.0'],
    [-0, '0.0'],
    [-3, '-3.0'],
    [5.5, '5.5'],
    [1e20, '100000000000000000000.0'],
    [1e21, '1.0E21'],
    [-1.5e300, '-1.5E300'],
    [1e-7, '1.0E-7'],
    [5e-324, '5.0E-324'],
  ]
  for (const [value, text] of table) {
    it(`writes ${value} as ${text}`, () => assert.equal(putValue(value), text))
  }

  it('has a decimal point and means the same number, whatever the number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = putValue(value)
        assert.match(text, /^-?\d+\.\d+(E-?\d+)?$/)
        assert.equal(Number(text), value === 0 ? 0 : value)
      }),
    )
  })
})

describe('putBody', () => {
  it('is a JSON array of points', () => {
    const point = {
      metric: 'm',
      tags: { a: '1', b: '2' },
      timestamp: 7,
      value: 5,
      incarnation: 1,
      revision: 2,
    }
    const sent = { metric: 'm', timestamp: 7, value: '5.0', tags: { a: '1', b: '2' } }
    assert.deepEqual(JSON.parse(putBody([point, point])), [sent, sent])
  })
})
