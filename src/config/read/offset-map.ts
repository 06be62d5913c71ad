/**
 * For each character of a scalar's text, and for its end, the index in its source, quotes included; undefined when the
 * scalar goes over several lines or folds, so that only its start is known.
 * @param type the scalar's style as the `yaml` package names it
 */
export function offsetMap(
  source: string,
  type: string | undefined,
  text: string,
): readonly number[] | undefined {
  if (source.includes('\n')) return undefined
  if (type === 'PLAIN') {
    return source === text ? Array.from({ length: text.length + 1 }, (_, i) => i) : undefined
  }
  if (type !== 'QUOTE_SINGLE' && type !== 'QUOTE_DOUBLE') return undefined
  const width = type === 'QUOTE_SINGLE' ? () => 2 : escapeWidth
  const mark = type === 'QUOTE_SINGLE' ? "'" : '\\'
  const map: number[] = []
  let at = 1
  while (at < source.length - 1) {
    map.push(at)
    at += source[at] === mark ? width(source, at) : 1
  }
  map.push(at)
  return map.length === text.length + 1 ? map : undefined
}

/** Length of the escape of a double-quoted scalar that begins at `at`. */
function escapeWidth(source: string, at: number): number {
  const hexDigits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }
  return 2 + (hexDigits[source[at + 1] ?? ''] ?? 0)
}
