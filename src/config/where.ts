import type { Comparison, Condition, FieldPath, Scalar } from '../core/plan.ts'
import { type FilterMistake, type Parsed, type Token, tokenize } from './where-tokens.ts'

/**
 * Parses the filter language:
 * `event == "loan" and amount >= 100 and (channel in ["app", "h5"] or not exists(ext.ref)) and product =~ "^cash"`.
 * `&&`, `||` and `!` stand for `and`, `or` and `not`; `matches` for `=~`; `not` binds tighter than `and`, `and` than `or`.
 */
export function parseWhere(text: string): Parsed<Condition> {
  return guarded(() => {
    const parser = new Parser(text)
    const condition = parser.disjunction()
    parser.end()
    return condition
  })
}

/** Parses a dotted path into a document: `ext.channel`, `a."b.c"`. */
export function parseFieldPath(text: string): Parsed<FieldPath> {
  return guarded(() => {
    const parser = new Parser(text)
    const path = parser.path()
    parser.end('write one dotted path such as ext.channel; other characters in quotes: ext."a b"')
    return path
  })
}

/** Raised inside the parser, never leaves it. */
class Mistake extends Error {
  readonly mistake: FilterMistake

  constructor(mistake: FilterMistake) {
    super(mistake.what)
    this.mistake = mistake
  }
}

function guarded<T>(parse: () => T): Parsed<T> {
  try {
    return { kind: 'ok', value: parse() }
  } catch (error) {
    if (error instanceof Mistake) return { kind: 'mistake', mistake: error.mistake }
    throw error
  }
}

const comparisons: readonly string[] = ['==', '!=', '<', '<=', '>', '>='] satisfies Comparison[]
const isComparison = (text: string): text is Comparison => comparisons.includes(text)
const operatorsText = '==, !=, <, <=, >, >=, in [...], not in [...], =~ "pattern"'
/** Far above any filter a person writes; keeps the recursion of parser and compilers within the stack. */
const maxDepth = 100

/** Recursive descent, one method per rule of the grammar. */
class Parser {
  readonly #tokens: readonly Token[]
  #next = 0
  #depth = 0

  constructor(text: string) {
    const tokens = tokenize(text)
    if (tokens.kind === 'mistake') throw new Mistake(tokens.mistake)
    this.#tokens = tokens.value
  }

  disjunction(): Condition {
    return this.#chain('or', ['or', '||'], () => this.#conjunction())
  }

  end(right = 'join conditions with and, or'): void {
    const token = this.#peek()
    if (token.kind === 'end') return
    this.#fail(token, `${shown(token)} is not expected here`, right)
  }

