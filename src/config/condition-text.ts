import type { Condition, FieldPath, Scalar } from '../core/plan.ts'
import { isBareWord } from './where-tokens.ts'

/** The filter in its own language; parsing it gives the same condition. */
export function conditionText(condition: Condition): string {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.of
        .map((one) =>
          one.kind === 'and' || one.kind === 'or' ? `(${conditionText(one)})` : conditionText(one),
        )
        .join(` ${condition.kind} `)
    case 'not':
      return `not (${conditionText(condition.of)})`
    case 'exists':
      return `exists(${pathText(condition.path)})`
    case 'in':
      return `${pathText(condition.path)} in [${condition.values.map(scalarText).join(', ')}]`
    case 'matches':
      return `${pathText(condition.path)} =~ ${quoted(condition.pattern.source)}`
    case 'compare':
      return `${pathText(condition.path)} ${condition.op} ${scalarText(condition.value)}`
  }
}

/** The same condition with operands and values in one fixed order: two filters that differ in order only become equal. */
export function canonicalCondition(condition: Condition): Condition {
  switch (condition.kind) {
    case 'and':
    case 'or': {
      const flat = condition.of
        .map(canonicalCondition)
        .flatMap((one) => (one.kind === condition.kind ? one.of : [one]))
      return { kind: condition.kind, of: flat.toSorted(byText(conditionText)) }
    }
    case 'not':
      return { kind: 'not', of: canonicalCondition(condition.of) }
    case 'in':
      return { ...condition, values: [...new Set(condition.values)].toSorted(byText(scalarText)) }
    default:
      return condition
  }
}

/** `ext.channel`, with quotes around segments that need them. */
export function pathText(path: FieldPath): string {
  return path.map((one) => (isBareWord(one) ? one : quoted(one))).join('.')
}

const scalarText = (value: Scalar): string =>
  typeof value === 'string' ? quoted(value) : String(value)

/** JSON's quotes are the language's, but for control characters other than the escaped ones, which JSON writes as \uXXXX too. */
const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n')}"`

const byText =
  <T>(text: (value: T) => string) =>
  (a: T, b: T): number => {
    const [first, second] = [text(a), text(b)]
    return first < second ? -1 : first > second ? 1 : 0
  }
