import type { AlertPlan, Matchers, RulePlan, WindowRule } from '../core/alert-plan.ts'
import { alertFact, type FactContext, heldFact } from './facts.ts'
import type { Tags } from './history/series-names.ts'
import type { Alert } from './lifecycle/alert.ts'
import type { AlertStates, HeldRule } from './lifecycle/alert-states.ts'
import type { Severity } from './notification.ts'
import type { NamedTimes } from './routing/calendar-times.ts'
import type { Live } from './routing/group.ts'
import { type LabelSet, matches } from './routing/matchers.ts'
import type { Silences } from './routing/silences.ts'
import type { RuleSubjects } from './rules/subjects.ts'
import { type Candidate, Suppression } from './suppression.ts'

type AllSubjects = ReadonlyMap<string, RuleSubjects>

/** What could be said now: alerts that fire and rules that are held for too long, with their labels. */
export class LiveAlerts {
  readonly #suppression: Suppression
  readonly #states: AlertStates

  constructor(plan: AlertPlan, times: NamedTimes, silences: Silences, states: AlertStates) {
    this.#suppression = new Suppression(plan, times, silences)
    this.#states = states
  }

  static idOf(alert: Alert): string {
    return `${alert.rule} ${alert.key}`
  }

  collect(
    rules: readonly RulePlan[],
    subjects: AllSubjects,
    context: FactContext,
  ): readonly Live[] {
    const candidates: Candidate[] = []
    for (const rule of rules) {
      const own = subjects.get(rule.name)
      for (const alert of this.#states.of(rule.name)) {
        if (alert.state === 'firing') candidates.push(this.#firing(rule, alert, own, context))
      }
      const { held } = this.#states.rule(rule.name)
      if (held === undefined || own === undefined || !('metric' in rule)) continue
      const isOver = context.evidence.now - held.due >= rule.maxWaitMs
      if (isOver || Object.keys(held.told).length > 0) {
        candidates.push(this.#held(rule, held, own, context))
      }
    }
    return this.#suppression.apply(candidates, context.evidence.now)
  }

  /** What was told is part of the alerts: they have to be stored. */
  noteTold(lives: readonly Live[]): void {
    for (const { id, kind, told, labels } of lives) {
      if (Object.keys(told).length === 0) continue
      const rule = labels.rule ?? ''
      if (kind === 'held') this.#states.ruleChanged(rule)
      else {
        const alert = this.#states.alert(rule, id.slice(rule.length + 1))
        if (alert !== undefined && this.#isNewlyTold(alert)) this.#states.changed(alert)
      }
    }
  }

  readonly #toldBefore = new WeakMap<Alert, string>()

  #isNewlyTold(alert: Alert): boolean {
    const text = JSON.stringify(alert.told)
    if (this.#toldBefore.get(alert) === text) return false
    this.#toldBefore.set(alert, text)
    return true
  }

  labelsMatching(
    match: Matchers,
    rules: readonly RulePlan[],
    subjects: AllSubjects,
  ): readonly LabelSet[] {
    const found: LabelSet[] = []
    for (const rule of rules) {
      const own = subjects.get(rule.name)
      for (const alert of this.#states.of(rule.name)) {
        if (alert.state === 'inactive') continue
        const labels = this.labelsOf(rule, alert.tags, alert, own)
        if (matches(match, labels)) found.push(labels)
      }
      const { held } = this.#states.rule(rule.name)
      if (held === undefined || own === undefined || !('metric' in rule)) continue
      const labels = this.heldLabels(rule, held, own)
      if (matches(match, labels)) found.push(labels)
    }
    return found
  }

  /** Labels of the rule and tags of the series; what Warden says itself cannot be covered by them. */
  labelsOf(
    rule: RulePlan,
    tags: Tags,
    { severity, cause }: { readonly severity: Severity; readonly cause: string },
    subjects: RuleSubjects | undefined,
  ): LabelSet {
    const metric = subjects?.history.metric
    return {
      ...rule.labels,
      ...tags,
      ...(rule.team === undefined ? {} : { team: rule.team }),
      ...(metric === undefined ? {} : { metric: metric.name, source: metric.source }),
      rule: rule.name,
      kind: rule.kind,
      severity,
      cause,
    }
  }

  heldLabels(rule: WindowRule, held: HeldRule, subjects: RuleSubjects): LabelSet {
    const { severity } = rule.settings
    return this.labelsOf(rule, {}, { severity, cause: held.cause }, subjects)
  }

  #firing(
    rule: RulePlan,
    alert: Alert,
    subjects: RuleSubjects | undefined,
    context: FactContext,
  ): Candidate {
    const live: Live = {
      kind: 'firing',
      id: LiveAlerts.idOf(alert),
      incident: alert.incident,
      labels: this.labelsOf(rule, alert.tags, alert, subjects),
      severity: alert.severity,
      cause: alert.cause,
      startedAt: alert.startedAt,
      told: alert.told,
      acknowledged: alert.acknowledged !== undefined,
      suppressed: undefined,
      fact: () => alertFact(context, rule, alert, subjects, undefined),
    }
    const windowEnd = subjects === undefined ? undefined : alert.windowEnd
    return { rule, live, windowEnd, windowMs: alert.windowEnd - alert.windowStart }
  }

  #held(rule: WindowRule, held: HeldRule, subjects: RuleSubjects, context: FactContext): Candidate {
    const { severity } = rule.settings
    const live: Live = {
      kind: 'held',
      id: `held ${rule.name}`,
      incident: held.incident,
      labels: this.heldLabels(rule, held, subjects),
      severity,
      cause: held.cause,
      startedAt: held.since,
      told: held.told,
      acknowledged: false,
      suppressed: undefined,
      fact: () => heldFact(context, rule, subjects, { ...held, severity }, undefined),
    }
    return { rule, live, windowEnd: undefined, windowMs: 0 }
  }
}
