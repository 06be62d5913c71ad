import type { RulePlan } from '../core/alert-plan.ts'
import type { JobEvidence } from '../core/evidence.ts'
import type { EpochMs } from '../core/time.ts'
import type { VerdictEvidence } from '../core/verdict.ts'
import type { MetricHistory } from './history/metric-history.ts'
import type { Tags } from './history/series-names.ts'
import type { WindowBlock } from './history/window-block.ts'
import type { SourceSamples } from './judge/source-samples.ts'
import { evidenceOf, judgeWindow, seriesValue } from './judge/verdict.ts'
import type { Alert } from './lifecycle/alert.ts'
import type { AlertCause, AlertFact, Severity } from './notification.ts'
import type { ComparableWindows } from './rules/comparable-windows.ts'
import type { RuleSubjects, Subject } from './rules/subjects.ts'

/** Windows in the small chart of a message. */
const sparkWindows = 24
/** Everything that a fact about a rule or alert is written from. */
export interface FactContext {
  readonly job: string
  readonly evidence: JobEvidence
  readonly samples: SourceSamples
  readonly windows: ComparableWindows
}

/** The rule's own side of a fact, whatever it is about. */
function ofRule(rule: RulePlan, subjects: RuleSubjects | undefined) {
  const labels = rule.team === undefined ? rule.labels : { ...rule.labels, team: rule.team }
  return {
    rule: rule.name,
    ruleKind: rule.kind,
    metric: subjects?.history.metric.name ?? '',
    aggregate: subjects?.aggregate ?? (rule.kind === 'pipeline' ? rule.signal : ''),
    labels,
    annotations: rule.annotations,
  }
}

/** What a message says of an alert. @param ended undefined: it goes on */
export function alertFact(
  context: FactContext,
  rule: RulePlan,
  alert: Alert,
  subjects: RuleSubjects | undefined,
  ended:
    | { readonly at: EpochMs; readonly state: 'resolved' | 'corrected'; readonly said: number }
    | undefined,
): AlertFact {
  const { windowStart, windowEnd } = alert
  const subject = subjects?.list().find(({ key }) => key === alert.key)
  const block = subjects?.history.blockAt(windowStart)
  const own = ofRule(rule, subjects)
  const isWindow = subjects !== undefined && subject !== undefined && block !== undefined
  const size = windowEnd - windowStart
  return {
    ...own,
    incident: alert.incident,
    severity: alert.severity,
    cause: alert.cause,
    state: ended?.state ?? 'firing',
    tags: alert.tags,
    windowStart,
    windowEnd,
    verdict: isWindow ? verdictOf(context, subjects.history, block, subject) : undefined,
    numbers: isWindow
      ? numbersOf(context, rule, subjects, subject, block)
      : { now: alert.value, yesterday: undefined, lastWeek: undefined },
    history: isWindow ? sparkOf(subjects, subject, block) : [],
    reason: alert.reason,
    correction: ended?.state === 'corrected' ? { from: ended.said, to: alert.value } : undefined,
    evidence: evidenceAbout(context, subjects?.history, block, subject, alert.tags),
    startedAt: alert.startedAt,
    endedAt: ended?.at,
    acknowledgedBy: alert.acknowledged?.by,
    series: 1,
    dashboard: {
      job: context.job,
      metric: own.metric,
      aggregate: own.aggregate,
      tags: isWindow ? alert.tags : {},
      from: (windowStart - size) as EpochMs,
      to: (windowEnd + size) as EpochMs,
    },
  }
}

