import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeName, encodeName, maxNameLength } from '../../../src/sink/point-names.ts'

const legal = /^[A-Za-z0-9._/-]+$/

/** Texts that look like escapes, and any others, lone surrogates included. */
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom(
      '_',
      'x',
      'h',
      '2',
      '0',
      '5',
      'f',
      '-',
      ' ',
      'é',
      '温',
      '\ud83d',
      '\ude00',
    ),
    maxLength: 40,
  }),
)

describe('encodeName', () => {
  const table: readonly [string, string][] = [
    ['cash_loan', 'cash_loan'],
    ['a/b-c.d', 'a/b-c.d'],
    ['a b', 'a_x20_b'],
    ['host:8080', 'host_x3a_8080'],
    ['温度', '_x6e29-5ea6_'],
    ['my_xray', 'my_x5f_xray'],
    ['_x20_', '_x5f_x20_'],
    ['😀', '_x1f600_'],
    ['', '_x_'],
  ]
  for (const [text, name] of table) {
    it(`makes ${JSON.stringify(name)} of ${JSON.stringify(text)}`, () => {
      assert.equal(encodeName(text), name)
      assert.equal(decodeName(name), text)
    })
  }

  it('is legal for every text, and never longer than the bound', () => {
    fc.assert(
      fc.property(
        fc.oneof(texts, fc.string({ unit: 'binary', minLength: 200, maxLength: 600 })),
        (text) => {
          const name = encodeName(text)
          assert.match(name, legal)
          assert.ok(name.length <= maxNameLength)
        },
      ),
    )
  })

  it('is read back to the same text', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const name = encodeName(text)
        if (!name.includes('_xh')) assert.equal(decodeName(name), text)
      }),
      { numRuns: 1_000 },
    )
  })

  it('differs for different texts, long ones too', () => {
    const long = fc.tuple(
      fc.constantFrom('a'.repeat(300), '温'.repeat(90), 'a_x'.repeat(100)),
      texts,
    )
    const any = fc.oneof(
      texts,
      long.map(([start, end]) => start + end),
    )
    fc.assert(
      fc.property(any, any, (one, other) => {
        assert.equal(encodeName(one) === encodeName(other), one === other)
      }),
      { numRuns: 1_000 },
    )
  })

  it('cuts a long text between escapes, and says that it was cut', () => {
    fc.assert(
      fc.property(fc.nat(20), (shift) => {
        const name = encodeName('a'.repeat(210 + shift) + '温 b'.repeat(60))
        assert.match(name, /^a+(b|_x[0-9a-f]+(-[0-9a-f]+)*_)*_xh[0-9a-f]{26}_$/)
        assert.equal(decodeName(name), undefined)
      }),
    )
  })
})

describe('decodeName', () => {
  it('knows what no encodeName made', () => {
    for (const name of [
      '',
      'a b',
      '_x',
      '_x20',
      '_xzz_',
      '_x41_',
      'a_x_b',
      '_x20__x21_',
      '_x110000_',
    ]) {
      assert.equal(decodeName(name), undefined, name)
    }
  })

  it('reads a text back that looks like the end of a cut name', () => {
    const text = `a_xh${'0'.repeat(26)}_`
    assert.equal(decodeName(encodeName(text)), text)
  })
})
