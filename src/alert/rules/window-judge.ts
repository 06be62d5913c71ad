import type {
  AlertPlan,
  BaselineRule,
  ChangeRule,
  MissingSeriesRule,
  NewSeriesRule,
  SeverityName,
} from '../../core/alert-plan.ts'
import { formatDuration } from '../../core/time.ts'
import type { WindowBlock } from '../history/window-block.ts'
import { rowFlags } from '../history/window-block.ts'
import { baselineOf, type Sample } from './baseline.ts'
import { ComparableWindows } from './comparable-windows.ts'
import { insufficient, type Judgement, judgeBounds, shown } from './judgement.ts'
import { isAbsent, type Reading, type RuleSubjects, type Subject } from './subjects.ts'

/** Windows in which a subject was found bad before: they are no example of what is usual. */
export type Masked = (start: number) => boolean

/** Judges one subject in one complete window, whatever the kind of the rule. */
export class WindowJudge {
  readonly #calendars: AlertPlan['calendars']
  readonly windows = new ComparableWindows()

  constructor(calendars: AlertPlan['calendars']) {
    this.#calendars = calendars
  }

  /** undefined: the subject is none of the window's. @param firing severity of the alert that fires now */
  judge(
    subjects: RuleSubjects,
    subject: Subject,
    block: WindowBlock,
    firing: SeverityName | undefined,
    masked: Masked,
  ): Judgement | undefined {
    const { rule } = subjects
    if (rule.kind === 'new-series') return this.#newSeries(rule, subjects, subject, block)
    if (rule.kind === 'missing-series') return this.#missing(rule, subjects, subject, block)
    const reading = subjects.read(subject, block)
    if (isAbsent(reading)) return undefined
    switch (rule.kind) {
      case 'zero':
        return zero(subject, reading)
      case 'threshold':
      case 'rate':
        return bounds(subject, reading, rule.kind, firing)
      case 'change':
        return this.#change(rule, subjects, subject, block, reading, firing)
      case 'baseline':
        return this.#baseline(rule, subjects, subject, block, reading, firing, masked)
    }
  }

