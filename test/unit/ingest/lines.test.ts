import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { visitLines } from '../../../src/ingest/lines.ts'
import { decoderFor, eventPlan, linesBatch, metricPlan, NOW } from '../../support/decode-plans.ts'

function seen(bytes: Buffer | string, fromOffset = 0): (readonly [string, number])[] {
  const lines: (readonly [string, number])[] = []
  visitLines(linesBatch(bytes, { fromOffset }), {
    record(of, start, end, offset) {
      lines.push([of.toString('utf8', start, end), offset])
    },
  })
  return lines
}

test('a line ends with \\n, \\r\\n or the end of the bytes, and its offset is its first byte', () => {
  assert.deepEqual(seen('{}\n{"a":1}\r\n[1]', 100), [
    ['{}', 100],
    ['{"a":1}', 103],
    ['[1]', 112],
  ])
  assert.deepEqual(seen('{}\n'), [['{}', 0]])
  assert.deepEqual(seen(''), [])
})

test('blank lines are no records', () => {
  assert.deepEqual(seen('\n\r\n  \t\n{}\n \n'), [['{}', 7]])
})

test('cutting the bytes at a line end changes nothing', () => {
  const line = fc.constantFrom('{}', '{"a":1}', '', ' ', 'x\r', '杭')
  fc.assert(
    fc.property(fc.array(line), fc.array(line), (left, right) => {
      const first = left.map((one) => `${one}\n`).join('')
      const second = right.map((one) => `${one}\n`).join('')
      assert.deepEqual(seen(first + second), [
        ...seen(first),
        ...seen(second, Buffer.byteLength(first)),
      ])
    }),
  )
})

for (const kind of ['json-wasm', 'json-walk', 'json-parse'] as const) {
  test(`${kind}: a line beyond the bound is too large, and the lines around it are read`, () => {
    const metric = metricPlan({ dimensions: [], keep: undefined, splitByOutcome: false })
    const { decoder, out } = decoderFor(kind, eventPlan(), [metric], { maxLineBytes: 100 })
    const good = '{"eventTime":1699999999}'
    const large = `{"eventTime":1699999999,"x":"${'y'.repeat(100)}"}`
    decoder.decode(linesBatch(`${good}\n${large}\n${good}\n`), NOW, out)
    assert.equal(out.length, 2)
    assert.deepEqual(
      out.rejects.map(({ reason, offset }) => [reason, offset]),
      [['too_large', good.length + 1]],
    )
  })

  test(`${kind}: a byte order mark before the first document is skipped`, () => {
    const metric = metricPlan({ dimensions: [], keep: undefined, splitByOutcome: false })
    const { decoder, out } = decoderFor(kind, eventPlan(), [metric])
    decoder.decode(linesBatch('\ufeff{"eventTime":1699999999}\n'), NOW, out)
    assert.equal(out.length, 1)
  })
}
