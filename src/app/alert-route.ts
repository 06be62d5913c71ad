import type { LabelSet } from '../alert/routing/matchers.ts'
import { explainRoutes } from '../alert/routing/routes.ts'
import type { AlertPlan } from '../core/alert-plan.ts'

/** Why an alert goes where it goes. With `rule` among the labels those that the rule gives are added. */
export function explainAlertRoute(plan: AlertPlan, labels: LabelSet): readonly string[] {
  const rule = plan.rules.find(({ name }) => name === labels.rule)
  const own: Record<string, string> = {}
  if (rule !== undefined) {
    Object.assign(own, rule.labels, { kind: rule.kind, severity: rule.settings.severity })
    if (rule.team !== undefined) own.team = rule.team
    if ('metric' in rule) own.metric = rule.metric
  }
  const all = { ...own, ...labels }
  const shown = Object.entries(all).map(([name, value]) => `${name}=${value}`)
  return [`an alert with ${shown.join(' ') || 'no labels'}`, ...explainRoutes(plan.routes, all)]
}
