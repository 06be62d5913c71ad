import { OTHER_OUTCOME_NAME } from '../../core/plan.ts'
import type { AggregateConfig } from '../config.ts'
import type { Locator, Place } from '../read/locator.ts'
import { suggestion } from '../read/suggest.ts'
import { outcomeDimension, resolveAggregate, resolveDimension } from '../resolve-metric.ts'
import type { EventDocument, MetricDocument } from '../schema.ts'
import { checkDedup, countsByArrival } from './check-dedup.ts'
import { checkWindow } from './check-window.ts'

/** OpenTSDB takes no more. */
const maxTags = 8
/** Outcomes are kept as one byte, 0 being `other`. */
const maxOutcomes = 254
const legalTagName = /^[A-Za-z0-9._/-]+$/

/** Checks what the schema cannot say of a metric. `event`: of the source it reads; undefined when that is not known. */
export function checkMetric(
  name: string,
  metric: MetricDocument,
  event: EventDocument | undefined,
  locator: Locator,
): void {
  const check = new MetricCheck(name, metric, event, locator)
  checkWindow(name, metric, locator)
  checkDedup(name, metric, locator)
  check.dimensions()
  check.outcomes()
  check.dedup()
  check.aggregates()
  check.series()
}

class MetricCheck {
  readonly #at: Place
  readonly #metric: MetricDocument
  readonly #event: EventDocument | undefined
  readonly #locator: Locator

  constructor(
    name: string,
    metric: MetricDocument,
    event: EventDocument | undefined,
    locator: Locator,
  ) {
    this.#at = ['metrics', name]
    this.#metric = metric
    this.#event = event
    this.#locator = locator
  }

