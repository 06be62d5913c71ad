import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { canonicalCondition, conditionText } from '../../../src/config/condition-text.ts'
import { parseFieldPath, parseWhere } from '../../../src/config/where.ts'
import type { Condition, FieldPath } from '../../../src/core/plan.ts'

function parsed(text: string): Condition {
  const result = parseWhere(text)
  if (result.kind === 'mistake') assert.fail(`${result.mistake.what} at ${result.mistake.at}`)
  return result.value
}

function mistakeIn(text: string): readonly [number, string] {
  const result = parseWhere(text)
  if (result.kind === 'ok') assert.fail(`${text} was understood`)
  return [result.mistake.at, result.mistake.what]
}

const equals = (field: string, value: string): Condition => ({
  kind: 'compare',
  path: [field],
  op: '==',
  value,
})

describe('the filter language', () => {
  it('reads comparisons, lists, existence, patterns and their combinations', () => {
    const text =
      'event == "loan" and amount >= 100 and (channel in ["app", "h5"] or not exists(ext.ref)) and product =~ "^cash"'
    assert.deepEqual(parsed(text), {
      kind: 'and',
      of: [
        equals('event', 'loan'),
        { kind: 'compare', path: ['amount'], op: '>=', value: 100 },
        {
          kind: 'or',
          of: [
            { kind: 'in', path: ['channel'], values: ['app', 'h5'] },
            { kind: 'not', of: { kind: 'exists', path: ['ext', 'ref'] } },
          ],
        },
        { kind: 'matches', path: ['product'], pattern: /^cash/u },
      ],
    })
  })

  it('takes && || ! matches and not in for what they stand for', () => {
    assert.deepEqual(
      parsed('!(a == 1 && b != 2) || c matches "x"'),
      parsed('not (a == 1 and b != 2) or c =~ "x"'),
    )
    assert.deepEqual(parsed('a not in [1, 2]'), parsed('not a in [1, 2]'))
    assert.deepEqual(parsed('a !~ "x"'), parsed('not a =~ "x"'))
  })

  it('binds not tighter than and, and tighter than or', () => {
    assert.deepEqual(
      parsed('not a == "1" and b == "2" or c == "3"'),
      parsed('((not (a == "1")) and (b == "2")) or (c == "3")'),
    )
  })

  it('reads numbers, words and null as JSON values', () => {
    const literal = (text: string) => {
      const condition = parsed(`a == ${text}`)
      return condition.kind === 'compare' ? condition.value : assert.fail()
    }
    assert.deepEqual(['-1.5', '.5', '1e3', '+7', 'true', 'false', 'null', `'it"s'`].map(literal), [
      -1.5,
      0.5,
      1000,
      7,
      true,
      false,
      null,
      'it"s',
    ])
  })

  it('keeps backslashes of patterns and knows the usual escapes', () => {
    const condition = parsed(String.raw`a =~ "\d+\.\w" and b == "x\ty\u0041\"\\"`)
    assert.deepEqual(condition, {
      kind: 'and',
      of: [
        { kind: 'matches', path: ['a'], pattern: /\d+\.\w/u },
        { kind: 'compare', path: ['b'], op: '==', value: 'x\tyA"\\' },
      ],
    })
  })

  it('reads quoted segments and keywords inside a path', () => {
    const pathOf = (text: string): FieldPath => {
      const result = parseFieldPath(text)
      return result.kind === 'ok' ? result.value : assert.fail(result.mistake.what)
    }
    assert.deepEqual(pathOf('a."b.c".d'), ['a', 'b.c', 'd'])
    assert.deepEqual(pathOf('"in"'), ['in'])
    assert.deepEqual(pathOf('ext.in.2fa.user-id'), ['ext', 'in', '2fa', 'user-id'])
    assert.deepEqual(pathOf('用户.编号'), ['用户', '编号'])
    assert.deepEqual(pathOf('exists'), ['exists'])
  })

  it('points at the character that is wrong', () => {
    assert.deepEqual(mistakeIn('a = 1'), [2, '= compares nothing'])
    assert.deepEqual(mistakeIn('a == b'), [5, 'b is not a value'])
    assert.deepEqual(mistakeIn('a == "b'), [5, 'the quote " never closes'])
    assert.deepEqual(mistakeIn('a in []'), [5, 'an empty list matches nothing'])
    assert.deepEqual(mistakeIn('(a == 1'), [7, 'the end of the filter stands where ) belongs'])
    assert.deepEqual(mistakeIn('a == 1 b'), [7, '"b" is not expected here'])
    assert.deepEqual(mistakeIn('a == 1 # x'), [7, '"#" means nothing in a filter'])
    assert.deepEqual(mistakeIn('a < true'), [4, '< true orders nothing'])
    assert.deepEqual(mistakeIn('a == 1 and'), [
      10,
      'the end of the filter stands where the name of a field belongs',
    ])
    assert.deepEqual(mistakeIn(''), [
      0,
      'the end of the filter stands where the name of a field belongs',
    ])
  })

  it('refuses patterns that repeat a repetition, and takes those that are harmless', () => {
    for (const pattern of ['(a+)+', '([a-z]*)*', '(?:.*)+x', String.raw`(\w+){2,}`]) {
      assert.match(mistakeIn(`a =~ '${pattern}'`)[1], /for ?ever/)
    }
    for (const pattern of [String.raw`^\d+(,\d+)*$`, '(ab)+', '(a+)?', '(a|b)+']) {
      assert.equal(parsed(`a =~ '${pattern}'`).kind, 'matches')
    }
  })

  it('refuses a filter that is nested beyond reason instead of overflowing the stack', () => {
    assert.match(mistakeIn(`${'('.repeat(100_000)}a == 1`)[1], /levels of nesting/)
    assert.match(mistakeIn(`${'not '.repeat(100_000)}a == 1`)[1], /levels of nesting/)
  })
})

