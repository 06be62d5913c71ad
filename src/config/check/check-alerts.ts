import { pipelineSignals, type RuleCondition } from '../../core/alert-plan.ts'
import { formatDuration } from '../../core/time.ts'
import { textFormats } from '../read/formats.ts'
import type { Locator, Place } from '../read/locator.ts'
import { suggestion } from '../read/suggest.ts'
import { parseDate, parseHours } from '../resolve-alerts.ts'
import { outcomeDimension, resolveAggregate } from '../resolve-metric.ts'
import { parseRuleCondition, rulesIn } from '../rule-condition.ts'
import type { AlertsDocument, RuleDocument } from '../schema/alerts.ts'
import type { MetricDocument } from '../schema.ts'

/**
 * Checks what the schema cannot say of rules, routes and times.
 * @param at where the section lies: `alerts` in a config, nowhere in a file of its own
 * @param metrics of the job; undefined: not known, and not checked
 */
export function checkAlerts(
  document: Partial<AlertsDocument>,
  metrics: Readonly<Record<string, MetricDocument>> | undefined,
  at: Place,
  locator: Locator,
): void {
  if (document.file !== undefined) {
    for (const key of locator.keysAt(at)) {
      if (key === 'file' || key === 'receivers') continue
      const right = 'put it into the file, or leave file out'
      locator.key([...at, key], `${key} beside file`, right)
    }
  }
  const check = new AlertCheck(document, metrics, at, locator)
  check.rules()
  check.loops()
  check.routes()
  check.silences()
  check.times()
}

class AlertCheck {
  readonly #document: Partial<AlertsDocument>
  readonly #metrics: Readonly<Record<string, MetricDocument>> | undefined
  readonly #at: Place
  readonly #locator: Locator
  readonly #rules: readonly string[]

  constructor(
    document: Partial<AlertsDocument>,
    metrics: Readonly<Record<string, MetricDocument>> | undefined,
    at: Place,
    locator: Locator,
  ) {
    this.#document = document
    this.#metrics = metrics
    this.#at = at
    this.#locator = locator
    this.#rules = locator.keysAt([...at, 'rules'])
  }

  rules(): void {
    for (const name of this.#rules) {
      const meaning = textFormats.name.read(name, (one) => one)
      if (meaning.kind === 'wrong') {
        this.#locator.key([...this.#at, 'rules', name], meaning.what, meaning.right)
      }
    }
    for (const [name, rule] of Object.entries(this.#document.rules ?? {})) {
      const place = [...this.#at, 'rules', name]
      this.#common(rule, place)
      if (rule.kind === 'composite') this.#condition(rule.when, [...place, 'when'])
      else if (rule.kind === 'pipeline') this.#pipeline(rule, place)
      else this.#window(rule, place)
    }
  }

  #common(rule: RuleDocument, place: Place): void {
    for (const [index, name] of rule.dependsOn.entries()) {
      this.#known(name, this.#rules, 'rule', [...place, 'dependsOn', index])
    }
    this.#timesOf(rule, place)
    if (!('warn' in rule) && !('crit' in rule)) {
      if (
        rule.kind === 'threshold' ||
        rule.kind === 'rate' ||
        rule.kind === 'change' ||
        rule.kind === 'baseline'
      ) {
        this.#locator.key(place, 'nothing is said about what is bad', 'add warn or crit')
      }
    }
    for (const level of ['warn', 'crit', 'clear'] as const) {
      const bounds = level in rule ? (rule as Readonly<Record<string, unknown>>)[level] : undefined
      if (typeof bounds !== 'object' || bounds === null) continue
      const { min, max } = bounds as { readonly min?: number; readonly max?: number }
      const where = [...place, level]
      if (Object.keys(bounds).length === 0) {
        this.#locator.value(where, 'no bound is given', 'write min, max or both')
      } else if (min !== undefined && max !== undefined && min > max) {
        this.#locator.value(where, `min ${min} is above max ${max}`, 'swap them')
      }
    }
  }

  #window(rule: Exclude<RuleDocument, { readonly kind: 'composite' | 'pipeline' }>, place: Place) {
    if ('calendar' in rule && rule.calendar !== undefined) {
      const known = Object.keys(this.#document.calendars ?? {})
      this.#known(rule.calendar, known, 'calendar', [...place, 'calendar'])
    }
    if (this.#metrics === undefined) return
    const metric = this.#metrics[rule.metric]
    if (metric === undefined) {
      this.#known(rule.metric, Object.keys(this.#metrics), 'metric', [...place, 'metric'])
      return
    }
    const aggregates = metric.aggregates.map((one) => resolveAggregate(one).name)
    if (rule.aggregate !== undefined) {
      this.#known(rule.aggregate, aggregates, 'aggregate', [...place, 'aggregate'])
    }
    const dimensions = metric.dimensions.map((one) => ('name' in one ? one.name : one.join('.')))
    for (const label of Object.keys(rule.match)) {
      if (dimensions.length === 0 && label === 'job') continue
      this.#known(label, dimensions, 'dimension', [...place, 'match', label])
    }
    if (rule.kind !== 'rate') return
    if (rule.success !== undefined && !dimensions.includes(outcomeDimension)) {
      const right =
        'add the dimension outcome to the metric, or leave success out and name an aggregate of kind rate'
      const what = `metric ${rule.metric} is not split by outcome`
      this.#locator.value([...place, 'success'], what, right)
    }
    const isRate = metric.aggregates.some((one) => {
      const { name, kind } = resolveAggregate(one)
      return kind === 'rate' && (rule.aggregate === undefined || rule.aggregate === name)
    })
    if (rule.success === undefined && !isRate) {
      const right = 'name one with aggregate, or give success: [outcome, …]'
      this.#locator.key(place, `metric ${rule.metric} has no such rate`, right)
    }
  }

  #pipeline(rule: Extract<RuleDocument, { readonly kind: 'pipeline' }>, place: Place): void {
    const flags: readonly string[] = ['sink-failing', 'unreachable']
    if (rule.warn !== undefined || rule.crit !== undefined || flags.includes(rule.signal)) return
    if (!(pipelineSignals as readonly string[]).includes(rule.signal)) return
    const right = 'add warn or crit, such as crit: { max: 100 }'
    this.#locator.key(place, `nothing is said about what ${rule.signal} is bad`, right)
  }

  #condition(text: string, place: Place): void {
    const condition = parseRuleCondition(text)
    if (condition.kind === 'mistake') {
      this.#locator.value(place, condition.mistake.what, condition.mistake.right)
      return
    }
    for (const name of rulesIn(condition.value)) this.#known(name, this.#rules, 'rule', place)
  }

