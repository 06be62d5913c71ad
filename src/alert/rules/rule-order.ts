import type { RuleCondition, RulePlan } from '../../core/alert-plan.ts'

/** Rules that others are judged by stand before them; circles are refused by the config's check. */
export function inOrder(rules: readonly RulePlan[]): readonly RulePlan[] {
  const byName = new Map(rules.map((rule) => [rule.name, rule]))
  const placed = new Set<string>()
  const ordered: RulePlan[] = []
  const place = (rule: RulePlan) => {
    if (placed.has(rule.name)) return
    placed.add(rule.name)
    for (const name of neededBy(rule)) {
      const needed = byName.get(name)
      if (needed !== undefined) place(needed)
    }
    ordered.push(rule)
  }
  for (const rule of rules) place(rule)
  return ordered
}

/** Names of the rules that a rule is judged by. */
export function neededBy(rule: RulePlan): readonly string[] {
  return rule.kind === 'composite'
    ? [...rule.dependsOn, ...rulesOf(rule.condition)]
    : rule.dependsOn
}

export function rulesOf(condition: RuleCondition): readonly string[] {
  if (condition.kind === 'rule') return [condition.rule]
  return condition.kind === 'not' ? rulesOf(condition.of) : condition.of.flatMap(rulesOf)
}