describe('the text of a condition', () => {
  /** Objects as the parser makes them, with a prototype. */
  const whole = { noNullPrototype: true } as const
  const path = fc.array(
    fc.oneof(fc.constantFrom('a', 'in', 'b.c', 'x y', '用'), fc.string({ minLength: 1 })),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
  const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((one) => one + 0 || 0)
  const scalar = fc.oneof(fc.string({ unit: 'binary' }), number, fc.boolean(), fc.constant(null))
  const leaf: fc.Arbitrary<Condition> = fc.oneof(
    fc.record(
      {
        kind: fc.constant('compare' as const),
        path,
        op: fc.constantFrom('==' as const, '!=' as const),
        value: scalar,
      },
      whole,
    ),
    fc.record(
      {
        kind: fc.constant('compare' as const),
        path,
        op: fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const),
        value: fc.oneof(fc.string(), number),
      },
      whole,
    ),
    fc.record({ kind: fc.constant('exists' as const), path }, whole),
    fc.record(
      {
        kind: fc.constant('in' as const),
        path,
        values: fc.array(scalar, { minLength: 1, maxLength: 3 }),
      },
      whole,
    ),
    fc.record(
      {
        kind: fc.constant('matches' as const),
        path,
        pattern: fc.constantFrom(/^a\d+"\\x/u, /a b/u, /\//u),
      },
      whole,
    ),
  )
  const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.record({ kind: fc.constant('not' as const), of: tie('condition') }, whole),
      fc.record(
        {
          kind: fc.constantFrom('and' as const, 'or' as const),
          of: fc.array(tie('condition'), { minLength: 2, maxLength: 3 }),
        },
        whole,
      ),
    ),
  }))

  it('parses back to the same condition', () => {
    fc.assert(fc.property(condition, (one) => assert.deepEqual(parsed(conditionText(one)), one)))
  })

  it('is the same for filters that differ only in the order of operands and values', () => {
    const canonical = (text: string) => conditionText(canonicalCondition(parsed(text)))
    assert.equal(
      canonical('b == 1 and (a in ["y", "x"] and c == 2)'),
      canonical('a in ["x", "y", "x"] and c == 2 and b == 1'),
    )
    assert.notEqual(canonical('a == 1 and b == 2'), canonical('a == 1 or b == 2'))
  })
})
