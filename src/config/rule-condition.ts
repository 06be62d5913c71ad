import type { RuleCondition } from '../core/alert-plan.ts'
import type { Parsed } from './where-tokens.ts'

/**
 * Reads `loans-zero and not (payouts-zero or kafka-lag)`: names of rules with `and`, `or`, `not` and parentheses; `not` binds tighter than
 * `and`, `and` than `or`.
 */
export function parseRuleCondition(text: string): Parsed<RuleCondition> {
  const tokens = [...text.matchAll(/[()]|[^\s()]+/g)].map((match) => ({
    text: match[0],
    at: match.index,
  }))
  let next = 0
  const peek = () => tokens[next]?.text

  function either(): RuleCondition {
    return joined('or', both)
  }

  function both(): RuleCondition {
    return joined('and', one)
  }

  function joined(word: 'and' | 'or', part: () => RuleCondition): RuleCondition {
    const [first, ...rest] = [part()]
    const of = [first, ...rest]
    while (peek() === word) {
      next++
      of.push(part())
    }
    return of.length === 1 && first !== undefined
      ? first
      : { kind: word, of: of.filter((x) => x !== undefined) }
  }

  function one(): RuleCondition {
    const token = tokens[next]
    if (token === undefined)
      throw new Mistake('the condition ends too early', 'name a rule', text.length)
    next++
    if (token.text === 'not') return { kind: 'not', of: one() }
    if (token.text === '(') {
      const inner = either()
      if (peek() !== ')') throw new Mistake('a parenthesis is not closed', 'add )', token.at)
      next++
      return inner
    }
    if (/^(\)|and|or)$/.test(token.text)) {
      throw new Mistake(`${token.text} stands where a rule should`, 'name a rule', token.at)
    }
    return { kind: 'rule', rule: token.text }
  }

  try {
    const value = either()
    const rest = tokens[next]
    if (rest !== undefined)
      throw new Mistake(`${rest.text} is not expected here`, 'write and or or before it', rest.at)
    return { kind: 'ok', value }
  } catch (error) {
    if (!(error instanceof Mistake)) throw error
    return { kind: 'mistake', mistake: { what: error.what, right: error.right, at: error.at } }
  }
}

/** Names of the rules in a condition. */
export function rulesIn(condition: RuleCondition): readonly string[] {
  if (condition.kind === 'rule') return [condition.rule]
  if (condition.kind === 'not') return rulesIn(condition.of)
  return condition.of.flatMap(rulesIn)
}

class Mistake extends Error {
  readonly what: string
  readonly right: string
  readonly at: number

  constructor(what: string, right: string, at: number) {
    super(what)
    this.what = what
    this.right = right
    this.at = at
  }
}