  path(): FieldPath {
    const segments = [this.#segment()]
    while (this.#takes('.')) segments.push(this.#segment())
    return segments
  }

  #conjunction(): Condition {
    return this.#chain('and', ['and', '&&'], () => this.#negation())
  }

  #chain(kind: 'and' | 'or', operators: readonly string[], operand: () => Condition): Condition {
    const of = [operand()]
    while (operators.some((operator) => this.#takes(operator))) of.push(operand())
    const [only] = of
    return of.length === 1 && only !== undefined ? only : { kind, of }
  }

  #negation(): Condition {
    const first = this.#peek()
    if (!this.#takes('not') && !this.#takes('!')) return this.#primary()
    return this.#deeper(first, () => ({ kind: 'not', of: this.#negation() }))
  }

  #primary(): Condition {
    const first = this.#peek()
    if (this.#takes('(')) {
      const inner = this.#deeper(first, () => this.disjunction())
      this.#expect(')', 'close the parenthesis')
      return inner
    }
    if (first.kind === 'word' && first.text === 'exists' && this.#peek(1).text === '(') {
      this.#next += 2
      const path = this.path()
      this.#expect(')', 'close the parenthesis')
      return { kind: 'exists', path }
    }
    return this.#comparison(this.path())
  }

  #comparison(path: FieldPath): Condition {
    const operator = this.#peek()
    this.#next++
    if (operator.kind === 'sign' && isComparison(operator.text)) {
      return { kind: 'compare', path, op: operator.text, value: this.#operand(operator.text) }
    }
    if (operator.text === 'in' && operator.kind === 'word') {
      return { kind: 'in', path, values: this.#list() }
    }
    if (operator.text === 'not' && operator.kind === 'word' && this.#takes('in')) {
      return { kind: 'not', of: { kind: 'in', path, values: this.#list() } }
    }
    if (operator.text === '=~' || (operator.text === 'matches' && operator.kind === 'word')) {
      return { kind: 'matches', path, pattern: this.#pattern() }
    }
    if (operator.text === '!~') {
      return { kind: 'not', of: { kind: 'matches', path, pattern: this.#pattern() } }
    }
    if (operator.text === '=') this.#fail(operator, '= compares nothing', 'write == to compare')
    return this.#fail(
      operator,
      `${shown(operator)} stands where field ${path.join('.')} has to be compared`,
      `allowed are ${operatorsText}; or exists(${path.join('.')})`,
    )
  }

  #operand(op: Comparison): Scalar {
    const token = this.#peek()
    const value = this.#scalar()
    if (op === '==' || op === '!=' || typeof value === 'number' || typeof value === 'string') {
      return value
    }
    return this.#fail(token, `${op} ${value} orders nothing`, 'compare with a number or a text')
  }

  #list(): Scalar[] {
    const open = this.#peek()
    this.#expect('[', 'in takes a list: in ["app", "h5"]')
    const values: Scalar[] = []
    while (!this.#takes(']')) {
      values.push(this.#scalar())
      if (this.#takes(']')) break
      this.#expect(',', 'separate the values with commas and close the list with ]')
    }
    if (values.length === 0) {
      this.#fail(open, 'an empty list matches nothing', 'name at least one value')
    }
    return values
  }

  #scalar(): Scalar {
    const token = this.#peek()
    this.#next++
    if (token.kind === 'text') return token.text
    if (token.kind === 'number') return Number(token.text)
    if (token.kind === 'word') {
      if (token.text === 'true' || token.text === 'false') return token.text === 'true'
      if (token.text === 'null') return null
      this.#fail(token, `${token.text} is not a value`, `put text in quotes: "${token.text}"`)
    }
    return this.#fail(
      token,
      `${shown(token)} stands where a value belongs`,
      'write a quoted text, a number, true, false or null',
    )
  }

  #pattern(): RegExp {
    const token = this.#peek()
    this.#next++
    if (token.kind !== 'text') {
      this.#fail(token, `${shown(token)} is not a pattern`, 'write it in quotes: =~ "^cash"')
    }
    if (repeatedRepetition.test(token.text)) {
      this.#fail(
        token,
        'the pattern repeats a group that repeats inside, which can take forever on some texts',
        'repeat only once, as in "(ab)+" or "a+"',
      )
    }
    try {
      return new RegExp(token.text, 'u')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return this.#fail(token, reason, 'write a regular expression as JavaScript knows it')
    }
  }

  #segment(): string {
    const token = this.#peek()
    const reserved = token.kind === 'word' && token.keyword && this.#before()?.text !== '.'
    const named = token.kind === 'word' || (token.kind === 'text' && token.text !== '')
    if (named && !reserved) {
      this.#next++
      return token.text
    }
    return this.#fail(
      token,
      `${shown(token)} stands where the name of a field belongs`,
      'write a dotted path such as ext.channel; other characters and keywords in quotes: ext."a b"',
    )
  }

  #deeper<T>(token: Token, parse: () => T): T {
    if (++this.#depth > maxDepth) {
      this.#fail(token, `more than ${maxDepth} levels of nesting`, 'write a flatter filter')
    }
    const value = parse()
    this.#depth--
    return value
  }

  #before(): Token | undefined {
    return this.#tokens[this.#next - 1]
  }

  #peek(ahead = 0): Token {
    const token = this.#tokens[this.#next + ahead] ?? this.#tokens.at(-1)
    if (token === undefined) throw new RangeError('a token list ends with its end token')
    return token
  }

  /** Takes the next token when it is that sign or word. */
  #takes(text: string): boolean {
    const token = this.#peek()
    if ((token.kind !== 'sign' && token.kind !== 'word') || token.text !== text) return false
    this.#next++
    return true
  }

  #expect(sign: string, right: string): void {
    if (this.#takes(sign)) return
    const token = this.#peek()
    this.#fail(token, `${shown(token)} stands where ${sign} belongs`, right)
  }

  #fail(token: Token, what: string, right: string): never {
    throw new Mistake({ at: token.at, what, right })
  }
}

function shown(token: Token): string {
  if (token.kind === 'end') return 'the end of the filter'
  return token.kind === 'text' ? JSON.stringify(token.text) : `"${token.text}"`
}

/** A group that holds nothing but a repeated atom and is itself repeated: `(a+)+`, `([a-z]*)*`, `(?:\\w+){2,}`. */
const repeatedRepetition =
  /\((?:\?:|\?<\w+>)?(?:\\.|\[(?:\\.|[^\]\\])*\]|[^()\\[\]*+?{}|])[*+]\??\)(?:[*+]|\{\d+,\})/u
