import type {
  Bounds,
  Matchers,
  PipelineSignal,
  RulePlan,
  RuleSettings,
  SeverityName,
  WindowRuleBase,
} from '../core/alert-plan.ts'
import { usualSettings } from '../core/rule-settings.ts'
import type { DurationMs, EpochMs } from '../core/time.ts'
import { parseRuleCondition } from './rule-condition.ts'
import type { RuleDocument } from './schema/alerts.ts'

type PatternsDocument = Readonly<Record<string, string | readonly string[]>>

/** Levels as the kinds write them: bounds, falls and rises in percent, or a distance. */
type LevelDocument =
  | number
  | {
      readonly min?: number
      readonly max?: number
      readonly drop?: number
      readonly rise?: number
    }

/** What the settings of a rule and of its overrides look like, whatever the kind. */
interface SettingsDocument {
  readonly enabled?: boolean
  readonly severity?: SeverityName
  readonly warn?: LevelDocument
  readonly crit?: LevelDocument
  readonly clear?: LevelDocument
  readonly for?: DurationMs
  readonly forWindows?: number
  readonly keepFiring?: DurationMs
  readonly keepFiringWindows?: number
  readonly minVolume?: number
  readonly floor?: number
}

export function resolveMatchers(document: PatternsDocument): Matchers {
  return Object.entries(document).map(([label, patterns]) => ({
    label,
    patterns: typeof patterns === 'string' ? [patterns] : patterns,
  }))
}

/** A rule with everything that the document leaves to defaults. */
export function resolveRule(name: string, document: RuleDocument): RulePlan {
  const settings = settingsOf(document as SettingsDocument, document)
  const base = {
    name,
    team: document.team,
    labels: document.labels,
    annotations: document.annotations,
    settings: { ...usualSettings, ...settings },
    overrides: overridesOf(document),
    maxWaitMs: document.maxWait,
    dependsOn: document.dependsOn,
    mute: document.mute,
    active: document.active,
  }
  if (document.kind === 'composite') {
    const condition = parseRuleCondition(document.when)
    if (condition.kind !== 'ok') throw new TypeError('the check lets no wrong condition through')
    return { ...base, kind: 'composite', condition: condition.value, on: document.on }
  }
  if (document.kind === 'pipeline') {
    const signal = document.signal as PipelineSignal
    return { ...base, kind: 'pipeline', signal, names: document.of, overMs: document.over }
  }
  const windowed: WindowRuleBase = {
    ...base,
    metric: document.metric,
    aggregate: document.aggregate,
    match: resolveMatchers(document.match),
    requireWritten: document.requireWritten,
    evaluationDelayMs: document.evaluationDelay,
  }
  switch (document.kind) {
    case 'zero':
    case 'threshold':
      return { ...windowed, kind: document.kind }
    case 'rate': {
      const { success, of, volume } = document
      const outcomes = success === undefined ? undefined : { success, of }
      return { ...windowed, kind: 'rate', outcomes, volume }
    }
    case 'change': {
      const { against, timezone } = document
      return { ...windowed, kind: 'change', against, timezone }
    }
    case 'baseline': {
      const { direction, weeks, minSamples, timezone, calendar } = document
      const masked: readonly { readonly from: EpochMs; readonly to: EpochMs }[] = document.masked
      const own = { direction, weeks, minSamples, timezone, calendar, masked }
      return { ...windowed, kind: 'baseline', ...own }
    }
    case 'new-series':
      return { ...windowed, kind: 'new-series', learnMs: document.learn }
    case 'missing-series': {
      const { after, forget } = document
      return { ...windowed, kind: 'missing-series', afterMs: after, forgetMs: forget }
    }
  }
}

function overridesOf(document: RuleDocument): RulePlan['overrides'] {
  if (!('overrides' in document)) return []
  const overrides = document.overrides as readonly (SettingsDocument & {
    readonly match: PatternsDocument
  })[]
  return overrides.map((one) => ({
    match: resolveMatchers(one.match),
    settings: settingsOf(one, document),
  }))
}

/** Only what stands there. */
function settingsOf(own: SettingsDocument, rule: RuleDocument): Partial<RuleSettings> {
  const settings = {
    enabled: own.enabled,
    severity: own.severity,
    warn: boundsOf(own.warn, rule),
    crit: boundsOf(own.crit, rule),
    clear: boundsOf(own.clear, rule),
    forMs: own.for,
    forWindows: own.forWindows,
    keepFiringMs: own.keepFiring,
    keepFiringWindows: own.keepFiringWindows,
    minVolume: own.minVolume,
    floor: own.floor,
  }
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}

/** Every kind's level as bounds of the number that it judges. */
function boundsOf(level: LevelDocument | undefined, rule: RuleDocument): Bounds | undefined {
  if (level === undefined) return undefined
  if (typeof level === 'number') {
    const direction = rule.kind === 'baseline' ? rule.direction : 'both'
    return {
      min: direction === 'above' ? undefined : -level,
      max: direction === 'below' ? undefined : level,
    }
  }
  if (rule.kind === 'change') {
    return {
      min: level.drop === undefined ? undefined : -level.drop / 100,
      max: level.rise === undefined ? undefined : level.rise / 100,
    }
  }
  return { min: level.min, max: level.max }
}
