import type { AlertPlan, JudgedMetric } from '../core/alert-plan.ts'
import type { JobEvidence, WindowClosing } from '../core/evidence.ts'
import type { Pane } from '../core/pane.ts'
import { durationMs, type EpochMs, epochMs } from '../core/time.ts'
import { AlertEngine } from './alert-engine.ts'
import type { MetricHistory } from './history/metric-history.ts'
import { rowFlags, type WindowBlock } from './history/window-block.ts'
import type { NotificationKind, Severity } from './notification.ts'

/** A pane or the end of a window, at the instant at which it came. */
export interface Arrival {
  readonly at: EpochMs
  readonly pane: Pane | undefined
  readonly closing: WindowClosing | undefined
}

/** An alert that would have fired. */
export interface FiringInterval {
  readonly rule: string
  readonly tags: Readonly<Record<string, string>>
  /** The worst that it was. */
  readonly severity: Severity
  readonly cause: string
  readonly reason: string
  /** Start of its first bad window. */
  readonly start: EpochMs
  /** End of its last bad window. */
  readonly end: EpochMs
  /** When it would have fired, and ended; undefined: it fires still. */
  readonly firedAt: EpochMs
  readonly endedAt: EpochMs | undefined
  /** Late data took it back. */
  readonly corrected: boolean
}

export interface BacktestResult {
  readonly intervals: readonly FiringInterval[]
  readonly messages: Readonly<Partial<Record<NotificationKind, number>>>
  /** Windows that were complete. */
  readonly windows: number
  /** Rules that need what nobody stored. */
  readonly skipped: readonly string[]
}

/** Replays what came through the production engine, with the times at which it came. What would have fired, when, for how long? */
export function backtest(
  plan: AlertPlan,
  metrics: readonly JudgedMetric[],
  arrivals: readonly Arrival[],
): BacktestResult {
  const skipped = plan.rules.filter(({ kind }) => kind === 'pipeline').map(({ name }) => name)
  const rules = plan.rules.filter(({ kind }) => kind !== 'pipeline')
  const engine = new AlertEngine({ ...plan, rules }, metrics)
  const inOrder = arrivals.toSorted((a, b) => a.at - b.at)
  const open = new Map<string, Mutable>()
  const intervals: Mutable[] = []
  const messages: Partial<Record<NotificationKind, number>> = {}
  let next = 0
  let windows = 0
  for (const at of instantsOf(inOrder, metrics)) {
    const panes: Pane[] = []
    const closings: WindowClosing[] = []
    for (; (inOrder[next]?.at ?? Number.POSITIVE_INFINITY) <= at; next++) {
      const { pane, closing } = inOrder[next] ?? {}
      if (pane !== undefined) panes.push(pane)
      if (closing !== undefined) closings.push(closing)
      if (closing?.kind === 'whole') windows++
    }
    const { notifications } = engine.evaluate(panes, closings, healthy(epochMs(at), metrics))
    for (const { kind } of notifications) messages[kind] = (messages[kind] ?? 0) + 1
    track(engine, epochMs(at), open, intervals)
  }
  return { intervals, messages, windows, skipped }
}

type Mutable = { -readonly [K in keyof FiringInterval]: FiringInterval[K] }

/** Every arrival, and the instants at which its window may be judged and told. */
function instantsOf(arrivals: readonly Arrival[], metrics: readonly JudgedMetric[]): number[] {
  const delays = new Map(
    metrics.map((one) => [one.name, one.outOfOrdernessMs + one.evaluationDelayMs]),
  )
  const instants = new Set<number>()
  for (const { at, pane, closing } of arrivals) {
    instants.add(at)
    const metric = pane?.metric ?? closing?.metric ?? ''
    const end = pane?.windowEnd ?? closing?.window.end ?? at
    const due = Math.max(at, end + (delays.get(metric) ?? 0))
    instants.add(due)
    instants.add(due + groupWaitMs)
  }
  return [...instants].sort((a, b) => a - b)
}

