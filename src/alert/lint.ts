import type {
  AlertPlan,
  Bounds,
  JudgedMetric,
  Matchers,
  RulePlan,
  RuleSettings,
  WindowRule,
} from '../core/alert-plan.ts'
import { type EpochMs, formatDuration } from '../core/time.ts'
import { matchersText, matches } from './routing/matchers.ts'

/** Something about a rule that its author did not mean. */
export interface Finding {
  readonly code:
    | 'never-fires'
    | 'always-fires'
    | 'unknown-metric'
    | 'overlap'
    | 'no-volume-floor'
    | 'never-told'
    | 'unreachable-route'
    | 'ended-silence'
  /** Rule, route or silence. */
  readonly subject: string
  readonly what: string
  readonly right: string
}

const dayMs = 86_400_000
const counting = new Set(['count', 'events', 'users'])

/** Finds rules that can't do what they are for. @param noZeroFill metrics whose silent series get no zero */
export function lint(
  plan: AlertPlan,
  metrics: readonly JudgedMetric[],
  noZeroFill: ReadonlySet<string>,
  now: EpochMs,
): readonly Finding[] {
  const findings: Finding[] = []
  const say = (code: Finding['code'], subject: string, what: string, right: string) => {
    findings.push({ code, subject, what, right })
  }
  for (const rule of plan.rules) {
    lintRule(rule, plan, metrics, noZeroFill, (code, what, right) =>
      say(code, rule.name, what, right),
    )
  }
  lintOverlaps(plan, say)
  lintRoutes(plan, say)
  for (const silence of plan.silences) {
    if (silence.until > now) continue
    say('ended-silence', silence.id, 'the silence has ended', 'take it out')
  }
  return findings
}

type SayOfRule = (code: Finding['code'], what: string, right: string) => void
type Say = (code: Finding['code'], subject: string, what: string, right: string) => void

function lintRule(
  rule: RulePlan,
  plan: AlertPlan,
  metrics: readonly JudgedMetric[],
  noZeroFill: ReadonlySet<string>,
  say: SayOfRule,
): void {
  if (!rule.settings.enabled)
    say('never-fires', 'it is switched off', 'enabled: true, or take it out')
  const both = rule.mute.filter((name) => rule.active.includes(name))
  if (both.length > 0) {
    say(
      'never-told',
      `it is muted in ${both.join(', ')} and active only then`,
      'drop one of the two',
    )
  }
  if (rule.kind === 'composite') return
  if (rule.kind === 'pipeline') {
    const share = rule.signal === 'dead-letter-rate' || rule.signal === 'late-rate'
    lintRange(rule.settings, { min: 0, max: share ? 1 : undefined }, say)
    return
  }
  const metric = metrics.find(({ name }) => name === rule.metric)
  if (metric === undefined) {
    const known = metrics.map(({ name }) => name).join(', ') || 'none'
    say('unknown-metric', `there is no metric ${rule.metric}`, `known are ${known}`)
    return
  }
  lintWindowRule(rule, plan, metric, noZeroFill, say)
}

function lintWindowRule(
  rule: WindowRule,
  plan: AlertPlan,
  metric: JudgedMetric,
  noZeroFill: ReadonlySet<string>,
  say: SayOfRule,
): void {
  const { settings } = rule
  const aggregate = rule.aggregate ?? metric.aggregates[0]?.name
  const kind = metric.aggregates.find(({ name }) => name === aggregate)?.kind ?? 'other'
  const keep = plan.history.keepMs
  const need = (ms: number, what: string) => {
    if (keep > ms) return
    const right = `history.keep: ${formatDuration(ms + dayMs)} or more`
    say('never-fires', `${what}, and only ${formatDuration(keep)} are kept`, right)
  }
  if (settings.forMs > keep) need(settings.forMs, `for is ${formatDuration(settings.forMs)}`)
  switch (rule.kind) {
    case 'zero':
      if (noZeroFill.has(rule.metric)) {
        const what = `metric ${rule.metric} writes no zeros`
        say('never-fires', what, 'zeroFill: { enabled: true } for the metric')
      }
      break
    case 'threshold':
      lintRange(settings, { min: counting.has(kind) ? 0 : undefined, max: undefined }, say)
      for (const one of rule.overrides) {
        lintRange(
          { ...settings, ...one.settings },
          { min: counting.has(kind) ? 0 : undefined, max: undefined },
          say,
        )
      }
      break
    case 'rate':
      lintRange(settings, { min: 0, max: 1 }, say)
      if (settings.minVolume === 0) noFloor('one failure of two is 50 %', 'minVolume: 20', say)
      break
    case 'change':
      need(
        (rule.against === 'day' ? 1 : 7) * dayMs + metric.window.sizeMs,
        `it looks back a ${rule.against}`,
      )
      lintRange(settings, { min: -1, max: undefined }, say)
      if (settings.minVolume === 0 && settings.floor === 0) {
        noFloor('two instead of four at night is −50 %', 'minVolume: 50, or floor: 20', say)
      }
      break
    case 'baseline':
      need(rule.minSamples * 7 * dayMs, `it needs ${rule.minSamples} weeks`)
      if (settings.warn === undefined && settings.crit === undefined) {
        say('never-fires', 'nothing is said about what is bad', 'crit: 5')
      }
      break
    case 'missing-series':
      if (rule.forgetMs <= rule.afterMs) {
        const what = `a series is forgotten after ${formatDuration(rule.forgetMs)}, before it is missing`
        say('never-fires', what, 'forget longer than after')
      }
      need(rule.afterMs, `it looks back ${formatDuration(rule.afterMs)}`)
      break
    case 'new-series':
      break
  }
}

