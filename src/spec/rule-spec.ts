import { AlertEngine } from '../alert/alert-engine.ts'
import type { Notification } from '../alert/notification.ts'
import { parseAlertsValue } from '../config/load-alerts.ts'
import { resolveMatchers } from '../config/resolve-rules.ts'
import type { AlertPlan, JudgedMetric } from '../core/alert-plan.ts'
import type { WindowClosing } from '../core/evidence.ts'
import type { Pane } from '../core/pane.ts'
import { durationMs, type EpochMs, epochMs } from '../core/time.ts'
import { MemoryStateStore } from '../state/memory-state-store.ts'
import { compareUnordered, type Difference, matches } from './comparison.ts'
import type { RuleCase } from './rule-case.ts'
import { SpecHealth, specSource } from './rule-health.ts'
import { rowsOf, type SpecPane, type SpecRow, SpecTimes, spanMs } from './rule-rows.ts'

const usualDelayMs = durationMs(60_000)
const usualIntervalMs = durationMs(60_000)

/** Where rules that a case names come from. */
export type RulesReader = (rules: unknown) => unknown

/** Runs one rule case through the production engine; undefined when it passes. @param readRules the value of rules that a case names by path */
export async function runRuleCase(
  one: RuleCase,
  file: string,
  readRules: RulesReader,
): Promise<Difference | undefined> {
  const run = new RuleRun(one, file, readRules)
  const expects = one.expect
    .map((each, index) => ({ ...each, index, time: run.times.at(each.at) }))
    .sort((a, b) => a.time - b.time || a.index - b.index)
  for (const expected of expects) {
    await run.until(expected.time)
    const place = `expect[${expected.index}]`
    const { alerts, notifications } = expected
    // Those since the last time that an expectation named any.
    const difference =
      (alerts && compareAlerts(`${place}.alerts`, alerts, run)) ??
      (notifications &&
        compareUnordered(`${place}.notifications`, notifications, run.takeNotifications()))
    if (difference !== undefined) return difference
  }
  return undefined
}

/** Alerts that are pending or fire are listed in full; rules that are held may be named besides. */
function compareAlerts(
  at: string,
  expected: NonNullable<RuleCase['expect'][number]['alerts']>,
  run: RuleRun,
): Difference | undefined {
  const idle = expected.filter(({ state }) => state === 'inactive')
  const held = run.heldRules()
  for (const one of idle) {
    if (held.some((candidate) => matches(one, candidate))) continue
    const isThere = run.alerts().some(({ rule }) => rule === one.rule)
    if (one.cause !== undefined || isThere) {
      return { at, expected: one, actual: held[0] ?? run.alerts()[0] }
    }
  }
  const active = expected.filter(({ state }) => state !== 'inactive')
  return compareUnordered(at, active, run.alerts())
}

class RuleRun {
  readonly times: SpecTimes
  readonly #rows: SpecRow[]
  readonly #store = new MemoryStateStore()
  readonly #health: SpecHealth
  readonly #metrics: readonly JudgedMetric[]
  readonly #intervalMs: number
  readonly #parse: (rules: unknown) => AlertPlan
  readonly #revisions = new Map<string, number>()
  readonly #closed = new Set<string>()
  #plan: AlertPlan
  #engine: AlertEngine
  #now: EpochMs
  /** Wall clock minus the time of the spec. */
  #step = 0
  #next = 0
  #nextEvaluation: number
  #notifications: Notification[] = []

  constructor(one: RuleCase, file: string, readRules: RulesReader) {
    this.times = new SpecTimes(one)
    const outOfOrdernessMs = durationMs(spanMs(one.outOfOrderness ?? '0s'))
    this.#rows = rowsOf(one, this.times, outOfOrdernessMs)
    this.#intervalMs = spanMs(one.interval ?? usualIntervalMs / 1000)
    const options = { file, env: {}, readFile: () => '', job: 'spec', metrics: undefined }
    this.#parse = (rules) => parseAlertsValue(readRules(rules), options)
    this.#plan = this.#parse(one.rules)
    this.#now = this.times.start
    this.#nextEvaluation = this.#now
    this.#health = new SpecHealth(this.#now)
    const delay = one.evaluationDelay === undefined ? usualDelayMs : spanMs(one.evaluationDelay)
    this.#metrics = metricsOf(this.#rows, this.#plan, outOfOrdernessMs, delay)
    this.#engine = new AlertEngine(this.#plan, this.#metrics)
  }

