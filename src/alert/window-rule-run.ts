import type { WindowRule } from '../core/alert-plan.ts'
import type { JobEvidence } from '../core/evidence.ts'
import { type EpochMs, epochMs, formatDuration } from '../core/time.ts'
import type { WindowBlock } from './history/window-block.ts'
import { judgeWindow } from './judge/verdict.ts'
import { advance, hold, type Judged, revise } from './lifecycle/advance.ts'
import type { Alert, Transition } from './lifecycle/alert.ts'
import type { AlertStates, RuleState } from './lifecycle/alert-states.ts'
import type { AlertCause } from './notification.ts'
import type { RuleSubjects, Subject } from './rules/subjects.ts'
import type { WindowJudge } from './rules/window-judge.ts'
import { shortHash } from './state-json.ts'

/** What ended an alert, and the number that was said before. */
export type OnEnd = (alert: Alert, how: 'resolved' | 'corrected', said: number) => void

export interface WindowRuleParts {
  readonly rule: WindowRule
  readonly subjects: RuleSubjects
  readonly states: AlertStates
  readonly judge: WindowJudge
  readonly onEnd: OnEnd
  /** The rule that this one depends on and that fires. */
  readonly dependency: string | undefined
}

/** Judges the windows of a metric that became judgeable since the last time, in order, each once. */
export class WindowRuleRun {
  readonly #parts: WindowRuleParts
  readonly #evidence: JobEvidence
  readonly #now: EpochMs
  readonly #state: RuleState

  constructor(parts: WindowRuleParts, evidence: JobEvidence) {
    this.#parts = parts
    this.#evidence = evidence
    this.#now = evidence.now
    this.#state = parts.states.rule(parts.rule.name)
  }

  /** Windows that the rule judged already and whose numbers late data changed. */
  revise(revised: ReadonlyMap<WindowBlock, ReadonlySet<number>>): void {
    const { subjects, states, rule } = this.#parts
    const { frontier } = this.#state
    if (frontier === undefined) return
    for (const [block, series] of revised) {
      if (block.kind !== 'whole' || block.end > frontier) continue
      const seen = new Set<Subject>()
      for (const id of series) {
        const subject = subjects.of(id)
        if (subject === undefined || seen.has(subject)) continue
        seen.add(subject)
        const known = states.alert(rule.name, subject.key)
        const said = known?.bad.find(({ start }) => start === block.start)?.value ?? 0
        this.#step(subject, block, said, (alert, judgement, judged) =>
          revise(alert, judgement, judged, block.end === frontier, subject.settings, this.#now),
        )
      }
    }
  }

  /** Windows that are new to the rule. */
  advance(): void {
    const { rule, subjects, states, dependency } = this.#parts
    const { history } = subjects
    const state = this.#state
    state.frontier ??= this.#firstFrontier()
    const delay = rule.evaluationDelayMs ?? history.metric.evaluationDelayMs
    for (const block of history.after(state.frontier)) {
      const due = epochMs(block.end + history.metric.outOfOrdernessMs + delay)
      if (this.#now < due) break
      if (block.kind === 'open') {
        const source = this.#evidence.sources.find(({ name }) => name === history.metric.source)
        const seen = history.firstWhole !== undefined
        const { value, reason } = judgeWindow(block, source, seen, this.#now)
        this.#hold(block, due, value as AlertCause, reason)
        return
      }
      if (block.kind === 'whole' && rule.requireWritten && block.writtenAt === undefined) {
        const error = this.#evidence.sinks.find(({ lastError }) => lastError !== undefined)
        const why = error === undefined ? '' : `: ${error.name}: ${error.lastError}`
        this.#hold(block, due, 'SINK_FAILING', `the window is not written yet${why}`)
        return
      }
      if (block.kind !== 'whole')
        this.#holdAll(block.kind === 'silent' ? 'SOURCE_SILENT' : 'UNKNOWN')
      else if (dependency !== undefined) this.#holdAll('DEPENDENCY')
      else this.#judgeAll(block)
      state.frontier = block.end
      states.ruleChanged(rule.name)
    }
    this.#release()
  }

  /** A rule that is new to a metric with a past begins with the last window that was closed. */
  #firstFrontier(): EpochMs {
    const old = this.#parts.subjects.history.blocks.filter(
      ({ closedAt }) => closedAt !== undefined && closedAt < this.#now,
    )
    const last = old.at(-1)
    if (last === undefined) return epochMs(Number.NEGATIVE_INFINITY)
    return old.at(-2)?.end ?? epochMs(last.end - 1)
  }