const noFloor = (why: string, right: string, say: SayOfRule) =>
  say('no-volume-floor', `nothing keeps small numbers quiet: ${why}`, right)

/** What no number can be outside of, and what every number is outside of. */
function lintRange(settings: RuleSettings, range: Bounds, say: SayOfRule): void {
  const { warn, crit } = settings
  for (const [name, bounds] of Object.entries({ warn, crit })) {
    if (bounds === undefined) continue
    const { min, max } = bounds
    const low = range.min ?? Number.NEGATIVE_INFINITY
    const high = range.max ?? Number.POSITIVE_INFINITY
    if ((min ?? low) > high || (max ?? high) < low) {
      const right = `write a bound between ${low} and ${high}`
      say('always-fires', `${name} lets nothing through: numbers are ${low} to ${high}`, right)
    } else if (
      (min ?? low) <= low &&
      (max ?? high) >= high &&
      (min !== undefined || max !== undefined)
    ) {
      const right = `write a bound inside ${low} and ${high}`
      say('never-fires', `${name} lets everything through: numbers are ${low} to ${high}`, right)
    }
  }
  if (warn === undefined || crit === undefined) return
  const hidden = coversBounds(crit, warn)
  if (hidden)
    say(
      'never-fires',
      'crit is broken wherever warn is: nothing is ever a warning',
      'make crit wider than warn',
    )
}

/** Is everything that breaks `warn` critical already? */
function coversBounds(crit: Bounds, warn: Bounds): boolean {
  const low = warn.min === undefined || (crit.min !== undefined && crit.min >= warn.min)
  const high = warn.max === undefined || (crit.max !== undefined && crit.max <= warn.max)
  return low && high
}

function lintOverlaps({ rules }: AlertPlan, say: Say): void {
  for (const [index, rule] of rules.entries()) {
    if (!('metric' in rule)) continue
    const twin = rules.slice(0, index).find((other) => 'metric' in other && isSame(rule, other))
    if (twin === undefined) continue
    const what = `it judges the same as ${twin.name}: ${rule.kind} of ${rule.metric}, ${matchersText(rule.match)}`
    say('overlap', rule.name, what, 'keep one of the two, or tell them apart by match')
  }
}

function isSame(a: WindowRule, b: WindowRule): boolean {
  if (a.kind !== b.kind || a.metric !== b.metric || a.aggregate !== b.aggregate) return false
  const own = (rule: WindowRule) => JSON.stringify([rule.match, rule.overrides])
  if (a.kind === 'zero' && (a.match.length === 0 || b.match.length === 0)) {
    return a.settings.severity === b.settings.severity
  }
  const bounds = (rule: WindowRule) =>
    JSON.stringify([rule.settings.warn, rule.settings.crit, rule.settings.severity])
  return own(a) === own(b) && bounds(a) === bounds(b)
}

function lintRoutes({ routes, rules }: AlertPlan, say: Say): void {
  const named = routes.slice(0, -1)
  for (const [index, route] of named.entries()) {
    const hiding = named
      .slice(0, index)
      .find((before) => !before.proceed && covers(before.match, route.match))
    if (hiding === undefined) continue
    const what = `route ${hiding.name} takes everything that it would`
    say('unreachable-route', route.name, what, 'put it before, or give that one continue: true')
  }
  const isSilent = routes.every(({ receivers }) => receivers.length === 0)
  if (isSilent && rules.length > 0) {
    say(
      'never-told',
      'routes',
      'no route has a receiver: messages are only logged',
      'route: { receivers: […] }',
    )
  }
}

/** Does everything that matches `narrow` match `wide`, as far as plain texts tell? */
function covers(wide: Matchers, narrow: Matchers): boolean {
  return wide.every((one) => {
    const own = narrow.find(({ label }) => label === one.label)
    if (own === undefined) return false
    return own.patterns.every((pattern) => matches([one], { [one.label]: pattern }))
  })
}
