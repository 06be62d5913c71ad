import { renderText, type TemplateView } from '../../../core/template.ts'
import type { AlertFact } from '../../notification.ts'
import { clip, type MessageStyle, type Section } from './message-style.ts'
import { sparkline } from './sparkline.ts'
import { amount, roughly } from './time-text.ts'

const longestText = 300
const longestSubject = 160
const shownErrors = 3

/** `login_attempts.count (product=loan)`; the rule where an alert concerns no metric. */
export function subjectOf({ metric, aggregate, tags, rule }: AlertFact): string {
  const name = metric === '' ? rule : aggregate === '' ? metric : `${metric}.${aggregate}`
  const pairs = Object.entries(tags).map(([tag, value]) => `${tag}=${value}`)
  return clip(pairs.length === 0 ? name : `${name} (${pairs.join(', ')})`, longestSubject)
}

/** One alert: what it is about, the numbers people compare, and the last windows. */
export function factSection(fact: AlertFact, style: MessageStyle, view: TemplateView): Section {
  const { words, times } = style
  const window = times.window(fact.windowStart, fact.windowEnd)
  const lines = [`${words.cause[fact.cause]} · ${window}`]
  if (fact.reason !== '') lines.push(clip(fact.reason, longestText))
  const { correction, acknowledgedBy, annotations } = fact
  if (correction !== undefined) {
    lines.push(words.correction(amount(correction.from), amount(correction.to)))
  }
  if (annotations.summary !== undefined) {
    lines.push(clip(renderText(annotations.summary, view), longestText))
  }
  if (annotations.samples !== undefined) lines.push(clip(annotations.samples, longestText * 3))
  if (fact.series > 1) lines.push(words.series(fact.series))
  if (acknowledgedBy !== undefined) lines.push(words.acknowledgedBy(clip(acknowledgedBy, 80)))
  if (fact.history.length > 1) lines.push(sparkline(fact.history))
  const state = stateOf(fact, style)
  const subject = subjectOf(fact)
  return {
    heading: `${state}${fact.rule}: ${subject}`,
    lines,
    numbers: numbersOf(fact, style),
    short: clip(
      `${state}${fact.rule}: ${subject} · ${words.cause[fact.cause]} · ${window} · ${fact.reason}`,
      240,
    ),
  }
}

function stateOf({ state, startedAt, endedAt }: AlertFact, { words }: MessageStyle): string {
  const age = endedAt === undefined ? '' : ` ${words.after(roughly(endedAt - startedAt))}`
  switch (state) {
    case 'firing':
      return ''
    case 'resolved':
      return `[${words.kind.resolved}${age}] `
    case 'corrected':
      return `[${words.kind.correction}] `
    case 'held':
      return `[${words.kind['cannot-judge']}] `
  }
}

function numbersOf({ numbers, metric }: AlertFact, { words }: MessageStyle) {
  if (metric === '') return []
  const shown = (value: number | undefined) =>
    value === undefined ? words.unknownNumber : amount(value)
  return [
    { name: words.now, value: shown(numbers.now) },
    { name: words.yesterday, value: shown(numbers.yesterday) },
    { name: words.lastWeek, value: shown(numbers.lastWeek) },
  ]
}

/** What the verdict rests on, in lines. */
export function evidenceLines(fact: AlertFact, { words, times }: MessageStyle): readonly string[] {
  const { evidence, verdict } = fact
  const lines: string[] = []
  const { events, deduplicated } = evidence
  if (events !== undefined) {
    lines.push(
      words.events(amount(events), deduplicated === undefined ? '?' : amount(deduplicated)),
    )
  }
  const source = [
    evidence.source,
    evidence.watermark === undefined
      ? words.noWatermark
      : words.watermark(times.minute(evidence.watermark), roughly(evidence.watermarkAgeMs ?? 0)),
    evidence.lag === undefined
      ? words.unknownLag
      : words.lag(amount(evidence.lag), evidence.partitions.length),
    evidence.sourceRate === undefined ? '' : words.rate(amount(evidence.sourceRate)),
  ].filter((part) => part !== '')
  if (evidence.source !== '') lines.push(source.join(' · '))
  const troubled = evidence.partitions.filter(({ trouble }) => trouble !== undefined)
  for (const { name, trouble } of troubled.slice(0, shownErrors)) {
    lines.push(clip(`${name}: ${trouble}`, longestText))
  }
  if (troubled.length > shownErrors) lines.push(words.more(troubled.length - shownErrors))
  if (verdict?.delivery === 'unwritten') {
    lines.push(words.unwritten(times.minute(evidence.oldestUnwritten ?? fact.windowStart)))
  }
  for (const { sink, error } of evidence.sinkErrors.slice(0, shownErrors)) {
    lines.push(clip(`${sink}: ${error}`, longestText))
  }
  return lines
}
