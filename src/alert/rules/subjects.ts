import type { RuleSettings, WindowRule } from '../../core/alert-plan.ts'
import type { MetricHistory } from '../history/metric-history.ts'
import { type Tags, tagsKey } from '../history/series-names.ts'
import { rowFlags, type WindowBlock } from '../history/window-block.ts'
import { matches } from '../routing/matchers.ts'

/** What a rule judges: a series, or all outcomes of one. */
export interface Subject {
  readonly key: string
  readonly tags: Tags
  /** Series that it is made of. */
  readonly series: readonly number[]
  /** Of a share: series that count as a success, and those that it is measured against. */
  readonly success: readonly number[]
  readonly of: readonly number[]
  readonly settings: RuleSettings
}

/** The number of a subject in a window. */
export interface Reading {
  /** undefined: the subject was not there, or has no such number. */
  readonly value: number | undefined
  /** What stands behind it. */
  readonly volume: number
  /** No event. */
  readonly zero: boolean
}

/** Aggregates that say how much stands behind a number, the best first. */
const volumes = ['users', 'count', 'events']

/** Which series a rule judges, and their numbers. */
export class RuleSubjects {
  readonly rule: WindowRule
  readonly history: MetricHistory
  readonly aggregate: string
  readonly #column: number
  readonly #volume: number
  readonly #counts: boolean
  #version = -1
  #list: readonly Subject[] = []
  #bySeries = new Map<number, Subject>()

  constructor(rule: WindowRule, history: MetricHistory) {
    this.rule = rule
    this.history = history
    const { columns } = history
    const rates = columns.filter((name) => history.kindOf(name) === 'rate')
    const isRate = rule.kind === 'rate' && rule.outcomes === undefined
    this.aggregate = rule.aggregate ?? (isRate ? rates[0] : columns[0]) ?? ''
    this.#column = columns.indexOf(this.aggregate)
    const wanted = rule.kind === 'rate' ? rule.volume : undefined
    const volume = wanted ?? volumes.find((name) => columns.includes(name))
    this.#volume = volume === undefined ? this.#column : columns.indexOf(volume)
    this.#counts = history.isCounting(this.aggregate)
  }

  /** Subjects of all series that match, by the order in which they were seen first. */
  list(): readonly Subject[] {
    const { series } = this.history
    if (this.#version === series.version) return this.#list
    this.#version = series.version
    const groups = new Map<string, { tags: Tags; ids: number[] }>()
    for (let id = 0; id < series.size; id++) {
      const tags = series.tagsOf(id)
      if (!matches(this.rule.match, tags)) continue
      const own = this.#ownTags(tags)
      if (own === undefined) continue
      const key = own === tags ? series.keyOf(id) : tagsKey(own)
      const group = groups.get(key) ?? { tags: own, ids: [] }
      groups.set(key, group)
      group.ids.push(id)
    }
    this.#list = [...groups].map(([key, { tags, ids }]) => this.#subject(key, tags, ids))
    this.#bySeries = new Map()
    for (const one of this.#list) for (const id of one.series) this.#bySeries.set(id, one)
    return this.#list
  }

  /** The subject that a series belongs to. */
  of(series: number): Subject | undefined {
    this.list()
    return this.#bySeries.get(series)
  }

  read(subject: Subject, block: WindowBlock): Reading {
    if (this.rule.kind === 'rate' && this.rule.outcomes !== undefined) {
      const volume = this.#sum(subject.of, block)
      if (volume === undefined) return absent
      const success = this.#sum(subject.success, block) ?? 0
      return { value: volume > 0 ? success / volume : undefined, volume, zero: volume === 0 }
    }
    const [id = -1] = subject.series
    return this.#readSeries(id, block)
  }

  #readSeries(id: number, block: WindowBlock): Reading {
    const flag = block.flag(id)
    // Known series have a zero where nothing came: what has no row is none of the window's.
    if (flag === rowFlags.absent) return absent
    const value = block.value(id, this.#column)
    const behind = block.value(id, this.#volume)
    const volume = Number.isNaN(behind) ? 0 : behind
    const zero = flag === rowFlags.zero
    // A series without this aggregate is not what the rule is about.
    if (Number.isNaN(value) && this.#counts && !this.history.has(id, this.#column)) return absent
    if (Number.isNaN(value)) return { value: this.#counts ? 0 : undefined, volume, zero }
    return { value, volume, zero: zero || (this.#counts && value === 0) }
  }

  #sum(ids: readonly number[], block: WindowBlock): number | undefined {
    let sum: number | undefined
    for (const id of ids) {
      const { value } = this.#readSeries(id, block)
      if (value !== undefined) sum = (sum ?? 0) + value
    }
    return sum
  }

  /** For a share of outcomes the tags without the outcome; undefined for a series without one. */
  #ownTags(tags: Tags): Tags | undefined {
    if (this.rule.kind !== 'rate' || this.rule.outcomes === undefined) return tags
    if (!('outcome' in tags)) return undefined
    return Object.fromEntries(Object.entries(tags).filter(([name]) => name !== 'outcome'))
  }

  #subject(key: string, tags: Tags, series: readonly number[]): Subject {
    const { rule, history } = this
    const override = rule.overrides.find(({ match }) => matches(match, tags))
    const settings = { ...rule.settings, ...override?.settings }
    const outcomes = rule.kind === 'rate' ? rule.outcomes : undefined
    if (outcomes === undefined) return { key, tags, series, success: [], of: [], settings }
    const outcomeOf = (id: number) => history.series.tagsOf(id).outcome ?? ''
    const success = series.filter((id) => outcomes.success.includes(outcomeOf(id)))
    const of = series.filter((id) => outcomes.of?.includes(outcomeOf(id)) ?? true)
    return { key, tags, series, success, of, settings }
  }
}

const absent: Reading = { value: undefined, volume: 0, zero: false }

/** The subject is in no window: neither an event nor a zero. */
export const isAbsent = (reading: Reading): boolean => reading === absent
