import type { RoutePlan } from '../../core/alert-plan.ts'
import type { StateOperation, StateStore } from '../../core/state-store.ts'
import type { EpochMs } from '../../core/time.ts'
import type { Notification } from '../notification.ts'
import { decode, shortHash } from '../state-json.ts'
import type { NamedTimes } from './calendar-times.ts'
import { type Ended, type Group, type Live, newGroup } from './group.ts'
import { messagesOf } from './group-messages.ts'
import { groupKey, groupLabels, routesOf } from './routes.ts'

const prefix = 'alert/group/'

/** All conversations: puts alerts into groups, and lets each say what it has to say when its time has come. */
export class Groups {
  #routes: readonly RoutePlan[]
  #times: NamedTimes
  readonly #groups = new Map<string, Group>()
  /** What the state holds of each. */
  readonly #saved = new Map<string, string>()

  constructor(routes: readonly RoutePlan[], times: NamedTimes) {
    this.#routes = routes
    this.#times = times
  }

  set(routes: readonly RoutePlan[], times: NamedTimes): void {
    this.#routes = routes
    this.#times = times
  }

  restore(store: StateStore): void {
    for (const [key, value] of store.range(prefix, `${prefix}~`)) {
      const group = decode<Group>(value)
      this.#groups.set(group.key, { ...emptied, ...group })
      this.#saved.set(key, Buffer.from(value).toString('utf8'))
    }
  }

  /** Something that was told on these routes has ended. */
  end(ended: Ended, kind: Group['kind'], routes: readonly string[], labels: Live['labels']): void {
    for (const name of routes) {
      const route = this.#routes.find((one) => one.name === name)
      if (route !== undefined) this.#groupOf(route, kind, labels).ended.push(ended)
    }
  }

  /** @param lives everything that fires or is held for too long now */
  update(lives: readonly Live[], now: EpochMs): readonly Notification[] {
    const members = new Map<Group, Live[]>()
    for (const live of lives) {
      for (const route of routesOf(this.#routes, live.labels)) {
        const group = this.#groupOf(route, live.kind, live.labels)
        this.#revive(group, route, live, now)
        const list = members.get(group) ?? []
        members.set(group, list)
        list.push(live)
      }
    }
    const notifications: Notification[] = []
    for (const group of this.#groups.values()) {
      const route = this.#routes.find(({ name }) => name === group.route)
      if (route === undefined) {
        this.#groups.delete(group.key)
        continue
      }
      const own = members.get(group) ?? []
      // What a mute time holds back is said when it is over, recoveries included.
      if (this.#times.mutedBy(route.mute, route.active, now) === undefined) {
        notifications.push(...messagesOf(group, route, own, now))
      }
      const over = own.length === 0 && group.ended.length === 0
      const rested = now >= (group.sentAt ?? Number.NEGATIVE_INFINITY) + route.groupIntervalMs
      if (over && rested) this.#groups.delete(group.key)
    }
    return notifications
  }

  /** It fires again before its end was told: nothing happened, as far as people know. */
  #revive(group: Group, route: RoutePlan, live: Live, now: EpochMs): void {
    const index = group.ended.findIndex(
      ({ id, fact }) => id === live.id && fact.state === 'resolved',
    )
    const ended = group.ended[index]
    if (ended === undefined) return
    group.ended.splice(index, 1)
    live.told[route.name] ??= { severity: ended.fact.severity, at: now }
  }

  #groupOf(route: RoutePlan, kind: Group['kind'], labels: Live['labels']): Group {
    const own =
      kind === 'held'
        ? { held: labels.cause === 'SINK_FAILING' ? 'sink' : `source ${labels.source ?? ''}` }
        : groupLabels(route, labels)
    const key = groupKey(route.name, own)
    const known = this.#groups.get(key)
    if (known !== undefined) return known
    const group = newGroup(key, route, kind, own)
    this.#groups.set(key, group)
    return group
  }

  takeChanges(): StateOperation[] {
    const operations: StateOperation[] = []
    const present = new Set<string>()
    for (const group of this.#groups.values()) {
      const key = prefix + shortHash(group.key)
      present.add(key)
      const text = JSON.stringify(group)
      if (this.#saved.get(key) === text) continue
      this.#saved.set(key, text)
      operations.push({ kind: 'put', key, value: Buffer.from(text) })
    }
    for (const key of this.#saved.keys()) {
      if (present.has(key)) continue
      this.#saved.delete(key)
      operations.push({ kind: 'remove', key })
    }
    return operations
  }
}

/** JSON leaves out what is undefined. */
const emptied = {
  pendingSince: undefined,
  sentAt: undefined,
  firstSentAt: undefined,
  firingSentAt: undefined,
}
