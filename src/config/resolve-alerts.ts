import type {
  AlertPlan,
  CalendarPlan,
  JudgedMetric,
  RoutePlan,
  TimesPlan,
} from '../core/alert-plan.ts'
import { durationMs, epochMs, MIN_TIME } from '../core/time.ts'
import type { Config, MetricConfig } from './config.ts'
import { parseInstant } from './read/instants.ts'
import { resolveMatchers, resolveRule } from './resolve-rules.ts'
import type { AlertsDocument, RouteDocument } from './schema/alerts.ts'

type RouteKeys = AlertsDocument['route']

const usualRoute = {
  receivers: [],
  groupBy: ['rule'],
  groupWait: durationMs(30_000),
  groupInterval: durationMs(300_000),
  repeat: {
    every: durationMs(4 * 3_600_000),
    factor: 2,
    max: durationMs(86_400_000),
    times: 1_000,
  },
  escalate: [],
  mute: [],
  active: [],
  sendResolved: true,
} satisfies RouteKeys

/** The alert section of a document without a mistake. */
export function resolveAlerts(document: AlertsDocument, job: string): AlertPlan {
  const usual = { ...usualRoute, ...document.route }
  const routes = document.routes.map((one, index) => resolveRoute(one, `route ${index + 1}`, usual))
  return {
    job,
    intervalMs: document.interval,
    staleAfterMs: document.staleAfter,
    history: { keepMs: document.history.keep, maxSeries: document.history.maxSeries },
    rules: Object.entries(document.rules ?? {}).map(([name, one]) => resolveRule(name, one)),
    routes: [
      ...routes,
      resolveRoute({ match: {}, continue: false, ...document.route }, 'default', usual),
    ],
    inhibitions: document.inhibit.map(({ source, target, equal }) => ({
      source: resolveMatchers(source),
      target: resolveMatchers(target),
      equal,
    })),
    silences: document.silences.map((one, index) => ({
      id: `file-${index + 1}`,
      match: resolveMatchers(one.match),
      from: one.from ?? MIN_TIME,
      until: one.until,
      owner: one.owner,
      reason: one.reason,
    })),
    times: mapped(document.times, resolveTimes),
    calendars: mapped(document.calendars, resolveCalendar),
  }
}

/** What judging reads of a config. */
export function judgedMetricsOf(
  config: Pick<Config, 'metrics' | 'sources'>,
): readonly JudgedMetric[] {
  return config.metrics.map((metric) => {
    const source = config.sources.find(({ name }) => name === metric.source)
    return {
      name: metric.name,
      ...(metric.renamedFrom === undefined ? {} : { renamedFrom: metric.renamedFrom }),
      source: metric.source,
      window: metric.window,
      outOfOrdernessMs: source?.watermark.outOfOrdernessMs ?? durationMs(0),
      evaluationDelayMs: metric.evaluationDelayMs,
      aggregates: metric.aggregates.map(({ name, kind }) => ({ name, kind })),
      declared: metric.splitByOutcome ? [] : metric.series.map((values) => tagsOf(metric, values)),
      expireAfterMs: metric.zeroFill.expireAfter,
    }
  })
}

function tagsOf(metric: MetricConfig, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(metric.dimensions.map(({ name }, index) => [name, values[index] ?? '']))
}

function resolveRoute(
  document: RouteDocument,
  place: string,
  usual: Required<RouteKeys>,
): RoutePlan {
  const route = { ...usual, ...document }
  const { every, factor, max, times } = route.repeat
  return {
    name: document.name ?? place,
    match: resolveMatchers(document.match),
    receivers: route.receivers,
    proceed: document.continue,
    groupBy: route.groupBy,
    groupWaitMs: route.groupWait,
    groupIntervalMs: route.groupInterval,
    repeat: { everyMs: every, factor, maxMs: max, times },
    escalate: route.escalate.map(({ after, receivers }) => ({ afterMs: after, receivers })),
    mute: route.mute,
    active: route.active,
    sendResolved: route.sendResolved,
  }
}

const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

function resolveTimes(document: NonNullable<AlertsDocument['times']>[string]): TimesPlan {
  return {
    timezone: document.timezone,
    hours: document.hours.flatMap((text) => parseHours(text) ?? []),
    weekdays: document.weekdays.map((name) => dayNames.indexOf(name) + 1),
    days: document.days,
    calendar: document.calendar,
  }
}

function resolveCalendar(document: NonNullable<AlertsDocument['calendars']>[string]): CalendarPlan {
  const days = (texts: readonly string[]) => new Set(texts.flatMap((text) => parseDate(text) ?? []))
  return { holidays: days(document.holidays), workdays: days(document.workdays) }
}

/** Minutes of the day of `22:00-08:00`; undefined for anything else. */
export function parseHours(
  text: string,
): { readonly from: number; readonly to: number } | undefined {
  const match = /^([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)$/.exec(text)
  if (match === null) return undefined
  const from = Number(match[1]) * 60 + Number(match[2])
  const to = match[3] === undefined ? 1_440 : Number(match[3]) * 60 + Number(match[4])
  return from === to ? undefined : { from, to }
}

/** Days since 1970-01-01 of `2026-10-01`; undefined for anything else. */
export function parseDate(text: string): number | undefined {
  const at = parseInstant(`${text}T00:00:00Z`)
  return at === undefined ? undefined : epochMs(at) / 86_400_000
}

function mapped<T, R>(
  documents: Readonly<Record<string, T>> | undefined,
  resolve: (one: T) => R,
): ReadonlyMap<string, R> {
  return new Map(Object.entries(documents ?? {}).map(([name, one]) => [name, resolve(one)]))
}