  #judgeAll(block: WindowBlock): void {
    const { subjects, states, rule } = this.#parts
    const judged = new Set<string>()
    for (const subject of subjects.list()) {
      if (!subject.settings.enabled) continue
      const known = this.#step(subject, block, 0, (alert, judgement, at) =>
        advance(alert, judgement, at, subject.settings, this.#now),
      )
      if (known) judged.add(subject.key)
    }
    for (const alert of [...states.of(rule.name)]) {
      if (alert.state !== 'inactive' && !judged.has(alert.key)) this.#forget(alert, block)
    }
  }

  /** @returns whether the subject is one of the window's */
  #step(
    subject: Subject,
    block: WindowBlock,
    said: number,
    take: (alert: Alert, judgement: Parameters<typeof advance>[1], at: Judged) => Transition,
  ): boolean {
    const { rule, subjects, states, judge, onEnd } = this.#parts
    const known = states.alert(rule.name, subject.key)
    const firing = known?.state === 'firing' ? known.severity : undefined
    const episodes = known?.episodes ?? []
    const masked = (start: number) => episodes.some(([from, to]) => start >= from && start < to)
    const judgement = judge.judge(subjects, subject, block, firing, masked)
    if (judgement === undefined) return false
    if (known === undefined && judgement.kind !== 'bad') return true
    const alert = known ?? states.obtain(rule.name, subject.key, subject.tags)
    const { slideMs } = subjects.history.metric.window
    const transition = take(alert, judgement, { start: block.start, end: block.end, ms: slideMs })
    if (transition !== 'none') states.changed(alert)
    if (transition === 'resolved' || transition === 'corrected') onEnd(alert, transition, said)
    return true
  }

  /** The series is gone for so long that nobody knows it any more: that is no recovery. */
  #forget(alert: Alert, block: WindowBlock): void {
    const { history } = this.#parts.subjects
    const id = history.series.idOf(alert.tags)
    const last = id === undefined ? Number.NEGATIVE_INFINITY : history.series.lastEnd(id)
    const gone = block.end - last > history.metric.expireAfterMs
    if (!gone && id !== undefined && this.#parts.subjects.of(id)?.settings.enabled !== false) {
      if (hold(alert, 'UNKNOWN') !== 'none') this.#parts.states.changed(alert)
      return
    }
    const said = alert.value
    alert.reason = Number.isFinite(last)
      ? `the series is forgotten: no event for ${formatDuration(block.end - last)}`
      : 'the series is no longer judged'
    alert.bad = []
    this.#parts.onEnd(alert, 'corrected', said)
    this.#parts.states.changed(alert)
  }

  #hold(block: WindowBlock, due: EpochMs, cause: AlertCause, reason: string): void {
    const { rule, states } = this.#parts
    this.#holdAll(cause)
    const known = this.#state.held
    states.ruleChanged(rule.name)
    if (known === undefined) {
      this.#state.held = {
        incident: shortHash(`${rule.name} held ${due}`),
        cause,
        reason,
        since: due,
        due,
        windowStart: block.start,
        windowEnd: block.end,
        told: {},
      }
      return
    }
    known.due = due
    known.windowStart = block.start
    known.windowEnd = block.end
    // What was told keeps its name.
    if (Object.keys(known.told).length > 0) return
    known.cause = cause
    known.reason = reason
  }

  #holdAll(cause: AlertCause): void {
    const { rule, states } = this.#parts
    for (const alert of states.of(rule.name)) {
      if (hold(alert, cause) !== 'none') states.changed(alert)
    }
  }

  /** Nothing holds the rule any more; the engine tells whoever was told. */
  #release(): void {
    const { rule, states } = this.#parts
    if (this.#state.held === undefined) return
    states.ruleChanged(rule.name)
    this.released = this.#state.held
    this.#state.held = undefined
  }

  /** What held the rule until now. */
  released: RuleState['held'] = undefined
}