  /** A rule that waits for itself is never evaluated. */
  loops(): void {
    const rules = this.#document.rules ?? {}
    const next = (name: string): readonly string[] => {
      const rule = rules[name]
      if (rule === undefined) return []
      const parts = rule.kind === 'composite' ? conditionParts(rule.when) : []
      return [...rule.dependsOn, ...parts]
    }
    for (const name of Object.keys(rules)) {
      const seen = new Set<string>()
      const todo = [...next(name)]
      for (let one = todo.pop(); one !== undefined; one = todo.pop()) {
        if (one === name) {
          const what = `rule ${name} depends on itself`
          this.#locator.key([...this.#at, 'rules', name], what, 'break the circle')
          break
        }
        if (!seen.has(one)) todo.push(...next(one))
        seen.add(one)
      }
    }
  }

  routes(): void {
    const { route, routes = [] } = this.#document
    if (route !== undefined) this.#timesOf(route, [...this.#at, 'route'])
    for (const [index, one] of routes.entries()) {
      this.#timesOf(one, [...this.#at, 'routes', index])
    }
    for (const [place, one] of [
      [[...this.#at, 'route'], route] as const,
      ...routes.map((each, index) => [[...this.#at, 'routes', index], each] as const),
    ]) {
      let last = -1
      for (const [index, step] of (one?.escalate ?? []).entries()) {
        if (step.after <= last) {
          const what = `a step at ${formatDuration(step.after)} is not after the one before`
          this.#locator.value([...place, 'escalate', index], what, 'put the steps in order')
        }
        last = step.after
      }
    }
  }

  silences(): void {
    for (const [index, one] of (this.#document.silences ?? []).entries()) {
      const place = [...this.#at, 'silences', index]
      if (Object.keys(one.match).length === 0) {
        const right = 'name at least one label'
        this.#locator.value([...place, 'match'], 'a silence of everything', right)
      }
      if (one.from !== undefined && one.from >= one.until) {
        this.#locator.value(
          [...place, 'until'],
          'it ends before it begins',
          'write a later instant',
        )
      }
    }
  }

  times(): void {
    const calendars = Object.keys(this.#document.calendars ?? {})
    for (const [name, one] of Object.entries(this.#document.times ?? {})) {
      const place = [...this.#at, 'times', name]
      for (const [index, text] of one.hours.entries()) {
        if (parseHours(text) !== undefined) continue
        const right = 'write from-to, such as 22:00-08:00'
        this.#locator.value([...place, 'hours', index], `"${text}" is no span of hours`, right)
      }
      if (one.calendar !== undefined) {
        this.#known(one.calendar, calendars, 'calendar', [...place, 'calendar'])
      }
    }
    for (const [name, one] of Object.entries(this.#document.calendars ?? {})) {
      for (const key of ['holidays', 'workdays'] as const) {
        for (const [index, text] of one[key].entries()) {
          if (parseDate(text) !== undefined) continue
          const place = [...this.#at, 'calendars', name, key, index]
          this.#locator.value(place, `"${text}" is no date`, 'write one such as 2026-10-01')
        }
      }
    }
  }

  #timesOf(
    one: { readonly mute?: readonly string[]; readonly active?: readonly string[] },
    place: Place,
  ): void {
    const known = Object.keys(this.#document.times ?? {})
    for (const key of ['mute', 'active'] as const) {
      for (const [index, name] of (one[key] ?? []).entries()) {
        this.#known(name, known, 'time', [...place, key, index])
      }
    }
  }

  #known(name: string, known: readonly string[], what: string, place: Place): void {
    if (known.includes(name)) return
    this.#locator.value(place, `${what} ${name} is not known`, suggestion(name, known))
  }
}

function conditionParts(text: string): readonly string[] {
  const condition = parseRuleCondition(text)
  return condition.kind === 'ok' ? rulesIn(condition.value as RuleCondition) : []
}
