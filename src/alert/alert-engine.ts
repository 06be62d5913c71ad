import type {
  AlertPlan,
  JudgedMetric,
  RulePlan,
  SilencePlan,
  WindowRule,
} from '../core/alert-plan.ts'
import type { JobEvidence, WindowClosing } from '../core/evidence.ts'
import type { Pane } from '../core/pane.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { EpochMs } from '../core/time.ts'
import { alertFact, type FactContext, heldFact } from './facts.ts'
import { leftBehind } from './history/left-behind.ts'
import { MetricHistory } from './history/metric-history.ts'
import type { WindowBlock } from './history/window-block.ts'
import { SourceSamples } from './judge/source-samples.ts'
import { oldestUnwritten } from './judge/verdict.ts'
import { restart } from './lifecycle/advance.ts'
import type { Alert } from './lifecycle/alert.ts'
import { AlertStates, type HeldRule } from './lifecycle/alert-states.ts'
import { LiveAlerts } from './live-alerts.ts'
import type { Notification } from './notification.ts'
import { NamedTimes } from './routing/calendar-times.ts'
import { Groups } from './routing/groups.ts'
import type { LabelSet } from './routing/matchers.ts'
import { explainRoutes } from './routing/routes.ts'
import { Silences } from './routing/silences.ts'
import { removedRule } from './rules/removed-rule.ts'
import { inOrder } from './rules/rule-order.ts'
import { RuleSubjects } from './rules/subjects.ts'
import { WindowJudge } from './rules/window-judge.ts'
import { StateRuleRun } from './state-rule-run.ts'
import { VerdictBoard } from './verdict-board.ts'
import type { VerdictNote } from './verdict-notes.ts'
import { WindowRuleRun } from './window-rule-run.ts'

/** What one evaluation leaves to do. */
export interface Evaluation {
  /** For the transaction of the panes that were judged. */
  readonly operations: readonly StateOperation[]
  /** For the same transaction, by way of the notification outbox; sent when it is durable. */
  readonly notifications: readonly Notification[]
  /** For the charts; may be lost. */
  readonly notes: readonly VerdictNote[]
}

/**
 * Judges windows, runs rules, decides on messages. It never reads a clock or a store: what it knows is the panes that it was given, the evidence, and
 * its own state, all of which is in the operations it returns. The same inputs give the same messages.
 */
export class AlertEngine {
  readonly histories = new Map<string, MetricHistory>()
  readonly states = new AlertStates()
  readonly silences = new Silences()
  readonly board: VerdictBoard
  #plan: AlertPlan
  #rules: readonly RulePlan[] = []
  #subjects = new Map<string, RuleSubjects>()
  #judge: WindowJudge
  #live: LiveAlerts
  readonly #groups: Groups
  readonly #samples = new SourceSamples()
  #evaluatedAt: EpochMs | undefined
  /** Removes what is stored of metrics that are gone. */
  #leftBehind: readonly StateOperation[] = []
  #evidence: JobEvidence | undefined

