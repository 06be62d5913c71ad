import type { Comparison, Condition, FieldPath, Scalar } from '../core/plan.ts'

/** A condition on one field. */
export type FieldCondition = Exclude<Condition, { readonly kind: 'and' | 'or' | 'not' }>

/** What a field holds: undefined when it is missing; for a number also its text as it stands in the document. */
export interface FieldValue {
  readonly value: unknown
  readonly text: string | undefined
}

/**
 * Is the condition true of the document? The definition; the compiled filter must agree with it.
 * Types are JSON's: `"200"` is not `200`, and `<` compares numbers with numbers and strings with strings (by UTF-16 code unit).
 * `exists` is false for null, `matches` reads the text of strings, numbers and booleans.
 */
export function holds(condition: Condition, read: (path: FieldPath) => FieldValue): boolean {
  switch (condition.kind) {
    case 'and':
      return condition.of.every((one) => holds(one, read))
    case 'or':
      return condition.of.some((one) => holds(one, read))
    case 'not':
      return !holds(condition.of, read)
    default:
      return holdsOf(condition, read(condition.path))
  }
}

/** Is the condition true of a field that holds this? */
export function holdsOf(condition: FieldCondition, field: FieldValue): boolean {
  const { value } = field
  switch (condition.kind) {
    case 'exists':
      return value !== undefined && value !== null
    case 'in':
      return condition.values.some((one) => one === value)
    case 'matches':
      return field.text !== undefined && matches(condition.pattern, field.text)
    case 'compare':
      return compare(condition.op, value, condition.value)
  }
}

/** A `g` or `y` pattern would remember where it stopped. */
function matches(pattern: RegExp, text: string): boolean {
  pattern.lastIndex = 0
  return pattern.test(text)
}

function compare(op: Comparison, value: unknown, literal: Scalar): boolean {
  switch (op) {
    case '==':
      return value === literal
    case '!=':
      return value !== literal
    default:
      if (typeof value === 'number' && typeof literal === 'number') {
        return ordered(op, value, literal)
      }
      if (typeof value === 'string' && typeof literal === 'string') {
        return ordered(op, value, literal)
      }
      return false
  }
}

function ordered<T extends number | string>(op: Comparison, left: T, right: T): boolean {
  switch (op) {
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    default:
      return left >= right
  }
}

/** Paths that the condition reads, with repetitions. */
export function pathsOf(condition: Condition): readonly FieldPath[] {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.of.flatMap(pathsOf)
    case 'not':
      return pathsOf(condition.of)
    default:
      return [condition.path]
  }
}
