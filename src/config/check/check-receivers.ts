import { parseTemplate } from '../../core/template.ts'
import { textFormats } from '../read/formats.ts'
import type { Locator, Place } from '../read/locator.ts'
import { suggestion } from '../read/suggest.ts'
import type { ConfigDocument } from '../schema.ts'

const leastBeatMs = 60_000

/** Checks what the schema cannot say of receivers, and that whoever is to be told is one. */
export function checkReceivers(document: Partial<ConfigDocument>, locator: Locator): void {
  const known = locator.keysAt(['receivers'])
  for (const name of known) {
    const meaning = textFormats.name.read(name, (one) => one)
    if (meaning.kind === 'wrong') locator.key(['receivers', name], meaning.what, meaning.right)
  }
  for (const [name, receiver] of Object.entries(document.receivers ?? {})) {
    checkTemplate(receiver.title, ['receivers', name, 'title'], locator)
    checkTemplate(receiver.summary, ['receivers', name, 'summary'], locator)
    if (receiver.type !== 'email') continue
    const { username, password } = receiver
    if ((username === undefined) === (password === undefined)) continue
    const [has, lacks] =
      username === undefined ? ['password', 'username'] : ['username', 'password']
    const right = `add ${lacks}, or leave both out`
    locator.key(['receivers', name, has], `${has} without ${lacks}`, right)
  }
  const { notifications, alerts } = document
  checkTemplate(notifications?.dashboard, ['notifications', 'dashboard'], locator)
  const watchdog = notifications?.watchdog
  if (watchdog !== undefined && watchdog.every < leastBeatMs) {
    const place = ['notifications', 'watchdog', 'every']
    locator.value(place, 'heartbeats would come too often', 'write at least 1m')
  }
  checkKnown(watchdog?.receivers, ['notifications', 'watchdog', 'receivers'], known, locator)
  if (alerts === undefined) return
  checkRoute(alerts.route, ['alerts', 'route'], known, locator)
  alerts.routes.forEach((route, index) => {
    checkRoute(route, ['alerts', 'routes', index], known, locator)
  })
}

type RouteReceivers = Pick<ConfigDocument['alerts']['route'], 'receivers' | 'escalate'>

function checkRoute(
  route: RouteReceivers,
  at: Place,
  known: readonly string[],
  locator: Locator,
): void {
  checkKnown(route.receivers, [...at, 'receivers'], known, locator)
  route.escalate?.forEach(({ receivers }, index) => {
    checkKnown(receivers, [...at, 'escalate', index, 'receivers'], known, locator)
  })
}

function checkKnown(
  names: readonly string[] | undefined,
  at: Place,
  known: readonly string[],
  locator: Locator,
): void {
  for (const [index, name] of (names ?? []).entries()) {
    if (known.includes(name)) continue
    const right = known.length === 0 ? `add it under receivers` : suggestion(name, known)
    locator.value([...at, index], `receiver ${name} is not known`, right)
  }
}

function checkTemplate(text: string | undefined, place: Place, locator: Locator): void {
  const template = text === undefined ? undefined : parseTemplate(text)
  if (template === undefined || !('problem' in template)) return
  locator.value(place, template.problem, 'write {{ path }} or {{ path | "fallback" }}')
}
