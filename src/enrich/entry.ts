import type { Entry } from './origin.ts'

/** The entry that a parsed JSON or YAML value stands for: a scalar, or an object of scalars; undefined when it is neither, or null. */
export function entryOf(value: unknown): Entry | undefined {
  const text = scalarText(value)
  if (text !== undefined) return text
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const fields: Record<string, string> = Object.create(null)
  for (const [field, one] of Object.entries(value)) {
    const fieldText = scalarText(one)
    if (fieldText !== undefined) fields[field] = fieldText
  }
  return fields
}

/** Text of a string, number or boolean, as a dimension would have it; undefined for anything else. */
export function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

/** The entry in a text that is JSON or just a text. */
export function entryOfText(text: string): Entry {
  if (!text.startsWith('{')) return text
  try {
    return entryOf(JSON.parse(text)) ?? text
  } catch {
    return text
  }
}

/** What of an entry becomes the dimension's value; undefined where there is nothing. */
export function fieldOf(entry: Entry, field: string): string | undefined {
  const value = typeof entry === 'string' ? entry : entry[field]
  return value === '' ? undefined : value
}
