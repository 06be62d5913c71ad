import type { RuleSettings } from '../../core/alert-plan.ts'
import type { EpochMs } from '../../core/time.ts'
import type { Judgement } from '../rules/judgement.ts'
import { shortHash } from '../state-json.ts'
import { type Alert, maxEpisodes, maxStreak, type Transition } from './alert.ts'

/** The window that a judgement is about; of rules without windows the instant, as a window of no length. */
export interface Judged {
  readonly start: EpochMs
  readonly end: EpochMs
  /** What the window adds to `for` and `keepFiring`: its slide. */
  readonly ms: number
}

const ranks = { info: 0, warn: 1, crit: 2 } as const

/** Takes an alert on by one window. Windows come in order, each once. */
export function advance(
  alert: Alert,
  judgement: Judgement,
  judged: Judged,
  settings: RuleSettings,
  now: EpochMs,
): Transition {
  if (judgement.kind === 'none') return hold(alert, judgement.cause)
  alert.held = undefined
  if (judgement.kind === 'good' && alert.state === 'inactive') return 'none'
  alert.windowStart = judged.start
  alert.windowEnd = judged.end
  alert.value = judgement.value
  alert.reason = judgement.reason
  return judgement.kind === 'bad'
    ? onBad(alert, judgement, judged, settings, now)
    : onGood(alert, judged, settings)
}

/** It could not be judged. */
export function hold(alert: Alert, cause: Alert['held']): Transition {
  if (alert.state === 'inactive' || alert.held === cause) return 'none'
  alert.held = cause
  return 'changed'
}

function onBad(
  alert: Alert,
  judgement: Extract<Judgement, { readonly kind: 'bad' }>,
  judged: Judged,
  settings: RuleSettings,
  now: EpochMs,
): Transition {
  alert.goodCount = 0
  alert.goodMs = 0
  alert.goodSince = undefined
  if (alert.state === 'inactive') begin(alert, judged.start)
  alert.badCount++
  alert.badMs = judged.ms === 0 ? now - alert.startedAt : alert.badMs + judged.ms
  if (judged.ms > 0) alert.bad.push({ start: judged.start, value: judgement.value })
  if (alert.bad.length > maxStreak) alert.bad.shift()
  remember(alert, judged)
  alert.cause = judgement.cause
  const worse = ranks[judgement.severity] > ranks[alert.severity]
  const before = alert.state
  alert.severity = judgement.severity
  if (before !== 'firing') {
    if (!lasted(alert, settings, judged.ms > 0)) return 'changed'
    alert.state = 'firing'
    alert.firedAt = now
    return 'fired'
  }
  if (!worse) return 'changed'
  alert.acknowledged = undefined
  return 'worse'
}

function onGood(alert: Alert, judged: Judged, settings: RuleSettings): Transition {
  if (alert.state === 'pending') {
    reset(alert)
    return 'changed'
  }
  alert.goodCount++
  alert.goodSince ??= judged.start
  alert.goodMs = judged.ms === 0 ? judged.end - alert.goodSince : alert.goodMs + judged.ms
  const enough =
    alert.goodMs >= settings.keepFiringMs &&
    (judged.ms === 0 || alert.goodCount >= settings.keepFiringWindows)
  return enough ? 'resolved' : 'changed'
}

function begin(alert: Alert, start: EpochMs): void {
  reset(alert)
  alert.state = 'pending'
  alert.startedAt = start
  alert.incident = shortHash(`${alert.rule} ${alert.key} ${start}`)
}

/** Was it bad for long enough? Windows that could not be judged did not count. */
function lasted(alert: Alert, settings: RuleSettings, hasWindows: boolean): boolean {
  if (alert.badMs < settings.forMs) return false
  return !hasWindows || alert.badCount >= settings.forWindows
}

/** Back to inactive; told stays with whoever has to tell the end. */
export function reset(alert: Alert): void {
  alert.state = 'inactive'
  alert.severity = 'info'
  alert.firedAt = undefined
  alert.bad = []
  alert.badCount = 0
  alert.badMs = 0
  alert.goodCount = 0
  alert.goodMs = 0
  alert.goodSince = undefined
  alert.held = undefined
  alert.acknowledged = undefined
  alert.told = {}
}

function remember(alert: Alert, { start, end }: Judged): void {
  const last = alert.episodes.at(-1)
  if (last !== undefined && last[0] >= alert.startedAt) {
    alert.episodes[alert.episodes.length - 1] = [last[0], end]
  } else {
    alert.episodes.push([start, end])
    if (alert.episodes.length > maxEpisodes) alert.episodes.shift()
  }
}

/**
 * Late data changed a window that was judged before. Takes it out of what the alert rests on, or puts it in when it is the last one.
 * @param last the window is the last one that the rule judged
 */
export function revise(
  alert: Alert,
  judgement: Judgement,
  judged: Judged,
  last: boolean,
  settings: RuleSettings,
  now: EpochMs,
): Transition {
  const index = alert.bad.findIndex(({ start }) => start === judged.start)
  if (index < 0) {
    if (!last || judgement.kind !== 'bad') return 'none'
    return advance(alert, judgement, judged, settings, now)
  }
  if (judgement.kind === 'bad') {
    alert.bad[index] = { start: judged.start, value: judgement.value }
    if (judged.start !== alert.windowStart) return 'changed'
    alert.value = judgement.value
    alert.reason = judgement.reason
    const worse = ranks[judgement.severity] > ranks[alert.severity]
    alert.severity = judgement.severity
    if (!worse || alert.state !== 'firing') return 'changed'
    alert.acknowledged = undefined
    return 'worse'
  }
  const before = alert.bad.slice(0, index)
  // What came before a window that was fine is no part of the row any more.
  const after = alert.bad.slice(index + 1)
  alert.bad = after
  alert.badCount = after.length
  alert.badMs = after.length * judged.ms
  if (after.length > 0 && (alert.state === 'pending' || lasted(alert, settings, true))) {
    return 'changed'
  }
  alert.windowStart = judged.start
  alert.windowEnd = judged.end
  if (judgement.kind === 'good') alert.value = judgement.value
  alert.reason = judgement.reason
  if (alert.state !== 'firing') {
    forgetEpisode(alert)
    restart(alert, judged.ms)
    return 'changed'
  }
  const stands = before.length >= settings.forWindows && before.length * judged.ms >= settings.forMs
  if (stands && after.length === 0 && judgement.kind === 'good') return 'resolved'
  forgetEpisode(alert)
  return 'corrected'
}

/** Ends an incident; bad windows that stand although what they fired on was taken back are pending again. */
export function restart(alert: Alert, windowMs: number): void {
  const rest = alert.bad
  const { cause, severity } = alert
  reset(alert)
  const [first] = rest
  if (first === undefined) return
  begin(alert, first.start)
  alert.cause = cause
  alert.severity = severity
  alert.bad = rest
  alert.badCount = rest.length
  alert.badMs = rest.length * windowMs
}

function forgetEpisode(alert: Alert): void {
  if ((alert.episodes.at(-1)?.[0] ?? -1) >= alert.startedAt) alert.episodes.pop()
}
