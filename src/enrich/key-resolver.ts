import { WardenError } from '../core/errors.ts'
import type { LookupPlan, MetricPlan } from '../core/plan.ts'
import type { Counter, Metrics } from '../core/telemetry.ts'
import { fieldOf } from './entry.ts'
import type { FixedKeys } from './fixed-keys.ts'
import type { KeyAnswer, KeyQuestion } from './key-question.ts'
import type { Answer, KeyTable } from './key-table.ts'

/** The windows of a metric as the resolver sees them. */
export interface ResolvedMetric {
  readonly plan: MetricPlan
  /** undefined where nothing is looked up. */
  readonly fixed: FixedKeys | undefined
  /** Are all rows of the slice late? Then its values are kept nowhere. */
  isGone(slice: number): boolean
}

/** What a table says of keys, at once: a spec's own tables, or what was looked up before. */
export type Known = (table: string, key: string) => Answer

/**
 * Answers the lanes of one source. It is one for all lanes, and the first answer for a key and slice holds for all of them: two lanes that
 * meet a key on both sides of a refresh still count it in one series.
 */
export class KeyResolver {
  readonly #metrics: readonly ResolvedMetric[]
  readonly #tables: ReadonlyMap<string, KeyTable>
  readonly #unknown: Counter

  constructor(
    metrics: readonly ResolvedMetric[],
    tables: ReadonlyMap<string, KeyTable>,
    telemetry: Metrics,
  ) {
    this.#metrics = metrics
    this.#tables = tables
    this.#unknown = telemetry.counter(
      'warden_enrich_unknown_keys_total',
      'Keys that a window calls unknown, once per window, by reason: missing (the table has no entry, or not that field), away (the origin could not be asked)',
      ['metric', 'enrich', 'reason'],
    )
  }

  /** Waits as the tables' policies say. Rejects with the signal's reason, or with a WardenError that no waiting will cure. */
  async resolve(
    questions: readonly KeyQuestion[],
    signal: AbortSignal,
  ): Promise<readonly KeyAnswer[]> {
    const found = new Map<string, ReadonlyMap<string, Answer>>()
    await Promise.all(
      [...this.#openKeys(questions)].map(async ([name, keys]) => {
        const table = this.#tables.get(name)
        if (table === undefined) throw new WardenError('internal', `there is no table ${name}`)
        found.set(name, await table.lookup([...keys], signal))
      }),
    )
    return this.settle(questions, (table, key) => found.get(table)?.get(key) ?? { kind: 'away' })
  }

  /** Fixes the values of the keys that have none in their slice. */
  settle(questions: readonly KeyQuestion[], known: Known): readonly KeyAnswer[] {
    return questions.map((question) => {
      const { slice, dimension, keys } = question
      const metric = this.#metrics[question.metric]
      const lookup = metric?.plan.dimensions[dimension]?.lookup
      if (metric?.fixed === undefined || lookup === undefined) {
        throw new WardenError('internal', `dimension ${dimension} is not looked up`)
      }
      const isGone = metric.isGone(slice)
      const { fixed } = metric
      const values = keys.map((key) => {
        const held = fixed.valueOf(slice, dimension, key)
        if (held !== undefined) return held
        const value = this.#valueOf(metric.plan.name, lookup, known(lookup.from, key))
        return isGone ? value : fixed.fix(slice, dimension, key, value)
      })
      return { ...question, values }
    })
  }

  /** By table: keys that have no value in their slice yet. */
  #openKeys(questions: readonly KeyQuestion[]): Map<string, Set<string>> {
    const open = new Map<string, Set<string>>()
    for (const { metric, slice, dimension, keys } of questions) {
      const { fixed, plan } = this.#metrics[metric] ?? {}
      const from = plan?.dimensions[dimension]?.lookup?.from ?? ''
      const known = open.get(from) ?? new Set<string>()
      for (const key of keys) {
        if (fixed?.valueOf(slice, dimension, key) === undefined) known.add(key)
      }
      if (known.size > 0) open.set(from, known)
    }
    return open
  }

  #valueOf(metric: string, { from, field, unknown }: LookupPlan, answer: Answer): string {
    const value = answer.kind === 'found' ? fieldOf(answer.entry, field) : undefined
    if (value !== undefined) return value
    const reason = answer.kind === 'away' ? 'away' : 'missing'
    this.#unknown.add(1, { metric, enrich: from, reason })
    return unknown
  }
}
