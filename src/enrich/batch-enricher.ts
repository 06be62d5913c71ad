import type { MetricPlan } from '../core/plan.ts'
import type { DecodedBatch } from '../core/rows.ts'
import type { SeriesDictionary } from '../core/series.ts'
import type { Counter, Metrics } from '../core/telemetry.ts'
import type { Window } from '../core/window.ts'
import type { KeyAnswer, KeyQuestion } from './key-question.ts'
import { RawSeries } from './raw-series.ts'
import { RowEnricher, type SeedOf } from './row-enricher.ts'

/** Does any dimension have to be looked up? */
export const looksUp = (plan: MetricPlan): boolean =>
  plan.dimensions.some(({ lookup }) => lookup !== undefined)

/** The looked-up dimensions of one lane, between decoding and counting. */
export class BatchEnricher {
  /** What the decoder takes in the place of the dictionaries. */
  readonly dictionaries: readonly SeriesDictionary[]
  readonly #plans: readonly MetricPlan[]
  /** By metric; undefined where nothing is looked up. */
  readonly #enrichers: readonly (RowEnricher | undefined)[]
  readonly #unknownRows: Counter
  readonly #keysBeyond: Counter

  /** @param dictionaries of the lane, one per metric */
  constructor(
    plans: readonly MetricPlan[],
    dictionaries: readonly SeriesDictionary[],
    seedOf: SeedOf,
    metrics: Metrics,
  ) {
    this.#plans = plans
    const raw = plans.map((plan) =>
      looksUp(plan)
        ? new RawSeries(plan.dimensions, plan.maxKeys ?? Number.POSITIVE_INFINITY)
        : undefined,
    )
    this.dictionaries = dictionaries.map((one, metric) => raw[metric] ?? one)
    this.#enrichers = plans.map((plan, metric) => {
      const [series, dictionary] = [raw[metric], dictionaries[metric]]
      return series === undefined || dictionary === undefined
        ? undefined
        : new RowEnricher(metric, plan, series, dictionary, seedOf)
    })
    this.#unknownRows = metrics.counter(
      'warden_enrich_unknown_events_total',
      'Events that were counted with an unknown value in a dimension that is looked up',
      ['metric'],
    )
    this.#keysBeyond = metrics.counter(
      'warden_enrich_keys_over_limit_total',
      'Combinations of keys that came when maxKeys was reached, and are unknown',
      ['metric'],
    )
  }

  /** Rewrites what can be; empty: everything, and the batch can be counted. */
  begin(batch: DecodedBatch): readonly KeyQuestion[] {
    let questions: KeyQuestion[] = []
    for (const [metric, enricher] of this.#enrichers.entries()) {
      const rows = batch.metrics[metric]
      if (enricher === undefined || rows === undefined) continue
      const own = enricher.begin(batch, rows)
      if (own.length > 0) questions = questions.concat(own)
    }
    if (questions.length === 0) this.#count()
    return questions
  }

  /** Rewrites the rest with the answers to what `begin` asked. */
  finish(batch: DecodedBatch, answers: readonly KeyAnswer[]): void {
    for (const answer of answers) this.#enrichers[answer.metric]?.learn(answer)
    for (const [metric, enricher] of this.#enrichers.entries()) {
      const rows = batch.metrics[metric]
      if (enricher !== undefined && rows !== undefined) enricher.finish(batch, rows)
    }
    this.#count()
  }

  /** Forgets slices; `isGone` says it by metric. */
  drop(isGone: (metric: number, slice: Window) => boolean): void {
    for (const [metric, enricher] of this.#enrichers.entries()) {
      enricher?.drop((slice) => isGone(metric, slice))
    }
  }

  #count(): void {
    for (const [metric, enricher] of this.#enrichers.entries()) {
      if (enricher === undefined) continue
      const { rows, keys } = enricher.takeUnknown()
      const labels = { metric: this.#plans[metric]?.name ?? '' }
      if (rows > 0) this.#unknownRows.add(rows, labels)
      if (keys > 0) this.#keysBeyond.add(keys, labels)
    }
  }
}
