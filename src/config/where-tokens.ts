/** Where and why a filter cannot be read. */
export interface FilterMistake {
  /** Index into the text of the filter, from 0. */
  readonly at: number
  readonly what: string
  readonly right: string
}

export type Parsed<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'mistake'; readonly mistake: FilterMistake }

/** A piece of a filter. */
export interface Token {
  /** `word`: a bare name or keyword. `text`: a quoted string, `text` being its meaning. `end`: past the last. */
  readonly kind: 'word' | 'text' | 'number' | 'sign' | 'end'
  readonly text: string
  /** A bare word with a meaning of its own in the language. */
  readonly keyword: boolean
  /** Index of its first character in the filter. */
  readonly at: number
}

const keywords = new Set(['and', 'or', 'not', 'in', 'matches', 'true', 'false', 'null'])
const space = /\s+/y
const number = /[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\p{L}\p{N}_])/uy
const word = /[\p{L}_$@][\p{L}\p{N}_$@-]*/uy
/** A segment of a path may begin with a digit. */
const segment = /[\p{L}\p{N}_$@-]+/uy
const sign = /==|!=|=~|!~|<=|>=|&&|\|\||[<>=!()[\],.]/y
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }

/** Can the name of a field stand without quotes? */
export const isBareWord = (name: string): boolean =>
  /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) && !keywords.has(name)

/** Splits a filter into tokens; the last one is `end`. */
export function tokenize(text: string): Parsed<readonly Token[]> {
  const tokens: Token[] = []
  let at = 0
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  const push = (kind: Token['kind'], value: string, length: number) => {
    tokens.push({ kind, text: value, keyword: kind === 'word' && keywords.has(value), at })
    at += length
  }
  const mistake = (from: number, what: string, right: string): Parsed<never> => ({
    kind: 'mistake',
    mistake: { at: from, what, right },
  })
  while (at < text.length) {
    const char = text.charAt(at)
    const blank = match(space)
    if (blank !== undefined) {
      at += blank.length
      continue
    }
    if (char === '"' || char === "'") {
      const quoted = quotedAt(text, at)
      if (quoted === undefined) return mistake(at, `the quote ${char} never closes`, 'close it')
      push('text', quoted.text, quoted.length)
      continue
    }
    const afterDot = tokens.at(-1)?.text === '.' && tokens.at(-1)?.kind === 'sign'
    const name = match(afterDot ? segment : word)
    if (name !== undefined) {
      push('word', name, name.length)
      continue
    }
    const digits = match(number)
    if (digits !== undefined) {
      push('number', digits, digits.length)
      continue
    }
    const operator = match(sign)
    if (operator === undefined) {
      const shown = String.fromCodePoint(text.codePointAt(at) ?? 0)
      return mistake(at, `"${shown}" means nothing in a filter`, 'put text in quotes')
    }
    push('sign', operator, operator.length)
  }
  push('end', '', 0)
  return { kind: 'ok', value: tokens }
}

/**
 * The quoted text that begins at `at`; undefined when it does not close. `\n`, `\t`, `\r`, `\uXXXX`, `\\` and escaped
 * quotes are escapes; any other backslash stays, so that patterns need no doubling: `"\d+"`.
 */
function quotedAt(text: string, at: number): { text: string; length: number } | undefined {
  const quote = text.charAt(at)
  let value = ''
  for (let i = at + 1; i < text.length; i++) {
    const char = text.charAt(i)
    if (char === quote) return { text: value, length: i + 1 - at }
    if (char !== '\\') {
      value += char
      continue
    }
    const next = text.charAt(++i)
    const unicode = next === 'u' ? /^[0-9a-fA-F]{4}/.exec(text.slice(i + 1, i + 5))?.[0] : undefined
    if (unicode !== undefined) {
      value += String.fromCharCode(Number.parseInt(unicode, 16))
      i += 4
    } else if (next === '\\' || next === '"' || next === "'") value += next
    else value += escapes[next] ?? `\\${next}`
  }
  return undefined
}
