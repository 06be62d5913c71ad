import { renderTemplate, renderText } from '../../../core/template.ts'
import { durationMs, epochMs } from '../../../core/time.ts'
import type { AlertFact, Notification } from '../../notification.ts'
import type { Message } from '../notifier.ts'
import { evidenceLines, factSection, subjectOf } from './fact-text.ts'
import { dashboardView, viewOf } from './fact-view.ts'
import {
  type Button,
  type ComposedMessage,
  clip,
  type MessageStyle,
  type Section,
  type Tone,
} from './message-style.ts'
import { roughly } from './time-text.ts'

const longestTitle = 200
const longestSummary = 2_000
const silenceHours = [1, 8]
const hourMs = 3_600_000
/** A link outlives the longest silence it offers, and is worthless in an old chat. */
const linkLifeMs = 24 * hourMs

/** A message in words. It always succeeds: what a template can't say is said by the built-in text, with a note. */
export function compose(message: Message, style: MessageStyle, now: number): ComposedMessage {
  const [first, ...others] = message.notifications
  if (first === undefined) throw new RangeError('a message without notifications')
  const composed = others.length === 0 ? single(first, style, now) : digest(message, style)
  return { ...composed, notes: [...composed.notes, ...notesOf(message, composed, style)] }
}

function notesOf(message: Message, composed: ComposedMessage, style: MessageStyle): string[] {
  const { words, keyword, job } = style
  const notes = [`${job} · ${message.id}`]
  if (message.mayBeRepeat) notes.push(words.mayBeRepeat)
  if (message.dropped > 0) notes.push(words.dropped(message.dropped))
  if (keyword !== undefined && !composed.title.includes(keyword)) notes.push(keyword)
  return notes
}

function single(notification: Notification, style: MessageStyle, now: number): ComposedMessage {
  const { alerts, total } = notification
  const [first] = alerts
  const notes: string[] = []
  const own = (which: 'title' | 'summary', builtIn: string, length: number): string => {
    const template = style[which]
    if (template === undefined) return builtIn
    const view = viewOf(style.job, notification, first, style.times)
    const rendered = renderTemplate(template, view)
    if (rendered.kind === 'text') return clip(rendered.text, length)
    notes.push(style.words.templateTrouble(`${which}: ${rendered.problem}`))
    return builtIn
  }
  const beat = notification.kind === 'watchdog' ? style.words.aliveText : ''
  const title = own('title', titleOf(notification, style), longestTitle)
  const summary = first === undefined ? beat : own('summary', beat, longestSummary)
  const incidents = [...new Set(alerts.map(({ incident }) => incident))]
  if (incidents.length === 1) notes.push(`${incidents[0]}`)
  return {
    title,
    tone: toneOf([notification]),
    summary,
    sections: alerts.map((fact) =>
      factSection(fact, style, viewOf(style.job, notification, fact, style.times)),
    ),
    unlisted: Math.max(0, total - alerts.length),
    evidence: first === undefined ? [] : evidenceLines(first, style),
    buttons: buttonsOf(notification, style, now),
    notes,
  }
}

function digest({ notifications }: Message, style: MessageStyle): ComposedMessage {
  const { words, times } = style
  const sections = notifications.map((notification): Section => {
    const [first] = notification.alerts
    const when = first === undefined ? '' : ` · ${times.window(first.windowStart, first.windowEnd)}`
    const short = `${titleOf(notification, style)}${when} · ${notification.id}`
    return { heading: short, lines: [], numbers: [], short }
  })
  return {
    title: `[${words.kind.digest}] ${words.messages(notifications.length)}`,
    tone: toneOf(notifications),
    summary: '',
    sections,
    unlisted: 0,
    evidence: [],
    buttons: [],
    notes: [],
  }
}

