import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { resolveEscapes, utf8Length } from '../../../src/ingest/json-text.ts'
import { decimal } from '../../../src/ingest/walked-document.ts'

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes)
    return true
  } catch {
    return false
  }
}

test('UTF-8 sequences are taken exactly where a strict decoder takes them', () => {
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]
  const all = Array.from({ length: 256 }, (_, byte) => byte)
  // Where the rules for the second byte change; every other first byte goes by the rules of its neighbours.
  const borders = new Set([
    0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf4, 0xf5,
  ])
  const ends = [0x7f, 0x80, 0xbf, 0xc0]
  for (let first = 0x80; first < 256; first++) {
    for (const second of borders.has(first) ? all : edges) {
      for (const third of borders.has(first) ? edges : ends) {
        for (const fourth of ends) {
          const bytes = Buffer.from([first, second, third, fourth])
          const length = utf8Length(bytes, 0)
          const whole = [2, 3, 4].find((count) => {
            const sequence = bytes.subarray(0, count)
            return isSequence(sequence) && strict.decode(sequence).length === (count === 4 ? 2 : 1)
          })
          if (length !== (whole ?? 0)) assert.equal(length, whole ?? 0, bytes.toString('hex'))
        }
      }
    }
  }
  function isSequence(bytes: Uint8Array): boolean {
    const tails = bytes.subarray(1)
    return tails.every((one) => one >= 0x80 && one < 0xc0) && isUtf8(bytes)
  }
})

test('every code point comes out of its escape as its UTF-8 bytes', () => {
  const into = Buffer.alloc(64)
  const hex = (unit: number) => `\\u${unit.toString(16).padStart(4, '0')}`
  for (let point = 0; point <= 0x10ffff; point += point < 0x11000 ? 1 : 251) {
    if (point >= 0xd800 && point <= 0xdfff) continue
    const text = String.fromCodePoint(point)
    const escaped = Buffer.from(
      [...Array(text.length).keys()].map((i) => hex(text.charCodeAt(i))).join(''),
    )
    const end = resolveEscapes(escaped, 0, escaped.length, into, 3)
    if (into.toString('utf8', 3, end) !== text) assert.equal(into.toString('utf8', 3, end), text)
  }
})

test('a surrogate without its other half has no bytes', () => {
  const into = Buffer.alloc(64)
  for (const text of [
    '\\ud800',
    '\\udc00',
    '\\ud800\\ud800',
    '\\udc00\\ud800',
    '\\ud800x',
    '\\ud800\\n',
  ]) {
    const bytes = Buffer.from(text)
    assert.equal(resolveEscapes(bytes, 0, bytes.length, into, 0), -1, text)
  }
})

test('strings come out of their escapes as JSON.parse reads them', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.array(fc.boolean(), { minLength: 1 }),
      (text, asEscape) => {
        const escaped = [...Array(text.length).keys()]
          .map((i) =>
            asEscape[i % asEscape.length] === true
              ? `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`
              : JSON.stringify(text.charAt(i)).slice(1, -1),
          )
          .join('')
        const bytes = Buffer.from(escaped)
        const into = Buffer.alloc(bytes.length)
        // Half of a pair as an escape, the other not, can't be: JSON.stringify escapes lone halves.
        const end = resolveEscapes(bytes, 0, bytes.length, into, 0)
        assert.equal(into.toString('utf8', 0, end), JSON.parse(`"${escaped}"`))
      },
    ),
  )
})

test('numbers are rounded as JSON.parse rounds them', () => {
  const texts = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    fc
      .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.nat(22))
      .map(([digits, point]) => {
        const text = String(digits < 0n ? -digits : digits).padStart(point + 1, '0')
        const fraction = point === 0 ? '' : `.${text.slice(text.length - point)}`
        return `${digits < 0n ? '-' : ''}${text.slice(0, text.length - point)}${fraction}`
      }),
    fc.constantFrom(
      '0',
      '-0',
      '-0.0',
      '0.1',
      '1e5',
      '1E-5',
      '-1.5e+300',
      '1e999',
      '007',
      '123456789012345.5',
    ),
  )
  fc.assert(
    fc.property(texts, fc.nat(3), (text, before) => {
      const bytes = Buffer.from(`${'9'.repeat(before)}${text}9`)
      assert.ok(Object.is(decimal(bytes, before, before + text.length), Number(text)), text)
    }),
    { numRuns: 5000 },
  )
})

test('texts that are no numbers are NaN', () => {
  for (const text of [
    '',
    '-',
    '.',
    '1.',
    '.5',
    '-.5',
    '1..2',
    '1.2.3',
    '1e',
    'e5',
    ' 1',
    '1 ',
    '0x10',
    'NaN',
    'Infinity',
    '1_0',
    '+1',
    '１',
  ]) {
    const bytes = Buffer.from(text)
    assert.ok(Number.isNaN(decimal(bytes, 0, bytes.length)), text)
  }
})