  /** Lets everything happen until then, evaluations at that instant included. */
  async until(end: EpochMs): Promise<void> {
    for (;;) {
      const row = this.#rows[this.#next]
      const at = Math.min(row?.at ?? Number.POSITIVE_INFINITY, this.#nextEvaluation)
      if (at > end) break
      this.#now = epochMs(Math.max(this.#now, at))
      const panes: Pane[] = []
      const closings: WindowClosing[] = []
      for (let next = row; next !== undefined && next.at <= at; next = this.#rows[this.#next]) {
        this.#next++
        await this.#take(next, panes, closings)
      }
      await this.#evaluate(panes, closings)
      while (this.#nextEvaluation <= at) this.#nextEvaluation += this.#intervalMs
    }
  }

  takeNotifications(): object[] {
    return this.#notifications.splice(0).flatMap((one) => {
      const { kind, total, severity } = one
      const { cause, rule } = one.group
      const receivers = one.receivers.length === 0 ? ['default'] : one.receivers
      return receivers.map((receiver) => ({ receiver, kind, alerts: total, cause, severity, rule }))
    })
  }

  alerts(): { readonly rule: string }[] {
    return [...this.#engine.states.all()]
      .filter(({ state }) => state !== 'inactive')
      .map((alert) => ({
        rule: alert.rule,
        labels: this.#engine.labels(alert),
        state: alert.state,
        severity: alert.severity,
        cause: alert.held ?? alert.cause,
      }))
  }

  heldRules(): { readonly rule: string }[] {
    return this.#plan.rules.flatMap((rule) => {
      const { held } = this.#engine.states.rule(rule.name)
      if (held === undefined) return []
      return [{ rule: rule.name, labels: rule.labels, state: 'inactive', cause: held.cause }]
    })
  }

  async #take(row: SpecRow, panes: Pane[], closings: WindowClosing[]): Promise<void> {
    if ('pane' in row) this.#pane(row.pane, panes, closings)
    else if ('closing' in row) {
      const { metric, windowStart: start, windowEnd: end, closing: kind } = row
      this.#closed.add(`${metric} ${start}`)
      closings.push({ metric, window: { start, end }, kind })
    } else await this.#other(row.row, panes, closings)
  }

  #pane(one: SpecPane, panes: Pane[], closings: WindowClosing[]): void {
    const { metric, tags, windowStart, windowEnd } = one
    const key = JSON.stringify([metric, windowStart, Object.entries(tags).sort()])
    const revision = this.#revisions.get(key) ?? 0
    this.#revisions.set(key, revision + 1)
    const aggregates = this.#metrics.find(({ name }) => name === metric)?.aggregates ?? []
    const values: Record<string, number> = {}
    for (const { name } of aggregates) if (one.value !== undefined) values[name] = one.value
    Object.assign(values, one.values)
    const counts = aggregates.filter(({ kind }) => kind !== 'rate')
    const zero = counts.length > 0 && counts.every(({ name }) => values[name] === 0)
    const firing = revision === 0 ? 'on-time' : 'late'
    const previous = undefined
    panes.push({ metric, tags, windowStart, windowEnd, firing, revision, values, previous, zero })
    this.#health.written(windowStart)
    if (this.#closed.has(`${metric} ${windowStart}`)) return
    this.#closed.add(`${metric} ${windowStart}`)
    closings.push({ metric, window: { start: windowStart, end: windowEnd }, kind: 'whole' })
  }

  async #other(
    row: Extract<SpecRow, { readonly row: unknown }>['row'],
    panes: Pane[],
    closings: WindowClosing[],
  ): Promise<void> {
    const now = this.#wall
    if ('health' in row) this.#health.set(row.health, this.#now)
    else if ('silence' in row) {
      const { id = 'spec', match, owner = 'spec', reason = 'spec', until } = row.silence
      const silence = { id, match: resolveMatchers(match), from: now, owner, reason }
      this.#engine.silences.add({ ...silence, until: this.times.at(until) })
    } else if ('acknowledge' in row) {
      const incidents = [...this.#engine.states.of(row.acknowledge.rule)].map((a) => a.incident)
      for (const one of incidents) this.#engine.acknowledge(one, row.acknowledge.by, '', now)
    } else if ('restart' in row) {
      // What was not in a checkpoint comes again after a restart: here everything is.
      await this.#evaluate(panes.splice(0), closings.splice(0))
      this.#engine = new AlertEngine(this.#plan, this.#metrics)
      this.#engine.restore(this.#store)
    } else if ('reload' in row) {
      this.#plan = this.#parse(row.reload)
      this.#engine.reload(this.#plan)
    } else if ('clockStep' in row) {
      const back = row.clockStep.startsWith('-')
      const span = spanMs(row.clockStep.replace(/^[-+]/, ''))
      this.#step += back ? -span : span
    }
  }

  get #wall(): EpochMs {
    return epochMs(this.#now + this.#step)
  }

  async #evaluate(panes: readonly Pane[], closings: readonly WindowClosing[]): Promise<void> {
    const names = this.#metrics.map(({ name }) => name)
    const evidence = { ...this.#health.evidence(this.#now, names), now: this.#wall }
    const { operations, notifications } = this.#engine.evaluate(panes, closings, evidence)
    await this.#store.commit(operations)
    this.#notifications.push(...notifications)
  }
}

