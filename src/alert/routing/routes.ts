import type { RoutePlan } from '../../core/alert-plan.ts'
import { type LabelSet, matchersText, matches } from './matchers.ts'

/** The routes that an alert with these labels takes; at least one, as the last route matches everything. */
export function routesOf(routes: readonly RoutePlan[], labels: LabelSet): readonly RoutePlan[] {
  const taken: RoutePlan[] = []
  for (const route of routes) {
    const isDefault = route.match.length === 0 && route === routes.at(-1)
    if (isDefault && taken.length > 0) break
    if (!matches(route.match, labels)) continue
    taken.push(route)
    if (!route.proceed) break
  }
  return taken
}

/** What alerts of one message share on a route. */
export function groupLabels(route: RoutePlan, labels: LabelSet): LabelSet {
  return Object.fromEntries(route.groupBy.map((label) => [label, labels[label] ?? '']))
}

/** A text per route and group, unambiguous whatever the labels hold. */
export function groupKey(route: string, labels: LabelSet): string {
  return JSON.stringify([route, ...Object.entries(labels).flat()])
}

/** Why an alert with these labels goes where it goes: one line for each route that is looked at. */
export function explainRoutes(routes: readonly RoutePlan[], labels: LabelSet): readonly string[] {
  const taken = new Set(routesOf(routes, labels))
  const lines: string[] = []
  let ended = false
  for (const route of routes) {
    const name = `${route.name} (${matchersText(route.match)})`
    const missed = route.match.find((one) => !matches([one], labels))
    if (taken.has(route)) {
      const receivers = route.receivers.join(', ') || 'nobody, only the log'
      lines.push(
        `${name}: taken → ${receivers}, grouped by ${route.groupBy.join(', ') || 'nothing'}`,
      )
      ended ||= !route.proceed
    } else if (ended) {
      lines.push(`${name}: not looked at, a route before it was taken`)
    } else if (missed !== undefined) {
      const has = labels[missed.label]
      lines.push(
        `${name}: passed over, ${missed.label} is ${has === undefined ? 'not there' : `"${has}"`}`,
      )
    } else {
      lines.push(`${name}: passed over, a route before it was taken`)
    }
  }
  return lines
}
