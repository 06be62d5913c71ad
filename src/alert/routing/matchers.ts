import type { Matchers } from '../../core/alert-plan.ts'

export type LabelSet = Readonly<Record<string, string>>

/** Do the labels match every matcher? A label that is missing is the empty text. */
export function matches(matchers: Matchers, labels: LabelSet): boolean {
  return matchers.every(({ label, patterns }) => matchesOne(patterns, labels[label] ?? ''))
}

/** One of the patterns that want something, and none of those that exclude. */
function matchesOne(patterns: readonly string[], value: string): boolean {
  let wanted = false
  let met = false
  for (const pattern of patterns) {
    if (pattern.startsWith('!')) {
      if (glob(pattern.slice(1), value)) return false
      continue
    }
    wanted = true
    met ||= glob(pattern, value)
  }
  return met || !wanted
}

/** `*` stands for any text; linear in the text for each `*`, so that no pattern can hang. */
function glob(pattern: string, value: string): boolean {
  const parts = pattern.split('*')
  const [first = ''] = parts
  if (parts.length === 1) return pattern === value
  const last = parts.at(-1) ?? ''
  if (!value.startsWith(first) || value.length < first.length + last.length) return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = value.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return value.length - last.length >= at && value.endsWith(last)
}

/** `rule=zero, product=a|b`, for people. */
export function matchersText(matchers: Matchers): string {
  if (matchers.length === 0) return 'everything'
  return matchers.map(({ label, patterns }) => `${label}=${patterns.join('|')}`).join(', ')
}