  #change(
    rule: ChangeRule,
    subjects: RuleSubjects,
    subject: Subject,
    block: WindowBlock,
    reading: Reading,
    firing: SeverityName | undefined,
  ): Judgement {
    const days = rule.against === 'day' ? 1 : 7
    const other = this.windows.daysBefore(subjects.history, block, days, rule.timezone)
    const ago = rule.against === 'day' ? 'yesterday' : 'last week'
    if (other === undefined) return insufficient(`the window of ${ago} was not complete`)
    const then = subjects.read(subject, other).value
    const { value } = reading
    if (value === undefined) return insufficient('there is no number')
    if (then === undefined || then === 0) return insufficient(`nothing to compare with ${ago}`)
    const { settings } = subject
    const volume = Math.max(reading.volume, subjects.read(subject, other).volume)
    if (volume < settings.minVolume) {
      return insufficient(`${shown(volume)} is less than minVolume ${settings.minVolume}`)
    }
    const change = (value - then) / then
    const text = `${change < 0 ? '−' : '+'}${shown(Math.abs(Math.round(change * 1000) / 10))} % against ${ago}: ${shown(value)} after ${shown(then)}`
    const isSmall = Math.abs(value - then) < settings.floor
    if (isSmall)
      return { kind: 'good', value, reason: `${text}, less than floor ${settings.floor}` }
    return judgeBounds(settings, 'CHANGE', change, value, firing, () => text)
  }

  #baseline(
    rule: BaselineRule,
    subjects: RuleSubjects,
    subject: Subject,
    block: WindowBlock,
    reading: Reading,
    firing: SeverityName | undefined,
    masked: Masked,
  ): Judgement {
    const { value } = reading
    if (value === undefined) return insufficient('there is no number')
    const calendar = rule.calendar === undefined ? undefined : this.#calendars.get(rule.calendar)
    const samples: Sample[] = []
    const { history } = subjects
    const similar = this.windows.similar(history, block, rule.weeks, rule.timezone, calendar)
    for (const { block: one, place, same } of similar) {
      if (masked(one.start)) continue
      if (rule.masked.some(({ from, to }) => one.end > from && one.start < to)) continue
      const other = subjects.read(subject, one).value
      if (other === undefined) continue
      samples.push({ value: other, slot: `${place.minute} ${place.weekday}`, same })
    }
    const counts = history.isCounting(subjects.aggregate)
    const baseline = baselineOf(samples, rule.minSamples, counts)
    if (baseline === undefined) {
      return insufficient(`${samples.length} windows to compare with are too few`)
    }
    const { median, scale } = baseline
    const score = (value - median) / scale
    const text = `${shown(value)} where ${shown(median)} ± ${shown(scale)} is usual (${shown(Math.round(score * 10) / 10)} σ)`
    if (Math.abs(value - median) < subject.settings.floor) {
      return { kind: 'good', value, reason: `${text}, less than floor ${subject.settings.floor}` }
    }
    return judgeBounds(subject.settings, 'BASELINE', score, value, firing, () => text)
  }

  #newSeries(
    rule: NewSeriesRule,
    { history }: RuleSubjects,
    subject: Subject,
    block: WindowBlock,
  ): Judgement | undefined {
    const [id = -1] = subject.series
    const first = history.series.firstStart(id)
    if (first > block.start || history.firstWhole === undefined) return undefined
    const value = first
    if (first < block.start) return { kind: 'good', value, reason: 'it is known' }
    if (first < history.firstWhole + rule.learnMs) {
      return { kind: 'good', value, reason: 'it was learnt' }
    }
    const { severity } = subject.settings
    return { kind: 'bad', severity, cause: 'NEW_SERIES', value, reason: 'never seen before' }
  }

  #missing(
    rule: MissingSeriesRule,
    { history }: RuleSubjects,
    subject: Subject,
    block: WindowBlock,
  ): Judgement | undefined {
    const [id = -1] = subject.series
    const last = history.series.lastEnd(id)
    if (last >= block.end && block.flag(id) === rowFlags.events) {
      return { kind: 'good', value: 0, reason: 'it came' }
    }
    if (block.end - last > rule.forgetMs || history.series.firstStart(id) >= block.end) {
      return undefined
    }
    let missingMs = block.end - block.start
    for (const one of history.before(block)) {
      if (one.end <= last || one.flag(id) === rowFlags.events) break
      if (one.kind === 'whole') missingMs += one.end - one.start
    }
    const value = missingMs / 1000
    const reason = `no event for ${formatDuration(missingMs)}`
    if (missingMs < rule.afterMs) return { kind: 'good', value, reason }
    const { severity } = subject.settings
    return { kind: 'bad', severity, cause: 'MISSING_SERIES', value, reason }
  }
}

function zero(subject: Subject, reading: Reading): Judgement {
  const { severity } = subject.settings
  const value = reading.value ?? 0
  if (!reading.zero) return { kind: 'good', value, reason: `${shown(value)}` }
  const reason = 'no event in a complete window, while its source was alive'
  return { kind: 'bad', severity, cause: 'ZERO', value, reason }
}

function bounds(
  subject: Subject,
  { value, volume }: Reading,
  kind: 'threshold' | 'rate',
  firing: SeverityName | undefined,
): Judgement {
  const { settings } = subject
  if (value === undefined) return insufficient(kind === 'rate' ? '0 ÷ 0' : 'there is no number')
  if (volume < settings.minVolume) {
    return insufficient(`${shown(volume)} is less than minVolume ${settings.minVolume}`)
  }
  const behind = kind === 'rate' ? ` of ${shown(volume)}` : ''
  return judgeBounds(settings, 'THRESHOLD', value, value, firing, (broken) => {
    const [side, bound] = broken.split(':')
    if (bound === undefined) return `${shown(value)}${behind}`
    return `${shown(value)}${behind} ${side === 'min' ? '<' : '>'} ${bound}`
  })
}