  dimensions(): void {
    const seen = new Set<string>()
    for (const [index, document] of this.#metric.dimensions.entries()) {
      const { name, path } = resolveDimension(document)
      const place = [...this.#at, 'dimensions', index]
      if (!legalTagName.test(name)) {
        const right = 'give it a name of A-Z a-z 0-9 . _ / -: { name: …, path: … }'
        this.#locator.value(place, `${name} is not a legal tag name`, right)
      }
      if (seen.has(name)) {
        this.#locator.value(place, `dimension ${name} stands here twice`, 'keep one of the two')
      }
      seen.add(name)
      if (name !== outcomeDimension) continue
      if ('name' in document && (path.length !== 1 || path[0] !== outcomeDimension)) {
        const right = 'choose another name for the field, or write only outcome'
        this.#locator.value(place, 'the name outcome is kept for the outcome', right)
      }
      this.#needsOutcome(place, 'the dimension outcome')
    }
    if (this.#metric.dimensions.length > maxTags) {
      this.#locator.value(
        [...this.#at, 'dimensions', maxTags],
        `${this.#metric.dimensions.length} dimensions`,
        `a point has at most ${maxTags} tags: leave some out, or make several metrics`,
      )
    }
  }

  outcomes(): void {
    const { outcomes } = this.#metric
    for (const [index, outcome] of outcomes.entries()) {
      const place = [...this.#at, 'outcomes', index]
      if (outcome === OTHER_OUTCOME_NAME) {
        const right = `leave it out: outcomes that are not named are ${OTHER_OUTCOME_NAME}`
        this.#locator.value(place, `the name ${outcome} is kept`, right)
      } else if (outcomes.indexOf(outcome) < index) {
        this.#locator.value(place, `outcome ${outcome} stands here twice`, 'keep one of the two')
      }
    }
    if (outcomes.length > maxOutcomes) {
      const right = `name at most ${maxOutcomes}; the others are ${OTHER_OUTCOME_NAME}`
      this.#locator.value([...this.#at, 'outcomes'], `${outcomes.length} outcomes`, right)
    }
  }

  dedup(): void {
    const { dedup, outcomes } = this.#metric
    if (dedup === undefined) return
    this.#needsUser([...this.#at, 'dedup'], 'dedup')
    if (dedup.keep !== 'best') return
    const place = [...this.#at, 'dedup', 'keep']
    if (outcomes.length === 0) {
      const right = 'name them, worst first: outcomes: [fail, success]'
      this.#locator.value(place, 'best needs the order of the outcomes', right)
    }
    this.#needsOutcome(place, 'keep: best')
  }

  aggregates(): void {
    const seen = new Set<string>()
    for (const [index, document] of this.#metric.aggregates.entries()) {
      const aggregate = resolveAggregate(document)
      const place = [...this.#at, 'aggregates', index]
      if (seen.has(aggregate.name)) {
        const right = 'keep one of the two, or give one another name'
        this.#locator.value(place, `aggregate ${aggregate.name} stands here twice`, right)
      }
      seen.add(aggregate.name)
      this.#aggregate(aggregate, place)
    }
  }

  series(): void {
    const dimensions = this.#metric.dimensions
      .map((one) => resolveDimension(one).name)
      .filter((name) => name !== outcomeDimension)
    for (const [index, values] of this.#metric.series.entries()) {
      const place = [...this.#at, 'series', index]
      for (const key of Object.keys(values)) {
        if (dimensions.includes(key)) continue
        const right = suggestion(key, dimensions)
        this.#locator.key([...place, key], `${key} is no dimension of this metric`, right)
      }
      for (const name of dimensions) {
        if (Object.hasOwn(values, name) || name in values) continue
        this.#locator.value(place, `the series has no ${name}`, `add ${name}: <value>`)
      }
    }
    const { maxSeries, series } = this.#metric
    if (series.length > maxSeries) {
      const right = `raise maxSeries (${maxSeries})`
      this.#locator.value([...this.#at, 'series'], `${series.length} series`, right)
    }
  }

  #aggregate(aggregate: AggregateConfig, place: Place): void {
    switch (aggregate.kind) {
      case 'users':
        this.#needsUser(place, 'users')
        return
      case 'rate':
        this.#rate(aggregate, place)
        return
      case 'min':
      case 'max':
        if (this.#metric.dedup !== undefined && !countsByArrival(this.#metric.dedup)) {
          this.#locator.value(
            place,
            `${aggregate.kind} cannot be withdrawn when a better event of the same user comes (keep: ${this.#metric.dedup.keep})`,
            `leave dedup out, or put ${aggregate.kind} into a metric of its own without it`,
          )
        }
        if (this.#metric.accumulation === 'discarding') {
          this.#locator.value(
            place,
            `${aggregate.kind} of what is new since the last point is not known (accumulation: discarding)`,
            `write accumulating, or put ${aggregate.kind} into a metric of its own`,
          )
        }
        this.#legalField(aggregate.field, place)
        return
      case 'sum':
      case 'avg':
        this.#legalField(aggregate.field, place)
        return
      default:
    }
  }

  #rate(aggregate: Extract<AggregateConfig, { readonly kind: 'rate' }>, place: Place): void {
    const key = aggregate.raw ? 'rawRate' : 'rate'
    const { outcomes } = this.#metric
    this.#needsOutcome(place, key)
    if (outcomes.length === 0) {
      const right = 'name them, worst first: outcomes: [fail, success]'
      this.#locator.value(place, `${key} needs the outcomes of the metric`, right)
      return
    }
    for (const list of ['success', 'of'] as const) {
      for (const [index, outcome] of (aggregate[list] ?? []).entries()) {
        const isNamed = outcomes.includes(outcome)
        if (isNamed && (aggregate.of?.includes(outcome) ?? true)) continue
        this.#locator.value(
          [...place, key, list, index],
          isNamed ? `${outcome} is a success but not in "of"` : `outcome ${outcome} is not known`,
          isNamed ? 'add it to "of", or leave "of" out' : suggestion(outcome, outcomes),
        )
      }
    }
  }

  #legalField(field: string, place: Place): void {
    if (legalTagName.test(field)) return
    const right = 'give it a name of A-Z a-z 0-9 . _ / -: { field: …, path: … }'
    this.#locator.value(place, `${field} is not a legal name`, right)
  }

  #needsUser(place: Place, what: string): void {
    if (this.#event === undefined || this.#event.user !== undefined) return
    const right = 'say in the source who did it: event: { user: userId }'
    this.#locator.key(place, `${what} needs to know the user`, right)
  }

  #needsOutcome(place: Place, what: string): void {
    if (this.#event === undefined || this.#event.outcome !== undefined) return
    const right = 'say in the source how an event ended: event: { outcome: status }'
    this.#locator.value(place, `${what} needs to know the outcome`, right)
  }
}