/** What a message says of a rule that cannot be judged. */
export function heldFact(
  context: FactContext,
  rule: RulePlan,
  subjects: RuleSubjects,
  held: {
    readonly incident: string
    readonly cause: AlertCause
    readonly reason: string
    readonly since: EpochMs
    readonly severity: Severity
    readonly windowStart: EpochMs
    readonly windowEnd: EpochMs
  },
  endedAt: EpochMs | undefined,
): AlertFact {
  const { windowStart, windowEnd, cause } = held
  const own = ofRule(rule, subjects)
  const { history } = subjects
  const isValue = cause === 'UNKNOWN' || cause === 'LATE' || cause === 'SOURCE_SILENT'
  return {
    ...own,
    incident: held.incident,
    severity: held.severity,
    cause,
    state: endedAt === undefined ? 'held' : 'resolved',
    tags: {},
    windowStart,
    windowEnd,
    verdict: isValue ? { value: cause, delivery: 'unwritten' } : undefined,
    numbers: { now: undefined, yesterday: undefined, lastWeek: undefined },
    history: [],
    reason: held.reason,
    correction: undefined,
    evidence: evidenceAbout(context, history, history.blockAt(windowStart), undefined, {}),
    startedAt: held.since,
    endedAt,
    acknowledgedBy: undefined,
    series: subjects.list().length,
    dashboard: {
      job: context.job,
      metric: own.metric,
      aggregate: own.aggregate,
      tags: {},
      from: (windowStart - (windowEnd - windowStart)) as EpochMs,
      to: (windowEnd + (windowEnd - windowStart)) as EpochMs,
    },
  }
}

function verdictOf(
  { evidence }: FactContext,
  history: MetricHistory,
  block: WindowBlock,
  subject: Subject,
): AlertFact['verdict'] {
  const source = evidence.sources.find(({ name }) => name === history.metric.source)
  const seen = history.firstWhole !== undefined
  const window = judgeWindow(block, source, seen, evidence.now)
  const values = subject.series.map((id) => seriesValue(window, block, id))
  // A share is made of several series: one that came is enough.
  const value = values.find((one) => one !== 'ZERO') ?? 'ZERO'
  return { value, delivery: window.delivery }
}

function numbersOf(
  { windows }: FactContext,
  rule: RulePlan,
  subjects: RuleSubjects,
  subject: Subject,
  block: WindowBlock,
): AlertFact['numbers'] {
  const { alignment } = subjects.history.metric.window
  const own = alignment.kind === 'zone' ? alignment.timezone : 'UTC'
  const timezone = 'timezone' in rule ? rule.timezone : own
  const then = (days: number) => {
    const other = windows.daysBefore(subjects.history, block, days, timezone)
    return other === undefined ? undefined : subjects.read(subject, other).value
  }
  const now = block.kind === 'whole' ? subjects.read(subject, block).value : undefined
  return { now, yesterday: then(1), lastWeek: then(7) }
}

function sparkOf(subjects: RuleSubjects, subject: Subject, block: WindowBlock): (number | null)[] {
  const numbers: (number | null)[] = []
  const read = (one: WindowBlock) =>
    one.kind === 'whole' ? (subjects.read(subject, one).value ?? null) : null
  numbers.push(read(block))
  for (const one of subjects.history.before(block)) {
    if (numbers.length >= sparkWindows) break
    numbers.push(read(one))
  }
  return numbers.reverse()
}

function evidenceAbout(
  { evidence, samples }: FactContext,
  history: MetricHistory | undefined,
  block: WindowBlock | undefined,
  subject: Subject | undefined,
  tags: Tags,
): VerdictEvidence {
  const source = history?.metric.source ?? tags.source ?? ''
  const sum = (aggregate: string): number | undefined => {
    const column = history?.columns.indexOf(aggregate) ?? -1
    if (column < 0 || block === undefined || subject === undefined) return undefined
    const values = subject.series.map((id) => block.value(id, column))
    const known = values.filter((value) => !Number.isNaN(value))
    return known.length === 0 ? undefined : known.reduce((a, b) => a + b, 0)
  }
  const numbers = { events: sum('events'), deduplicated: sum('users') ?? sum('count') }
  return evidenceOf(evidence, source, numbers, samples.rate(source))
}
