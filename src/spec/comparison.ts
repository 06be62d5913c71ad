/** The first difference between what was expected and what came out. */
export interface Difference {
  readonly at: string
  readonly expected: unknown
  readonly actual: unknown
}

/** Does `actual` have every field of `expected`, with the same value? Numbers agree to 1e-9 of their size. */
export function matches(expected: unknown, actual: unknown): boolean {
  if (typeof expected === 'number' && typeof actual === 'number') {
    return Math.abs(expected - actual) <= 1e-9 * Math.max(1, Math.abs(expected))
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return false
    return expected.every((one, index) => matches(one, actual[index]))
  }
  if (expected !== null && typeof expected === 'object') {
    if (actual === null || typeof actual !== 'object') return false
    return Object.entries(expected).every(([key, value]) =>
      matches(value, (actual as Record<string, unknown>)[key]),
    )
  }
  return expected === actual
}

/** Compares lists entry by entry, in order. */
export function compareInOrder(
  at: string,
  expected: readonly unknown[],
  actual: readonly unknown[],
): Difference | undefined {
  const length = Math.max(expected.length, actual.length)
  for (let index = 0; index < length; index++) {
    if (index < expected.length && index < actual.length) {
      if (matches(expected[index], actual[index])) continue
    }
    return { at: `${at}[${index}]`, expected: expected[index], actual: actual[index] }
  }
  return undefined
}

/** Compares lists as multisets. */
export function compareUnordered(
  at: string,
  expected: readonly unknown[],
  actual: readonly unknown[],
): Difference | undefined {
  const rest = [...actual]
  for (const [index, one] of expected.entries()) {
    const found = rest.findIndex((candidate) => matches(one, candidate))
    if (found < 0) return { at: `${at}[${index}]`, expected: one, actual: nearest(one, rest) }
    rest.splice(found, 1)
  }
  return rest.length === 0 ? undefined : { at, expected: undefined, actual: rest[0] }
}

/**
 * Compares emissions in order, where those of one group (same step, same window end) may come in any order and optional
 * ones may be there or not.
 */
export function compareGroups(
  at: string,
  expected: readonly unknown[],
  optional: readonly unknown[],
  groups: readonly (readonly unknown[])[],
): Difference | undefined {
  const allowed = [...optional]
  let next = 0
  for (const group of groups) {
    const wanted = expected.slice(next, next + group.length).map((one) => ({ one, met: false }))
    let met = 0
    for (const actual of group) {
      const hit = wanted.find((candidate) => !candidate.met && matches(candidate.one, actual))
      if (hit !== undefined) {
        hit.met = true
        met++
        continue
      }
      const extra = allowed.findIndex((one) => matches(one, actual))
      if (extra < 0) {
        const missed = wanted.find((candidate) => !candidate.met)
        return { at: `${at}[${next + met}]`, expected: missed?.one, actual }
      }
      allowed.splice(extra, 1)
    }
    const gap = wanted.slice(0, met).find((candidate) => !candidate.met)
    if (gap !== undefined) return { at: `${at}[${next}]`, expected: gap.one, actual: undefined }
    next += met
  }
  if (next < expected.length) {
    return { at: `${at}[${next}]`, expected: expected[next], actual: undefined }
  }
  return undefined
}

/** The candidate that shares most fields with `wanted`, for a helpful message. */
function nearest(wanted: unknown, candidates: readonly unknown[]): unknown {
  if (wanted === null || typeof wanted !== 'object') return candidates[0]
  const score = (candidate: unknown) =>
    Object.entries(wanted).filter(([key, value]) =>
      matches(value, (candidate as Record<string, unknown> | null)?.[key]),
    ).length
  return [...candidates].sort((a, b) => score(b) - score(a))[0]
}
