import type { FieldPath } from '../core/plan.ts'
import type { FieldValue } from './condition.ts'

/** Why a value is no JSON object. */
export type DocumentFault = 'invalid_utf8' | 'not_json' | 'not_an_object'

const utf8 = new TextDecoder('utf-8', { fatal: true })
const encoder = new TextEncoder()
/** Keeps a byte order mark: inside a string it is a character. */
const replacing = new TextDecoder('utf-8', { ignoreBOM: true })

/** A string or a number of a text that is known to be JSON. */
const token = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/**
 * A document read by JSON.parse: what the others are compared with. Paths lead through objects only, a repeated key counts
 * where it stands last, and a byte order mark at the start is skipped.
 */
export class ParsedDocument {
  readonly #text: string
  readonly #root: object
  #tagged: object | undefined

  private constructor(text: string, root: object) {
    this.#text = text
    this.#root = root
  }

  static read(bytes: Uint8Array): ParsedDocument | DocumentFault {
    let text: string
    try {
      text = utf8.decode(bytes)
    } catch {
      return 'invalid_utf8'
    }
    let root: unknown
    try {
      root = JSON.parse(text)
    } catch {
      return 'not_json'
    }
    return isObject(root) ? new ParsedDocument(text, root) : 'not_an_object'
  }

  /** Value at the path; undefined when there is none. Strings are well-formed: a lone surrogate is U+FFFD. */
  valueAt(path: FieldPath): unknown {
    const value = lookup(this.#root, path)
    return typeof value === 'string' ? wellFormed(value) : value
  }

  /**
   * Text of a string, number or boolean as it stands in the document, without quotes and with escapes resolved: a number keeps
   * its digits (`1.0`, 2^53 + 1). undefined for everything else.
   */
  textAt(path: FieldPath): string | undefined {
    const value = this.valueAt(path)
    if (typeof value === 'string') return value
    if (typeof value === 'boolean') return String(value)
    if (typeof value !== 'number') return undefined
    this.#tagged ??= withNumbersAsText(this.#text)
    const tagged = lookup(
      this.#tagged,
      path.map((key) => `s${key}`),
    )
    return String(tagged).slice(1)
  }

  /** The field as a condition reads it. */
  readonly read = (path: FieldPath): FieldValue => {
    const textAt = () => this.textAt(path)
    return {
      value: this.valueAt(path),
      get text() {
        return textAt()
      },
    }
  }
}

/** The same document with `s` before every string and key, and every number as a string of `n` and its text. */
function withNumbersAsText(text: string): object {
  return JSON.parse(
    text.replace(token, (found) => (found[0] === '"' ? `"s${found.slice(1)}` : `"n${found}"`)),
  )
}

function lookup(root: object, path: FieldPath): unknown {
  let value: unknown = root
  for (const key of path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined
    value = value[key]
  }
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? replacing.decode(encoder.encode(text)) : text
}
