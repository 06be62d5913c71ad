import { RequestRefused } from '../request-refused.ts'
import { DEFAULT_COUNTER_MAX, plainRate, type RateOptions } from './rate.ts'
import type { RawSubQuery } from './store-query.ts'
import { type TagFilter, tagFilterOfText } from './tag-filter.ts'

/**
 * Reads `sum:1h-avg-none:rate{counter,,1000}:metric{host=web*}{dc=literal_or(lax)}`, the `m` of a query string.
 * The first braces group, the second ones only filter.
 * @throws RequestRefused
 */
export function parseMetricExpression(text: string): RawSubQuery {
  const { parts, target } = splitExpression(text)
  const braces = target.indexOf('{')
  const metric = braces < 0 ? target : target.slice(0, braces)
  if (metric === '' && braces < 0) {
    throw new RequestRefused(400, 'Metric cannot be null or empty')
  }
  return {
    ...parseOptions(parts),
    metric,
    tsuids: [],
    filters: braces < 0 ? [] : parseFilters(target, braces),
  }
}

/** Reads `sum:1h-avg:000001000001000001,000001000001000002`, the `tsuid` of a query string. @throws RequestRefused */
export function parseTsuidExpression(text: string): RawSubQuery {
  const { parts, target } = splitExpression(text)
  return { ...parseOptions(parts), metric: undefined, tsuids: target.split(','), filters: [] }
}

/** `metric{a=b,c=*}` of lookups and of `/api/query/last`; a missing side of a pair and `*` are undefined: anything. */
export interface MetricPattern {
  /** Undefined: any. */
  readonly metric: string | undefined
  readonly tags: readonly (readonly [key: string | undefined, value: string | undefined])[]
}

/** @throws RequestRefused */
export function parseMetricPattern(text: string): MetricPattern {
  if (text === '') throw new RequestRefused(400, 'Unable to parse query', 'Metric string was empty')
  const open = text.indexOf('{')
  if (open < 0) return { metric: wildcardAsUndefined(text), tags: [] }
  if (!text.endsWith('}')) {
    throw new RequestRefused(400, 'Unable to parse query', `Missing '}' at the end of: ${text}`)
  }
  const inside = text.slice(open + 1, -1)
  const tags = inside === '' ? [] : inside.split(',').map((tag) => parsePattern(tag))
  return { metric: wildcardAsUndefined(text.slice(0, open)), tags }
}

const wildcardAsUndefined = (text: string): string | undefined =>
  text === '' || text === '*' ? undefined : text

function parsePattern(tag: string): readonly [string | undefined, string | undefined] {
  const [key = '', value, ...rest] = tag.split('=')
  if (value === undefined || rest.length > 0 || tag.length < 2) {
    throw new RequestRefused(
      400,
      'Unable to parse query',
      `When parsing tag '${tag}': invalid tag: ${tag}`,
    )
  }
  return [wildcardAsUndefined(key), wildcardAsUndefined(value)]
}

function splitExpression(text: string): { parts: readonly string[]; target: string } {
  if (text === '') throw new RequestRefused(400, 'The query string was empty')
  // A colon in braces (a pattern) is none between parts.
  const braces = text.search(/(?<!rate)\{/)
  const head = braces < 0 ? text : text.slice(0, braces)
  const parts = head.split(':')
  if (parts.length < 2 || parts.length > 5) {
    throw new RequestRefused(
      400,
      `Invalid parameter m=${text} (${parts.length < 2 ? 'not enough' : 'too many'} :-separated parts)`,
    )
  }
  const target = `${parts.pop() ?? ''}${braces < 0 ? '' : text.slice(braces)}`
  return { parts, target }
}

type Options = Pick<
  RawSubQuery,
  'aggregator' | 'downsample' | 'rate' | 'rateOptions' | 'explicitTags'
>

function parseOptions(parts: readonly string[]): Options {
  let downsample: string | undefined
  let rate = false
  let rateOptions = plainRate
  let explicitTags = false
  for (const part of parts.slice(1)) {
    const lower = part.toLowerCase()
    if (lower.startsWith('rate')) {
      rate = true
      if (part.includes('{')) rateOptions = parseRateOptions(part)
    } else if (/^\d/.test(part)) downsample = part
    else if (lower.startsWith('explicit_tags')) explicitTags = true
  }
  return { aggregator: parts[0] ?? '', downsample, rate, rateOptions, explicitTags }
}

/** Reads `rate{counter,max,reset}` and `rate{dropcounter}`. */
function parseRateOptions(text: string): RateOptions {
  if (text.length < 6) {
    throw new RequestRefused(400, `Invalid rate options specification: ${text}`)
  }
  const parts = text.slice(5, -1).split(',')
  if (parts.length > 3) {
    throw new RequestRefused(
      400,
      `Incorrect number of values in rate options specification, must be counter[,counter max value,reset value], received: ${parts.length} parts`,
    )
  }
  const [kind = '', max = '', reset = ''] = parts
  return {
    counter: kind.endsWith('counter'),
    counterMax: max === '' ? DEFAULT_COUNTER_MAX : wholeNumber('Max value', max),
    resetValue: reset === '' ? 0 : wholeNumber('Reset value', reset),
    dropResets: kind === 'dropcounter',
  }
}

function wholeNumber(what: string, text: string): number {
  if (!/^[+-]?\d+$/.test(text)) {
    throw new RequestRefused(400, `${what} of counter was not a number, received '${text}'`)
  }
  return Number(text)
}

function parseFilters(target: string, open: number): TagFilter[] {
  if (!target.endsWith('}')) {
    throw new RequestRefused(400, `Missing '}' at the end of: ${target}`)
  }
  const groups = target.slice(open + 1, -1).split('}{')
  if (groups.length > 2) throw new RequestRefused(400, `Too many braces in: ${target}`)
  return groups.flatMap((group, at) =>
    splitTags(group).map((tag) => {
      const equals = tag.indexOf('=')
      if (equals <= 0 || equals === tag.length - 1) {
        throw new RequestRefused(400, `When parsing tag '${tag}': invalid tag: ${tag}`)
      }
      return tagFilterOfText(tag.slice(0, equals), tag.slice(equals + 1), at === 0)
    }),
  )
}

/** Splits at the commas outside of parentheses: `a=regexp(x{1,2}),b=c`. */
function splitTags(text: string): string[] {
  const tags: string[] = []
  let depth = 0
  let tag = ''
  for (const character of text) {
    if (character === '(') depth++
    else if (character === ')') depth--
    if (character === ',' && depth <= 0) {
      tags.push(tag)
      tag = ''
    } else tag += character
  }
  if (tag !== '') tags.push(tag)
  return tags.filter((one) => one !== '')
}
