import type { CompositeRule, RuleCondition } from '../../core/alert-plan.ts'
import type { Tags } from '../history/series-names.ts'
import { tagsKey } from '../history/series-names.ts'

/** What is known of a rule for some labels: it fires, it does not, or it is held and nobody knows. */
export type RuleTruth = 'fires' | 'quiet' | 'held'

/** The alerts of a rule as a condition sees them. */
export interface RuleStates {
  /** Labels of the alerts of a rule that are or were there. */
  labels(rule: string): readonly Tags[]
  truth(rule: string, shared: Tags): RuleTruth
}

/** What a composite rule says for each set of the labels that its parts share. */
export function compositeTruths(
  rule: CompositeRule,
  rules: readonly string[],
  states: RuleStates,
): readonly { readonly tags: Tags; readonly truth: RuleTruth }[] {
  const sets = new Map<string, Tags>()
  if (rule.on.length === 0) sets.set('', {})
  else {
    for (const name of rules) {
      for (const labels of states.labels(name)) {
        if (!rule.on.every((label) => label in labels)) continue
        const shared = Object.fromEntries(rule.on.map((label) => [label, labels[label] ?? '']))
        sets.set(tagsKey(shared), shared)
      }
    }
  }
  return [...sets.values()].map((tags) => ({ tags, truth: evaluate(rule.condition, tags, states) }))
}

/** Kleene's three-valued logic: what is held decides nothing that the rest does not decide. */
function evaluate(condition: RuleCondition, tags: Tags, states: RuleStates): RuleTruth {
  switch (condition.kind) {
    case 'rule':
      return states.truth(condition.rule, tags)
    case 'not': {
      const inner = evaluate(condition.of, tags, states)
      return inner === 'held' ? inner : inner === 'fires' ? 'quiet' : 'fires'
    }
    case 'and':
    case 'or': {
      const decisive = condition.kind === 'and' ? 'quiet' : 'fires'
      const parts = condition.of.map((one) => evaluate(one, tags, states))
      if (parts.includes(decisive)) return decisive
      if (parts.includes('held')) return 'held'
      return decisive === 'quiet' ? 'fires' : 'quiet'
    }
  }
}
