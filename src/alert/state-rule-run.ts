import type { CompositeRule, PipelineRule } from '../core/alert-plan.ts'
import type { FactContext } from './facts.ts'
import { type Tags, tagsKey } from './history/series-names.ts'
import { advance, hold } from './lifecycle/advance.ts'
import type { Alert } from './lifecycle/alert.ts'
import type { AlertStates } from './lifecycle/alert-states.ts'
import { compositeTruths, type RuleStates, type RuleTruth } from './rules/composite.ts'
import type { Judgement } from './rules/judgement.ts'
import { judgeSignal, signalsOf } from './rules/pipeline-signals.ts'
import { rulesOf } from './rules/rule-order.ts'

/** Judges rules that are about now, not about windows: the pipeline, and conditions over other rules. */
export class StateRuleRun {
  readonly #rule: CompositeRule | PipelineRule
  readonly #states: AlertStates
  readonly #context: FactContext
  readonly #onEnd: (alert: Alert) => void

  constructor(
    rule: CompositeRule | PipelineRule,
    states: AlertStates,
    context: FactContext,
    onEnd: (alert: Alert) => void,
  ) {
    this.#rule = rule
    this.#states = states
    this.#context = context
    this.#onEnd = onEnd
  }

  /** @param dependency a rule that fires and that this one depends on @param sourceOf source of a metric */
  run(dependency: string | undefined, sourceOf: (metric: string) => string): void {
    if (dependency !== undefined) {
      for (const alert of this.#states.of(this.#rule.name)) {
        if (hold(alert, 'DEPENDENCY') !== 'none') this.#states.changed(alert)
      }
      return
    }
    if (this.#rule.kind === 'pipeline') this.#pipeline(this.#rule, sourceOf)
    else this.#composite(this.#rule)
  }

  #pipeline(rule: PipelineRule, sourceOf: (metric: string) => string): void {
    const { evidence, samples } = this.#context
    const seen = new Set<string>()
    for (const signal of signalsOf(rule, evidence, samples, sourceOf)) {
      const key = tagsKey(signal.tags)
      seen.add(key)
      const known = this.#states.alert(rule.name, key)
      const firing = known?.state === 'firing' ? known.severity : undefined
      this.#step(key, signal.tags, judgeSignal(rule, signal, firing))
    }
    for (const alert of [...this.#states.of(rule.name)]) {
      if (alert.state === 'inactive' || seen.has(alert.key)) continue
      if (hold(alert, 'UNKNOWN') !== 'none') this.#states.changed(alert)
    }
  }

  #composite(rule: CompositeRule): void {
    const states: RuleStates = {
      labels: (name) => [...this.#states.of(name)].map(({ tags }) => tags),
      truth: (name, shared) => this.#truth(name, shared),
    }
    const { severity } = rule.settings
    for (const { tags, truth } of compositeTruths(rule, rulesOf(rule.condition), states)) {
      const judgement: Judgement =
        truth === 'held'
          ? { kind: 'none', cause: 'DEPENDENCY', reason: 'a part cannot be judged' }
          : truth === 'fires'
            ? { kind: 'bad', severity, cause: 'COMPOSITE', value: 1, reason: 'the condition holds' }
            : { kind: 'good', value: 0, reason: 'the condition does not hold' }
      this.#step(tagsKey(tags), tags, judgement)
    }
  }

  #truth(name: string, shared: Tags): RuleTruth {
    let held = this.#states.rule(name).held !== undefined
    for (const alert of this.#states.of(name)) {
      if (!Object.entries(shared).every(([label, value]) => alert.tags[label] === value)) continue
      if (alert.state === 'firing') return 'fires'
      held ||= alert.held !== undefined && alert.state !== 'inactive'
    }
    return held ? 'held' : 'quiet'
  }

  #step(key: string, tags: Tags, judgement: Judgement): void {
    const known = this.#states.alert(this.#rule.name, key)
    if (known === undefined && judgement.kind !== 'bad') return
    const alert = known ?? this.#states.obtain(this.#rule.name, key, tags)
    const { now } = this.#context.evidence
    const at = { start: now, end: now, ms: 0 }
    const before = alert.state
    const transition = advance(alert, judgement, at, this.#rule.settings, now)
    // A number that goes on being bad is no change worth writing at every look.
    if (
      transition !== 'none' &&
      (transition !== 'changed' || alert.state !== before || judgement.kind !== 'bad')
    ) {
      this.#states.changed(alert)
    }
    if (transition === 'resolved') this.#onEnd(alert)
  }
}
