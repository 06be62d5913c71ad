const MAX_TAGS = 8

/** Longer names are refused, so that one broken client can't fill the index. */
const MAX_NAME_LENGTH = 1_024

/** What is wrong with the names of a point, as OpenTSDB says it; undefined when nothing is. */
export function namesTrouble(
  metric: string,
  tags: ReadonlyMap<string, string | null>,
): string | undefined {
  if (tags.size > MAX_TAGS) {
    const shown = [...tags].map(([key, value]) => `${key}=${value}`).join(', ')
    return `Too many tags: ${tags.size} maximum allowed: ${MAX_TAGS}, tags: {${shown}}`
  }
  let trouble = oneNameTrouble('metric name', metric)
  for (const [key, value] of tags) {
    trouble ??= oneNameTrouble(`tag name with value [${value}]`, key)
    trouble ??= oneNameTrouble(`tag value with key [${key}]`, value)
  }
  return trouble
}

function oneNameTrouble(what: string, name: string | null): string | undefined {
  if (name === null) return `Invalid ${what}: null`
  if (name === '') return `Invalid ${what}: empty string`
  // Letters of every script, with the marks and digits that belong to them: OpenTSDB takes the letters only, and corrupts them.
  const illegal = /[^-_./\p{L}\p{M}\p{N}]/u.exec(name)
  if (illegal !== null) return `Invalid ${what} ("${name}"): illegal character: ${illegal[0]}`
  if (name.length > MAX_NAME_LENGTH) {
    return `Invalid ${what}: longer than ${MAX_NAME_LENGTH} characters`
  }
  return undefined
}
