import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { splitDocuments } from '../../../src/ingest/json-documents.ts'

function split(body: string | Buffer): string[] {
  const found = splitDocuments(Buffer.from(body))
  assert.equal(found.kind, 'documents', found.kind === 'invalid' ? found.problem.message : '')
  if (found.kind !== 'documents') return []
  const lines = found.lines.toString().split('\n')
  assert.equal(lines.pop(), '')
  assert.equal(lines.length, found.count)
  return lines
}

function problem(body: string | Buffer): { position: number; document: number; message: string } {
  const found = splitDocuments(Buffer.from(body))
  assert.equal(found.kind, 'invalid')
  return found.kind === 'invalid' ? found.problem : assert.fail()
}

describe('splitting a body into documents', () => {
  it('takes an object, an array of objects, and objects one after the other', () => {
    assert.deepEqual(split('{"a":1}'), ['{"a":1}'])
    assert.deepEqual(split(' [ {"a":1} , {"a":[2,{"b":"]}"}]} ] \n'), [
      '{"a":1}',
      '{"a":[2,{"b":"]}"}]}',
    ])
    assert.deepEqual(split('{"a":1}\r\n\n{"a":2}\n'), ['{"a":1}', '{"a":2}'])
    assert.deepEqual(split('[]'), [])
  })

  it('keeps the digits of numbers and folds a pretty-printed document to one line', () => {
    const pretty = '{\n  "id": 12345678901234567890,\r\n  "n": 1.10e+02\n}'
    assert.deepEqual(split(pretty), ['{   "id": 12345678901234567890,    "n": 1.10e+02 }'])
  })

  it('refuses the whole body for one bad document, and says where', () => {
    assert.deepEqual(problem('{"a":1}\n{"a":}\n').document, 2)
    assert.ok(problem('{"a":1}\n{"a":}\n').position >= 8)
    assert.equal(problem('').message, 'the body is empty')
    assert.equal(problem('[{"a":1}').position, 8)
    assert.equal(problem('[{"a":1} {"b":1}]').position, 9)
    assert.equal(problem('[{"a":1}] {"b":1}').position, 10)
    assert.equal(problem('[1]').position, 1)
    assert.equal(problem('"text"').position, 0)
    assert.equal(problem('{"a":"line\nbreak"}').document, 1)
    assert.equal(problem(Buffer.from('7b2261223a22ff227d', 'hex')).message, 'not UTF-8')
    assert.match(problem('{"unclosed":1').message, /JSON/)
  })

  it('gives back any objects, however they are printed and joined', () => {
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { minLength: 1, maxLength: 6 }),
        fc.constantFrom(undefined, 2, '\t'),
        fc.constantFrom('array', 'lines', 'glued'),
        (objects, indent, form) => {
          const each = objects.map((one) => JSON.stringify(one, null, indent))
          const body =
            form === 'array' ? `[${each.join(',\n')}]` : each.join(form === 'lines' ? '\n' : '')
          const back = split(body).map((line) => JSON.parse(line))
          assert.deepEqual(
            back,
            objects.map((one) => JSON.parse(JSON.stringify(one))),
          )
        },
      ),
    )
  })
})
