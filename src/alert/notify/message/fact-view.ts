import type { TemplateView } from '../../../core/template.ts'
import type { AlertFact, Notification } from '../../notification.ts'
import { amount, roughly, type TimeText } from './time-text.ts'

/** What the templates of a message may name. @param fact undefined: a message without alerts, or about several */
export function viewOf(
  job: string,
  notification: Notification,
  fact: AlertFact | undefined,
  times: TimeText,
): TemplateView {
  const { group, evidence } = { group: notification.group, evidence: fact?.evidence }
  const numbers = fact?.numbers
  const values: Readonly<Record<string, string | number | undefined>> = {
    job,
    id: notification.id,
    kind: notification.kind,
    severity: fact?.severity ?? notification.severity,
    total: notification.total,
    firing: notification.firing,
    step: notification.step,
    age: roughly(notification.age),
    'group.key': group.key,
    'group.rule': group.rule,
    'group.team': group.team,
    'group.cause': group.cause,
    incident: fact?.incident,
    rule: fact?.rule,
    cause: fact?.cause,
    state: fact?.state,
    metric: fact?.metric,
    aggregate: fact?.aggregate,
    reason: fact?.reason,
    'verdict.value': fact?.verdict?.value,
    'verdict.delivery': fact?.verdict?.delivery,
    'window.start': fact && times.minute(fact.windowStart),
    'window.end': fact && times.minute(fact.windowEnd),
    'window.startMs': fact?.windowStart,
    'window.endMs': fact?.windowEnd,
    'numbers.now': numbers?.now === undefined ? undefined : amount(numbers.now),
    'numbers.yesterday': numbers?.yesterday === undefined ? undefined : amount(numbers.yesterday),
    'numbers.lastWeek': numbers?.lastWeek === undefined ? undefined : amount(numbers.lastWeek),
    'evidence.lag': evidence?.lag,
    'evidence.source': evidence?.source,
  }
  return (path) => {
    const value = Object.hasOwn(values, path) ? values[path] : undefined
    if (value !== undefined) return String(value)
    for (const part of ['tags', 'labels', 'annotations'] as const) {
      const own = fact?.[part]
      const name = path.slice(part.length + 1)
      if (own !== undefined && path.startsWith(`${part}.`) && Object.hasOwn(own, name)) {
        return own[name]
      }
    }
    return undefined
  }
}

/** Values of a dashboard's address: the panel of the alert, fixed to its window. */
export function dashboardView({ dashboard }: AlertFact): TemplateView {
  const { job, metric, aggregate, tags, from, to } = dashboard
  const values: Readonly<Record<string, string>> = {
    job,
    metric,
    aggregate,
    from: String(from),
    to: String(to),
    'from.seconds': String(Math.floor(from / 1_000)),
    'to.seconds': String(Math.floor(to / 1_000)),
  }
  return (path) => {
    if (Object.hasOwn(values, path)) return values[path]
    if (!path.startsWith('tags.')) return undefined
    const name = path.slice('tags.'.length)
    // A series without that tag is shown unfiltered rather than not at all.
    return Object.hasOwn(tags, name) ? tags[name] : ''
  }
}
