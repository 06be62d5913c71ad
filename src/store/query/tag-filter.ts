import { RequestRefused } from '../request-refused.ts'

/** Chooses series by the value of one tag. A filter matches only series that have its tag, `not_…` ones too. */
export interface TagFilter {
  readonly type: FilterType
  readonly tagk: string
  /** As it was given. */
  readonly filter: string
  /** Series with different values of the tag go to different groups. */
  readonly groupBy: boolean
  /** The values that a case-sensitive `literal_or` names; they must be known to the store. Undefined for other types. */
  readonly literals: readonly string[] | undefined
  matches(value: string): boolean
}

interface FilterDescription {
  readonly examples: string
  readonly description: string
}

/** The answer to `/api/config/filters`. */
export const filterTypes = {
  literal_or: {
    examples: 'host=literal_or(web01|web02)',
    description: 'The value is one of those given, separated by |. Case-sensitive.',
  },
  iliteral_or: {
    examples: 'host=iliteral_or(web01|web02)',
    description: 'The value is one of those given, separated by |, in any case.',
  },
  not_literal_or: {
    examples: 'host=not_literal_or(web01|web02)',
    description: 'The value is none of those given, separated by |. Case-sensitive.',
  },
  not_iliteral_or: {
    examples: 'host=not_iliteral_or(web01|web02)',
    description: 'The value is none of those given, separated by |, in any case.',
  },
  wildcard: {
    examples: 'host=wildcard(web*.example.org)',
    description: 'The value matches the pattern, where * stands for any text. Case-sensitive.',
  },
  iwildcard: {
    examples: 'host=iwildcard(WEB*)',
    description: 'The value matches the pattern, where * stands for any text, in any case.',
  },
  regexp: {
    examples: 'host=regexp(web[0-9]+)',
    description: 'A part of the value matches the regular expression.',
  },
} as const satisfies Record<string, FilterDescription>

export type FilterType = keyof typeof filterTypes

/** A longer pattern is refused: matching it could hold up everything else. */
const MAX_PATTERN_LENGTH = 512

/** @throws RequestRefused when the type is unknown or the filter can't be of that type */
export function tagFilter(type: string, tagk: string, filter: string, groupBy: boolean): TagFilter {
  if (type === '') throw new RequestRefused(400, 'The filter type cannot be null or empty')
  if (tagk === '') throw new RequestRefused(400, 'The tagk cannot be null or empty')
  if (!isFilterType(type)) {
    throw new RequestRefused(400, `Could not find a tag value filter of the type: ${type}`)
  }
  if (filter === '') throw new RequestRefused(400, 'Filter cannot be null or empty')
  const literals = type === 'literal_or' ? literalsOf(filter) : undefined
  return { type, tagk, filter, groupBy, literals, matches: matcherOf(type, filter) }
}

/**
 * The filter that `tag=text` means: `*`, a literal, `a|b`, a pattern with `*`, or `type(filter)`.
 * @throws RequestRefused
 */
export function tagFilterOfText(tagk: string, text: string, groupBy: boolean): TagFilter {
  if (tagk === '') throw new RequestRefused(400, 'Tagk cannot be null or empty')
  if (text === '') throw new RequestRefused(400, 'Filter cannot be null or empty')
  const open = text.indexOf('(')
  if (text !== '*' && open >= 0) {
    if (!text.endsWith(')')) throw new RequestRefused(400, `Filter must end with a ')': ${text}`)
    return tagFilter(text.slice(0, open).toLowerCase(), tagk, text.slice(open + 1, -1), groupBy)
  }
  if (text === '*') return tagFilter('wildcard', tagk, text, groupBy)
  // A bare pattern is not case-sensitive in OpenTSDB, other than `wildcard(…)`.
  if (text.includes('*')) return tagFilter('iwildcard', tagk, text, groupBy)
  return tagFilter('literal_or', tagk, text, groupBy)
}

function isFilterType(type: string): type is FilterType {
  return Object.hasOwn(filterTypes, type)
}

function literalsOf(filter: string): string[] {
  if (filter === '|') throw new RequestRefused(400, 'Filter must contain more than just a pipe')
  return [...new Set(filter.split('|').filter((literal) => literal !== ''))]
}

function matcherOf(type: FilterType, filter: string): (value: string) => boolean {
  switch (type) {
    case 'literal_or':
    case 'not_literal_or': {
      const literals = new Set(literalsOf(filter))
      const wanted = type === 'literal_or'
      return (value) => literals.has(value) === wanted
    }
    case 'iliteral_or':
    case 'not_iliteral_or': {
      const literals = new Set(literalsOf(filter.toLowerCase()))
      const wanted = type === 'iliteral_or'
      return (value) => literals.has(value.toLowerCase()) === wanted
    }
    case 'wildcard':
      return wildcardMatcher(filter)
    case 'iwildcard': {
      const matches = wildcardMatcher(filter.toLowerCase())
      return (value) => matches(value.toLowerCase())
    }
    case 'regexp':
      return regexpMatcher(filter)
  }
}

/** Matches without a regular expression, in one pass: the parts between the asterisks follow each other. */
function wildcardMatcher(pattern: string): (value: string) => boolean {
  if (!pattern.includes('*')) throw new RequestRefused(400, 'Filter must contain an asterisk')
  const parts = pattern.split('*')
  const head = parts[0] ?? ''
  const tail = parts.at(-1) ?? ''
  const middle = parts.slice(1, -1).filter((part) => part !== '')
  return (value) => {
    if (value.length < head.length + tail.length) return false
    if (!value.startsWith(head) || !value.endsWith(tail)) return false
    const end = value.length - tail.length
    let from = head.length
    for (const part of middle) {
      const at = value.indexOf(part, from)
      if (at < 0 || at + part.length > end) return false
      from = at + part.length
    }
    return true
  }
}

function regexpMatcher(pattern: string): (value: string) => boolean {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new RequestRefused(400, `A regexp filter has at most ${MAX_PATTERN_LENGTH} characters`)
  }
  let regexp: RegExp
  try {
    regexp = new RegExp(pattern, 'u')
  } catch {
    try {
      // Escapes that Java knows and the strict mode does not, such as \_.
      regexp = new RegExp(pattern)
    } catch (cause) {
      throw new RequestRefused(400, cause instanceof Error ? cause.message : String(cause))
    }
  }
  return (value) => regexp.test(value)
}
