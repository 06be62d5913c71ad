/** Why a body is refused, and where. */
export interface BodyProblem {
  readonly message: string
  /** Byte in the body. */
  readonly position: number
  /** Which document, from 1. */
  readonly document: number
}

export type SplitBody =
  | { readonly kind: 'documents'; readonly lines: Buffer; readonly count: number }
  | { readonly kind: 'invalid'; readonly problem: BodyProblem }

const byteOf = {
  quote: 0x22,
  backslash: 0x5c,
  comma: 0x2c,
  open: 0x5b,
  close: 0x5d,
  brace: 0x7b,
} as const
const lineFeed = 0x0a
const carriageReturn = 0x0d
const space = 0x20
const isBlank = (byte: number | undefined): boolean =>
  byte === space || byte === lineFeed || byte === carriageReturn || byte === 0x09

/**
 * Splits a body into JSON objects, one a line: one object, an array of objects, or objects one after the other (NDJSON).
 * Documents keep their bytes, digits of numbers included; only line breaks between tokens become spaces.
 * One document that is no JSON object makes the whole body invalid.
 */
export function splitDocuments(body: Buffer): SplitBody {
  // Every document gets a line end; the shortest is `{}`.
  const lines = Buffer.allocUnsafe(body.length + (body.length >> 1) + 1)
  let length = 0
  let count = 0
  let at = skipBlank(body, 0)
  const inArray = body[at] === byteOf.open
  if (inArray) at = skipBlank(body, at + 1)
  if (inArray && body[at] === byteOf.close) return finish(at + 1)
  while (at < body.length) {
    const end = documentEnd(body, at)
    const message = problemOf(body.subarray(at, end))
    if (message !== undefined) return invalid(message.text, at + message.at)
    for (let i = at; i < end; i += 1) {
      const byte = body[i] ?? space
      lines[length] = byte === lineFeed || byte === carriageReturn ? space : byte
      length += 1
    }
    lines[length] = lineFeed
    length += 1
    count += 1
    at = skipBlank(body, end)
    if (!inArray) continue
    if (body[at] === byteOf.close) return finish(at + 1)
    if (body[at] !== byteOf.comma) return invalid('expected , or ] after an element', at)
    at = skipBlank(body, at + 1)
  }
  if (inArray) return invalid('the array is not closed', body.length)
  if (count === 0) return invalid('the body is empty', 0)
  return { kind: 'documents', lines: lines.subarray(0, length), count }

  function finish(after: number): SplitBody {
    const rest = skipBlank(body, after)
    if (rest < body.length) return invalid('there is more after the array', rest)
    return { kind: 'documents', lines: lines.subarray(0, length), count }
  }

  function invalid(message: string, position: number): SplitBody {
    return { kind: 'invalid', problem: { message, position, document: count + 1 } }
  }
}

function skipBlank(body: Buffer, from: number): number {
  let at = from
  while (at < body.length && isBlank(body[at])) at += 1
  return at
}

/** End of the object that begins at `from`, by depth, strings apart; anything else ends where the next blank or comma is. */
function documentEnd(body: Buffer, from: number): number {
  let depth = 0
  let inString = false
  for (let at = from; at < body.length; at += 1) {
    const byte = body[at]
    if (inString) {
      if (byte === byteOf.backslash) at += 1
      else if (byte === byteOf.quote) inString = false
    } else if (byte === byteOf.quote) inString = true
    else if (byte === byteOf.brace || byte === byteOf.open) depth += 1
    else if (byte === 0x7d || byte === byteOf.close) {
      depth -= 1
      if (depth <= 0) return at + 1
    } else if (depth === 0 && (isBlank(byte) || byte === byteOf.comma)) return at
  }
  return body.length
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function problemOf(document: Buffer): { readonly text: string; readonly at: number } | undefined {
  if (document[0] !== byteOf.brace)
    return { text: 'expected an object, an array of objects, or objects one a line', at: 0 }
  let text = ''
  try {
    text = utf8.decode(document)
    JSON.parse(text)
    return undefined
  } catch (error) {
    if (text === '') return { text: 'not UTF-8', at: 0 }
    const message = error instanceof Error ? error.message : String(error)
    const position = /position (\d+)/.exec(message)?.[1]
    const at = position === undefined ? 0 : Buffer.byteLength(text.slice(0, Number(position)))
    return { text: message, at }
  }
}