/** `[CRIT] really zero: login_attempts.count (product=loan)`. */
export function titleOf(notification: Notification, style: MessageStyle): string {
  const { kind, severity, alerts, total, group, age, step } = notification
  const { words } = style
  if (kind === 'watchdog') return words.alive(style.job, step)
  const state = words.kind[kind]
  const bad = kind === 'firing' || kind === 'repeat' || kind === 'escalation'
  const tags = [bad ? words.severity[severity] : '', state].filter((one) => one !== '').join(' · ')
  const [first] = alerts
  const what = total > 1 || first === undefined ? groupOf(notification, style) : subjectOf(first)
  // What is over is not named by what it was.
  const names = bad || kind === 'cannot-judge'
  const cause = names ? (first?.cause ?? group.cause) : undefined
  const why = cause === undefined ? '' : `${words.cause[cause]}: `
  const long = kind === 'repeat' || kind === 'escalation' ? ` (${words.since(roughly(age))})` : ''
  return clip(`[${tags}] ${why}${what}${long}`, longestTitle)
}

function groupOf({ total, group }: Notification, { words }: MessageStyle): string {
  const name = group.rule ?? group.team
  return name === undefined ? words.alerts(total) : `${words.alerts(total)}, ${name}`
}

function toneOf(notifications: readonly Notification[]): Tone {
  const tones = new Set(notifications.map(toneOfOne))
  const [only] = tones
  return tones.size === 1 && only !== undefined ? only : 'mixed'
}

function toneOfOne({ kind, severity }: Notification): Tone {
  switch (kind) {
    case 'resolved':
      return 'good'
    case 'watchdog':
      return 'calm'
    case 'correction':
    case 'cannot-judge':
      return 'warn'
    case 'digest':
      return 'mixed'
    case 'firing':
    case 'repeat':
    case 'escalation':
      return severity === 'crit' ? 'bad' : severity === 'warn' ? 'warn' : 'calm'
  }
}

function buttonsOf(notification: Notification, style: MessageStyle, now: number): Button[] {
  const { words, links } = style
  const { alerts, kind } = notification
  const [first] = alerts
  if (first === undefined) return []
  const buttons: Button[] = []
  const dashboard = dashboardUrl(first, style)
  if (dashboard !== undefined) {
    buttons.push({ text: words.dashboard, url: dashboard, primary: true })
  }
  const { runbook } = first.annotations
  if (runbook !== undefined && isHttp(runbook)) {
    buttons.push({ text: words.runbook, url: runbook, primary: false })
  }
  if (links === undefined || kind === 'resolved' || kind === 'correction') return buttons
  const labels = labelsOf(notification, first)
  if (Object.keys(labels).length === 0) return buttons
  const common = { labels, notification: notification.id, expiresAt: epochMs(now + linkLifeMs) }
  for (const hours of silenceHours) {
    const forMs = durationMs(hours * hourMs)
    const url = links.link({ action: 'silence', forMs, ...common })
    buttons.push({ text: words.silence(hours), url, primary: false })
  }
  const url = links.link({ action: 'acknowledge', forMs: durationMs(0), ...common })
  buttons.push({ text: words.acknowledge, url, primary: false })
  return buttons
}

/** What the buttons are about: the alert itself, or what all alerts of the message share. Empty: they share nothing. */
function labelsOf({ total, group }: Notification, first: AlertFact): Record<string, string> {
  const { rule, team, cause } = group
  if (total <= 1) return { ...first.tags, rule: first.rule }
  return {
    ...(rule === undefined ? {} : { rule }),
    ...(team === undefined ? {} : { team }),
    ...(cause === undefined ? {} : { cause }),
  }
}

/** The rule's own address before that of the config; a value can never change another part of the address. */
function dashboardUrl(fact: AlertFact, style: MessageStyle): string | undefined {
  const view = dashboardView(fact)
  const own = fact.annotations.dashboard
  const text =
    own !== undefined
      ? renderText(own, (path) => encodeOrNothing(view(path)))
      : style.dashboard && rendered(renderTemplate(style.dashboard, view, encodeURIComponent))
  return text !== undefined && isHttp(text) ? text : undefined
}

const encodeOrNothing = (value: string | undefined) =>
  value === undefined ? undefined : encodeURIComponent(value)

const rendered = (result: ReturnType<typeof renderTemplate>) =>
  result.kind === 'text' ? result.text : undefined

const isHttp = (url: string): boolean => /^https?:\/\/[^\s"<>{}]+$/.test(url)
