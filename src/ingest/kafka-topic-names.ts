import { WardenError } from '../core/errors.ts'

const shownNames = 8

/** Names the topics that do not exist, and those that do, the most similar ones first. */
export function missingTopics(
  missing: readonly string[],
  existing: readonly string[],
): WardenError {
  const [first = ''] = missing
  const near = [...existing].sort((a, b) => distance(first, a) - distance(first, b))
  const shown = near.slice(0, shownNames).join(', ')
  const more = near.length > shownNames ? `, and ${near.length - shownNames} more` : ''
  const there = near.length === 0 ? 'this user sees no topic' : `there are: ${shown}${more}`
  const what = missing.length === 1 ? `topic ${first} does` : `topics ${missing.join(', ')} do`
  const cure = 'create it, or correct `topics` in the config'
  return new WardenError('source_missing', `${what} not exist; ${there}; ${cure}`)
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
