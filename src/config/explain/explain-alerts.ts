import type { Matchers, RoutePlan } from '../../core/alert-plan.ts'
import { formatDuration } from '../../core/time.ts'
import type { Config } from '../config.ts'
import { row } from './words.ts'

/** Rules, and who is told of what; nothing where there are no rules. */
export function explainAlerts({ alerts, receivers }: Config): string[] {
  if (alerts.rules.length === 0) return []
  const types = new Map(receivers.map(({ name, type }) => [name, type]))
  const named = (names: readonly string[]) =>
    names.map((name) => `${name} (${types.get(name) ?? 'unknown'})`).join(', ')
  const routeText = ({ match, receivers: told, escalate, proceed }: RoutePlan): string => {
    const whom = told.length === 0 ? 'nobody, only the log' : named(told)
    const further = escalate.map(
      ({ afterMs, receivers: next }) => `, after ${formatDuration(afterMs)} ${named(next)}`,
    )
    return `${matchText(match)} → ${whom}${further.join('')}${proceed ? '; and on' : ''}`
  }
  return [
    'alerts',
    ...alerts.rules.flatMap(({ name, kind }, index) =>
      row(index === 0 ? 'rules' : '', `${name}: ${kind}`),
    ),
    ...alerts.routes.flatMap((route) => row(route.name, routeText(route))),
    '',
  ]
}

const matchText = (match: Matchers): string =>
  match.map(({ label, patterns }) => `${label}=${patterns.join('|')}`).join(' ') || 'everything'
