/**
 * Names and tag values as time series stores take them: only `A-Z a-z 0-9 . _ / -`. OpenTSDB refuses most other characters and
 * silently merges series whose names differ in non-Latin-1 letters only, so everything else is escaped.
 *
 * - A run of other characters becomes `_x<code points in hex, joined by ->_`: `温度` → `_x6e29-5ea6_`, `a b` → `a_x20_b`.
 * - `_` stays as it is, except before `x`, where it is `_x5f_`: `_x` therefore always begins an escape.
 * - The empty text is `_x_`.
 * - A name longer than `maxNameLength` is cut, and ends in `_xh<26 hex digits of a hash of the whole>_`.
 */
const illegal = /[^A-Za-z0-9._/-]+|_(?=x)/gu

const escapeToken = /_x([0-9a-f]+(?:-[0-9a-f]+)*)?_/g
/** A whole legal name that was cut. The `_` of `_xh` is never the end of an escape before it. */
const cutName = /^(?:[A-Za-z0-9./-]|_(?!x)|_x(?:[0-9a-f]+(?:-[0-9a-f]+)*)?_)*_xh[0-9a-f]{26}_$/
/** A whole legal name: plain characters and escapes, nothing that only begins like an escape. */
const legalName =
  /^(?:[A-Za-z0-9./-]|_(?!x)|_x(?:[0-9a-f]+(?:-[0-9a-f]+)*)?_)*(?:_xh[0-9a-f]{26}_)?$/

/** Characters of an encoded name. OpenTSDB takes more, but every index and every chart legend carries it. */
export const maxNameLength = 255

/** Length of `_xh…_`. */
const hashLength = 30

/** The legal name of any text. Different texts have different names; see `decodeName` for the way back. */
export function encodeName(text: string): string {
  if (text === '') return '_x_'
  const name = text.replace(illegal, (run) => `_x${codePoints(run)}_`)
  if (name.length <= maxNameLength) return name
  return `${cut(name, maxNameLength - hashLength)}_xh${hash(text)}_`
}

/** The text of a name made by `encodeName`; undefined when the name was cut, or is none of its making. */
export function decodeName(name: string): string | undefined {
  if (name === '' || !legalName.test(name) || isCut(name)) return undefined
  const text = name.replace(escapeToken, (_, run: string | undefined) =>
    run === undefined
      ? ''
      : run
          .split('-')
          .map((hex) => character(hex))
          .join(''),
  )
  return encodeName(text) === name ? text : undefined
}

/** Was this name made of a text too long for it? Two such texts have different names, but the name no longer tells the text. */
export function isCut(name: string): boolean {
  return name.length >= hashLength && cutName.test(name)
}

function codePoints(run: string): string {
  return Array.from(run, (one) => (one.codePointAt(0) ?? 0).toString(16)).join('-')
}

function character(hex: string): string {
  const code = Number.parseInt(hex, 16)
  return code <= 0x10ffff ? String.fromCodePoint(code) : ''
}

/** The first `length` characters of an encoded name, less where that would split an escape. */
function cut(name: string, length: number): string {
  for (const match of name.matchAll(escapeToken)) {
    if (match.index >= length) break
    if (match.index + match[0].length > length) return `${name.slice(0, match.index)}`
  }
  return name.slice(0, length)
}

/** 104 bits over UTF-16 code units: two runs of cyrb53 (Bryc, public domain) with different seeds. */
function hash(text: string): string {
  return [0x2545f491, 0x6c8e9cf5]
    .map((seed) => cyrb53(text, seed).toString(16).padStart(14, '0').slice(-13))
    .join('')
}

function cyrb53(text: string, seed: number): number {
  let high = 0xdeadbeef ^ seed
  let low = 0x41c6ce57 ^ seed
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    high = Math.imul(high ^ unit, 2654435761)
    low = Math.imul(low ^ unit, 1597334677)
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909)
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909)
  return 4294967296 * (2097151 & low) + (high >>> 0)
}
