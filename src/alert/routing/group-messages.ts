import type { RoutePlan } from '../../core/alert-plan.ts'
import { durationMs, type EpochMs } from '../../core/time.ts'
import {
  type AlertFact,
  maxFacts,
  type Notification,
  type NotificationKind,
  type Severity,
} from '../notification.ts'
import { shortHash } from '../state-json.ts'
import { type Group, isNews, type Live, rankOf, repeatWaitMs } from './group.ts'

/** What a group has to say now, and what it remembers of having said it. */
export function messagesOf(
  group: Group,
  route: RoutePlan,
  members: readonly Live[],
  now: EpochMs,
): readonly Notification[] {
  const audible = members.filter((one) => one.suppressed === undefined)
  const news = audible.filter((one) => isNews(one, route.name))
  return group.kind === 'held'
    ? heldMessages(group, route, members, news, now)
    : [
        ...newsMessages(group, route, members, news, now),
        ...repeatMessages(group, route, members, audible, now),
      ]
}

/** One message for an outage however many rules it holds, and one when all of them are judged again. */
function heldMessages(
  group: Group,
  route: RoutePlan,
  members: readonly Live[],
  news: readonly Live[],
  now: EpochMs,
): Notification[] {
  const over = members.length === 0 && group.ended.length > 0
  if (group.firstSentAt !== undefined && members.length > 0) {
    for (const one of news) tell(one, route, now)
    return []
  }
  if (!over && news.length === 0) {
    group.pendingSince = undefined
    return []
  }
  if (!isReady(group, route, now)) return []
  const messages: Notification[] = []
  if (over) {
    if (route.sendResolved) {
      messages.push(message(group, route, 'resolved', endedFacts(group), members, now))
    }
    group.ended = []
    group.firstSentAt = undefined
  } else {
    messages.push(message(group, route, 'cannot-judge', factsOf(news), members, now))
    for (const one of news) tell(one, route, now)
    group.firstSentAt = now
  }
  sent(group, now)
  return messages
}

function newsMessages(
  group: Group,
  route: RoutePlan,
  members: readonly Live[],
  news: readonly Live[],
  now: EpochMs,
): Notification[] {
  if (news.length === 0 && group.ended.length === 0) {
    group.pendingSince = undefined
    return []
  }
  if (!isReady(group, route, now)) return []
  const messages: Notification[] = []
  const ended = endedFacts(group)
  for (const [kind, state] of [
    ['correction', 'corrected'],
    ['resolved', 'resolved'],
  ] as const) {
    const facts = ended.filter((one) => one.state === state)
    if (facts.length === 0 || (kind === 'resolved' && !route.sendResolved)) continue
    messages.push(message(group, route, kind, facts, members, now))
  }
  if (news.length > 0) {
    messages.push(message(group, route, 'firing', factsOf(news), members, now))
    const isWorse = news.some((one) => one.told[route.name] !== undefined)
    for (const one of news) tell(one, route, now)
    if (group.firstSentAt === undefined || isWorse) {
      group.firstSentAt = now
      group.escalated = 0
    }
    group.firingSentAt = now
    group.repeats = 0
  }
  group.ended = []
  sent(group, now)
  return messages
}

function repeatMessages(
  group: Group,
  route: RoutePlan,
  members: readonly Live[],
  audible: readonly Live[],
  now: EpochMs,
): Notification[] {
  if (members.length === 0) {
    // While the end was not told it may fire again as if nothing had happened.
    if (group.ended.length > 0) return []
    group.firstSentAt = undefined
    group.firingSentAt = undefined
    group.repeats = 0
    group.escalated = 0
    return []
  }
  const open = audible.filter((one) => !one.acknowledged && !isNews(one, route.name))
  if (open.length === 0) return []
  const messages: Notification[] = []
  const step = route.escalate[group.escalated]
  if (step !== undefined && group.firstSentAt !== undefined) {
    if (now >= group.firstSentAt + step.afterMs) {
      const to = { ...route, receivers: step.receivers }
      group.escalated++
      const facts = factsOf(open)
      messages.push({
        ...message(group, to, 'escalation', facts, members, now),
        step: group.escalated,
      })
      group.further = [...new Set([...group.further, ...step.receivers])]
    }
  }
  const { firingSentAt, repeats } = group
  if (firingSentAt === undefined || repeats >= route.repeat.times) return messages
  if (now < firingSentAt + repeatWaitMs(route, repeats)) return messages
  group.repeats++
  group.firingSentAt = now
  messages.push({
    ...message(group, route, 'repeat', factsOf(open), members, now),
    step: group.repeats,
  })
  return messages
}

/** The wait for more of the same, or the distance from the last message, is over. */
function isReady(group: Group, route: RoutePlan, now: EpochMs): boolean {
  group.pendingSince ??= now
  const ready =
    group.sentAt === undefined
      ? group.pendingSince + route.groupWaitMs
      : Math.max(group.pendingSince, group.sentAt + route.groupIntervalMs)
  return now >= ready
}

function sent(group: Group, now: EpochMs): void {
  group.sentAt = now
  group.pendingSince = undefined
}

function tell(live: Live, route: RoutePlan, now: EpochMs): void {
  live.told[route.name] = { severity: live.severity, at: now }
}

const endedFacts = (group: Group): AlertFact[] => group.ended.map(({ fact }) => fact)

/** Facts are written for those that are listed only: thousands of alerts are one message. */
function factsOf(lives: readonly Live[]): AlertFact[] & { total?: number } {
  const worst = [...lives].sort(
    (a, b) => rankOf(b.severity) - rankOf(a.severity) || a.startedAt - b.startedAt,
  )
  const facts: AlertFact[] & { total?: number } = worst.slice(0, maxFacts).map((one) => one.fact())
  facts.total = lives.length
  return facts
}

function message(
  group: Group,
  route: RoutePlan,
  kind: NotificationKind,
  facts: AlertFact[] & { readonly total?: number },
  members: readonly Live[],
  now: EpochMs,
): Notification {
  const number = group.messages++
  const isEnd = kind === 'resolved' || kind === 'correction'
  const further = isEnd ? group.further : []
  if (isEnd && members.length === 0) group.further = []
  const same = <T>(of: (fact: AlertFact) => T): T | undefined => {
    const values = new Set(facts.map(of))
    return values.size === 1 ? [...values][0] : undefined
  }
  const started = Math.min(...facts.map(({ startedAt }) => startedAt))
  return {
    id: shortHash(`${group.key} ${number} ${kind} ${now}`),
    decidedAt: now,
    kind,
    receivers: [...new Set([...route.receivers, ...further])],
    severity: worstOf(facts),
    group: {
      key: group.key,
      rule: same(({ rule }) => rule),
      team: same(({ labels }) => labels.team) || undefined,
      cause: same(({ cause }) => cause),
    },
    alerts: facts.slice(0, maxFacts),
    total: facts.total ?? facts.length,
    firing: group.kind === 'held' ? 0 : members.length,
    step: 0,
    age: durationMs(Math.max(0, now - started)),
  }
}

function worstOf(facts: readonly AlertFact[]): Severity {
  return facts.reduce<Severity>(
    (worst, { severity }) => (rankOf(severity) > rankOf(worst) ? severity : worst),
    'info',
  )
}