/** The metrics that the rows speak of: windows as the first pane has them, aggregates as rows and rules name them. */
function metricsOf(
  rows: readonly SpecRow[],
  plan: AlertPlan,
  outOfOrdernessMs: JudgedMetric['outOfOrdernessMs'],
  evaluationDelayMs: JudgedMetric['evaluationDelayMs'],
): readonly JudgedMetric[] {
  const found = new Map<
    string,
    { start: number; size: number; names: Set<string>; bare: boolean }
  >()
  for (const row of rows) {
    const one = 'pane' in row ? row.pane : 'closing' in row ? row : undefined
    if (one === undefined) continue
    const size = one.windowEnd - one.windowStart
    const metric = found.get(one.metric) ?? {
      start: one.windowStart,
      size,
      names: new Set(),
      bare: false,
    }
    found.set(one.metric, metric)
    if (!('pane' in row)) continue
    for (const name of Object.keys(row.pane.values)) metric.names.add(name)
    metric.bare ||= row.pane.value !== undefined
  }
  return [...found].map(([name, { start, size, names, bare }]) => {
    const own = new Set<string>()
    for (const rule of plan.rules) {
      if (!('metric' in rule) || rule.metric !== name || !bare) continue
      own.add(rule.aggregate ?? (rule.kind === 'rate' && !rule.outcomes ? 'rate' : 'value'))
    }
    if (bare && own.size === 0) own.add('value')
    const aggregates = [...new Set([...own, ...names])].map((each) => ({
      name: each,
      kind: /^(rate|rawRate)/.test(each) ? 'rate' : /^(avg|min|max)\./.test(each) ? 'avg' : 'count',
    }))
    return {
      name,
      source: specSource,
      window: {
        sizeMs: durationMs(size),
        slideMs: durationMs(size),
        alignment: { kind: 'offset', offsetMs: ((start % size) + size) % size },
      },
      outOfOrdernessMs,
      evaluationDelayMs,
      aggregates,
      declared: [],
      expireAfterMs: durationMs(7 * 86_400_000),
    }
  })
}