  /** @param metrics what the job counts; windows of other metrics are not judged */
  constructor(plan: AlertPlan, metrics: readonly JudgedMetric[]) {
    this.#plan = plan
    for (const metric of metrics) {
      this.histories.set(metric.name, new MetricHistory(metric, plan.history))
    }
    this.board = new VerdictBoard(this.histories, this.#samples)
    this.#groups = new Groups(plan.routes, new NamedTimes(plan))
    this.#judge = new WindowJudge(plan.calendars)
    this.#live = this.#prepare(plan)
  }

  get plan(): AlertPlan {
    return this.#plan
  }

  /** Takes over what an earlier run left in the state. Called once, before anything else. */
  restore(store: StateStore): void {
    for (const history of this.histories.values()) history.restore(store)
    this.states.restore(store)
    this.silences.restore(store)
    this.#groups.restore(store)
    this.#leftBehind = leftBehind(store, this.histories)
    this.board.restored()
  }

  /** Other rules from now on; alerts of rules that keep their name go on. What was told of rules that are gone is taken back with the next evaluation. */
  reload(plan: AlertPlan): void {
    this.#live = this.#prepare(plan)
  }

  /** Is there something to judge before the next checkpoint? */
  isDue(now: EpochMs): boolean {
    const at = this.#evaluatedAt
    if (at === undefined || now < at || now - at >= this.#plan.intervalMs) return true
    for (const history of this.histories.values()) {
      if (now >= history.nextDue(history.metric.evaluationDelayMs)) return true
    }
    return false
  }

  /** Judges what is new. Panes and closings come in the order in which they were emitted, each once. */
  evaluate(
    panes: readonly Pane[],
    closings: readonly WindowClosing[],
    evidence: JobEvidence,
  ): Evaluation {
    const { now } = evidence
    this.#evaluatedAt = now
    this.#evidence = evidence
    this.#samples.add(evidence)
    const unwritten = oldestUnwritten(evidence.sinks)
    for (const history of this.histories.values()) history.noteWritten(unwritten, now)
    for (const pane of panes) this.histories.get(pane.metric)?.add(pane, now)
    for (const closing of closings) this.histories.get(closing.metric)?.close(closing, now)
    const context: FactContext = {
      job: this.#plan.job,
      evidence,
      samples: this.#samples,
      windows: this.#judge.windows,
    }
    const revised = new Map<MetricHistory, ReturnType<MetricHistory['takeRevised']>>()
    for (const history of this.histories.values()) {
      history.settleSkipped(now)
      history.expect(now, history.metric.evaluationDelayMs)
      revised.set(history, history.takeRevised())
    }
    for (const name of this.states.ruleNames) {
      if (!this.#rules.some((rule) => rule.name === name)) this.#dropRule(name, context)
    }
    for (const rule of this.#rules) this.#run(rule, revised, context)
    const lives = this.#live.collect(this.#rules, this.#subjects, context)
    const notifications = this.#groups.update(lives, now)
    const left = this.#leftBehind
    this.#leftBehind = []
    this.#live.noteTold(lives)
    return {
      operations: [
        ...left,
        ...[...this.histories.values()].flatMap((history) => history.takeChanges()),
        ...this.states.takeChanges(),
        ...this.silences.takeChanges(now),
        ...this.#groups.takeChanges(),
      ],
      notifications,
      notes: this.board.notes(evidence),
    }
  }

  /** Somebody takes on the alerts of an incident; repeats and escalation stop until it is worse. @returns how many */
  acknowledge(incident: string, by: string, reason: string, now: EpochMs): number {
    let count = 0
    for (const alert of this.states.all()) {
      if (alert.incident !== incident || alert.state !== 'firing') continue
      alert.acknowledged = { by, at: now, reason }
      this.states.changed(alert)
      count++
    }
    return count
  }

  /** What a silence would silence now: alerts that are pending or fire, and rules that are held. */
  preview(match: SilencePlan['match']): readonly LabelSet[] {
    return this.#live.labelsMatching(match, this.#rules, this.#subjects)
  }

  /** Labels of an alert as routes, silences and inhibitions see them. */
  labels(alert: Alert): LabelSet {
    const rule = this.#rules.find(({ name }) => name === alert.rule)
    if (rule === undefined) return alert.tags
    return this.#live.labelsOf(rule, alert.tags, alert, this.#subjects.get(rule.name))
  }

  explainRoute(labels: LabelSet): readonly string[] {
    return explainRoutes(this.#plan.routes, labels)
  }

  /** As of the last evaluation. */
  get evidence(): JobEvidence | undefined {
    return this.#evidence
  }

  #prepare(plan: AlertPlan): LiveAlerts {
    this.#plan = plan
    this.#rules = inOrder(plan.rules).filter((rule) => rule.settings.enabled)
    this.#subjects = new Map()
    for (const rule of this.#rules) {
      if (!('metric' in rule)) continue
      const history = this.histories.get(rule.metric)
      if (history !== undefined) this.#subjects.set(rule.name, new RuleSubjects(rule, history))
    }
    const times = new NamedTimes(plan)
    this.#judge = new WindowJudge(plan.calendars)
    this.#groups.set(plan.routes, times)
    this.silences.setFile(plan.silences)
    return new LiveAlerts(plan, times, this.silences, this.states)
  }

  #run(
    rule: RulePlan,
    revised: ReadonlyMap<MetricHistory, ReadonlyMap<WindowBlock, ReadonlySet<number>>>,
    context: FactContext,
  ): void {
    const dependency = rule.dependsOn.find((name) => this.states.isFiring(name))
    if (rule.kind === 'composite' || rule.kind === 'pipeline') {
      new StateRuleRun(rule, this.states, context, (alert) =>
        this.#end(rule, alert, 'resolved', alert.value, context),
      ).run(dependency, (metric) => this.histories.get(metric)?.metric.source ?? '')
      return
    }
    const subjects = this.#subjects.get(rule.name)
    if (subjects === undefined) return
    const run = new WindowRuleRun(
      {
        rule,
        subjects,
        states: this.states,
        judge: this.#judge,
        dependency,
        onEnd: (alert, how, said) => this.#end(rule, alert, how, said, context),
      },
      context.evidence,
    )
    run.revise(revised.get(subjects.history) ?? new Map())
    run.advance()
    if (run.released !== undefined) this.#release(rule, subjects, run.released, context)
  }

  /** Ends an incident; whoever was told of it is told of its end. */
  #end(
    rule: RulePlan,
    alert: Alert,
    state: 'resolved' | 'corrected',
    said: number,
    context: FactContext,
  ): void {
    const subjects = this.#subjects.get(rule.name)
    const routes = Object.keys(alert.told)
    // That a series is no longer new is no news.
    if (routes.length > 0 && rule.kind !== 'new-series') {
      const ended = { at: context.evidence.now, state, said }
      const fact = alertFact(context, rule, alert, subjects, ended)
      const labels = this.#live.labelsOf(rule, alert.tags, alert, subjects)
      const id = LiveAlerts.idOf(alert)
      this.#groups.end({ id, incident: alert.incident, fact }, 'firing', routes, labels)
    }
    const windowMs = subjects?.history.metric.window.slideMs ?? 0
    if (state === 'resolved') alert.bad = []
    restart(alert, windowMs)
    this.states.changed(alert)
  }

  #release(rule: WindowRule, subjects: RuleSubjects, held: HeldRule, context: FactContext): void {
    const routes = Object.keys(held.told)
    if (routes.length === 0) return
    const { severity } = rule.settings
    const fact = heldFact(context, rule, subjects, { ...held, severity }, context.evidence.now)
    const labels = this.#live.heldLabels(rule, held, subjects)
    const ended = { id: `held ${rule.name}`, incident: held.incident, fact }
    this.#groups.end(ended, 'held', routes, labels)
  }

  #dropRule(name: string, context: FactContext): void {
    for (const alert of this.states.of(name)) {
      const routes = Object.keys(alert.told)
      if (alert.state !== 'firing' || routes.length === 0) continue
      alert.reason = 'the rule was removed'
      const rule = removedRule(name)
      const ended = { at: context.evidence.now, state: 'corrected', said: alert.value } as const
      const fact = alertFact(context, rule, alert, undefined, ended)
      const labels = this.#live.labelsOf(rule, alert.tags, alert, undefined)
      const id = LiveAlerts.idOf(alert)
      this.#groups.end({ id, incident: alert.incident, fact }, 'firing', routes, labels)
    }
    this.states.drop(name)
  }
}