/** Long enough for the usual wait of a group. */
const groupWaitMs = 30_000

function track(
  engine: AlertEngine,
  now: EpochMs,
  open: Map<string, Mutable>,
  intervals: Mutable[],
): void {
  const firing = new Set<string>()
  for (const alert of engine.states.all()) {
    if (alert.state !== 'firing') continue
    const key = `${alert.rule} ${alert.incident}`
    firing.add(key)
    const last = alert.bad.at(-1)?.start ?? alert.windowStart
    const known = open.get(key)
    if (known === undefined) {
      const { rule, tags, severity, cause, reason, startedAt: start, windowEnd } = alert
      const firedAt = alert.firedAt ?? now
      const base = { rule, tags, severity, cause, reason, start, end: windowEnd, firedAt }
      const interval: Mutable = { ...base, endedAt: undefined, corrected: false }
      open.set(key, interval)
      intervals.push(interval)
    } else {
      if (last === alert.windowStart) known.end = alert.windowEnd
      if (alert.severity === 'crit') known.severity = 'crit'
    }
  }
  for (const [key, interval] of open) {
    if (firing.has(key)) continue
    interval.endedAt = now
    const alert = [...engine.states.of(interval.rule)].find(
      (one) => `${interval.rule} ${one.incident}` === key,
    )
    // A correction forgets the episode; a recovery remembers it.
    interval.corrected = !alert?.episodes.some(([from]) => from === interval.start)
    open.delete(key)
  }
}

/** Nothing was wrong with the pipeline, as far as a backtest knows. */
function healthy(now: EpochMs, metrics: readonly JudgedMetric[]): JobEvidence {
  const sources = [...new Set(metrics.map(({ source }) => source))].map((name) => ({
    name,
    watermark: now,
    partitions: [
      { name: '0', watermark: now, idle: false, lag: 0, caughtUpAt: now, trouble: undefined },
    ],
    records: 0,
    dead: 0,
    ended: false,
  }))
  return { now, sources, sinks: [], late: new Map(), checkpointAgeMs: durationMs(0) }
}

/** What came of a metric in [from, to), with the times at which it came, from what the alerts remember. */
export function arrivalsOf(history: MetricHistory, from: EpochMs, to: EpochMs): readonly Arrival[] {
  const arrivals: Arrival[] = []
  for (const block of history.blocks) {
    const { start, end, kind, closedAt } = block
    if (start < from || start >= to || kind === 'open' || closedAt === undefined) continue
    for (let id = 0; id < block.size; id++) arrivals.push(...panesOf(history, block, id, closedAt))
    const closing = { metric: history.metric.name, window: { start, end }, kind }
    arrivals.push({ at: closedAt, pane: undefined, closing })
  }
  return arrivals
}

/** The pane that closed the window and those that corrected it. */
function panesOf(
  history: MetricHistory,
  block: WindowBlock,
  id: number,
  closedAt: EpochMs,
): Arrival[] {
  const changes = block.changes.filter(({ series }) => series === id)
  const final = history.columns.map((_, column) => block.value(id, column))
  const states = [
    ...changes.map(({ before, flag }) => ({ flag, values: before.map((v) => v ?? Number.NaN) })),
    { flag: block.flag(id), values: final },
  ]
  return states.flatMap(({ flag, values }, revision): Arrival[] => {
    if (flag === rowFlags.absent) return []
    const at = revision === 0 ? closedAt : (changes[revision - 1]?.at ?? closedAt)
    const named: Record<string, number> = {}
    history.columns.forEach((name, column) => {
      const value = values[column] ?? Number.NaN
      if (!Number.isNaN(value)) named[name] = value
    })
    const pane: Pane = {
      metric: history.metric.name,
      tags: history.series.tagsOf(id),
      windowStart: block.start,
      windowEnd: block.end,
      firing: revision === 0 ? 'on-time' : 'late',
      revision,
      values: named,
      previous: undefined,
      zero: flag === rowFlags.zero,
    }
    return [{ at, pane, closing: undefined }]
  })
}
