import {
  type AggregatePlan,
  type MetricPlan,
  OTHER_OUTCOME,
  OTHER_OUTCOME_NAME,
} from '../core/plan.ts'

const valueCells = 4
const sumCell = 0
const countCell = 1
const minCell = 2
const maxCell = 3

/** What one pane of a series holds: aggregates under one outcome, or under none. */
export interface OutputGroup {
  /** Outcome code; undefined: over all outcomes. */
  readonly outcome: number | undefined
  readonly outcomeName: string | undefined
  readonly aggregates: readonly AggregatePlan[]
}

/**
 * What is counted per series and slice, as a row of numbers: events per outcome, kept events per outcome, distinct users,
 * and sum, count, minimum and maximum per value (and outcome, where the metric splits by it). Rows of slices add up to
 * the row of their window.
 */
export class Accumulators {
  readonly stride: number
  readonly groups: readonly OutputGroup[]
  /** A row in which nothing was counted yet: what `add…` works on. */
  readonly blank: Float64Array
  readonly #outcomes: number
  readonly #values: number
  readonly #split: boolean
  readonly #dedup: boolean
  readonly #users: number
  readonly #firstValue: number
  readonly #rates: ReadonlyMap<AggregatePlan, RateCodes>

  constructor(plan: MetricPlan) {
    this.#outcomes = plan.outcomes.length + 1
    this.#values = plan.values.length
    this.#split = plan.splitByOutcome
    this.#dedup = plan.keep !== undefined
    this.#users = this.#outcomes * 2
    this.#firstValue = this.#users + 1
    this.stride = this.#firstValue + (this.#split ? this.#outcomes : 1) * this.#values * valueCells
    this.groups = outputGroups(plan)
    this.blank = new Float64Array(this.stride)
    for (let at = this.#firstValue; at < this.stride; at += valueCells) {
      this.blank[at + minCell] = Number.POSITIVE_INFINITY
      this.blank[at + maxCell] = Number.NEGATIVE_INFINITY
    }
    this.#rates = new Map(
      plan.aggregates.flatMap((one) => (one.kind === 'rate' ? [[one, rateCodes(one, plan)]] : [])),
    )
  }

  addEvent(cells: Float64Array, row: number, outcome: number): void {
    cells[row + outcome] = (cells[row + outcome] as number) + 1
  }

  addUser(cells: Float64Array, row: number): void {
    cells[row + this.#users] = (cells[row + this.#users] as number) + 1
  }

  /** @param users by which an estimate grew; a fraction too */
  addUsers(cells: Float64Array, row: number, users: number): void {
    cells[row + this.#users] = (cells[row + this.#users] as number) + users
  }

  /** @param sign 1 for an event that counts now, −1 for one that is withdrawn */
  addKept(cells: Float64Array, row: number, outcome: number, sign: 1 | -1): void {
    const at = row + this.#outcomes + outcome
    cells[at] = (cells[at] as number) + sign
  }

  /**
   * Values of an event that counts now (`sign` 1) or is withdrawn (−1; not for min and max). NaN is left out. More may be
   * withdrawn than was added: the row is a difference until it is added to the whole.
   */
  addValue(
    cells: Float64Array,
    row: number,
    outcome: number,
    index: number,
    value: number,
    sign: 1 | -1,
  ): void {
    if (Number.isNaN(value)) return
    const at = row + this.#valueAt(outcome, index)
    cells[at + sumCell] = (cells[at + sumCell] as number) + sign * value
    cells[at + countCell] = (cells[at + countCell] as number) + sign
    if (sign < 0) return
    if (value < (cells[at + minCell] as number)) cells[at + minCell] = value
    if (value > (cells[at + maxCell] as number)) cells[at + maxCell] = value
  }

  /** Adds a row that `add…` made to the row of its slice, which began with zeros. */
  add(into: Float64Array, intoRow: number, delta: Float64Array, row: number): void {
    for (let at = 0; at < this.#firstValue; at++) {
      into[intoRow + at] = (into[intoRow + at] as number) + (delta[row + at] as number)
    }
    for (let at = this.#firstValue; at < this.stride; at += valueCells) {
      const to = intoRow + at
      const from = row + at
      const before = into[to + countCell] as number
      const count = before + (delta[from + countCell] as number)
      into[to + countCell] = count
      // Nothing left is 0, not what rounding left of it.
      if (count === 0) {
        into[to + sumCell] = 0
        into[to + minCell] = 0
        into[to + maxCell] = 0
        continue
      }
      const low = delta[from + minCell] as number
      const high = delta[from + maxCell] as number
      into[to + sumCell] = (into[to + sumCell] as number) + (delta[from + sumCell] as number)
      into[to + minCell] = before === 0 ? low : Math.min(into[to + minCell] as number, low)
      into[to + maxCell] = before === 0 ? high : Math.max(into[to + maxCell] as number, high)
    }
  }

  /** Adds the row of one slice to the row of a window. */
  merge(into: Float64Array, cells: Float64Array, row: number): void {
    for (let at = 0; at < this.#firstValue; at++) {
      into[at] = (into[at] as number) + (cells[row + at] as number)
    }
    for (let at = this.#firstValue; at < this.stride; at += valueCells) {
      const count = cells[row + at + countCell] as number
      if (count === 0) continue
      const empty = into[at + countCell] === 0
      const low = cells[row + at + minCell] as number
      const high = cells[row + at + maxCell] as number
      into[at + sumCell] = (into[at + sumCell] as number) + (cells[row + at + sumCell] as number)
      into[at + countCell] = (into[at + countCell] as number) + count
      into[at + minCell] = empty ? low : Math.min(into[at + minCell] as number, low)
      into[at + maxCell] = empty ? high : Math.max(into[at + maxCell] as number, high)
    }
  }

  /** Events in a row, duplicates included. */
  events(cells: Float64Array, row: number): number {
    let events = 0
    for (let outcome = 0; outcome < this.#outcomes; outcome++) {
      events += cells[row + outcome] as number
    }
    return events
  }

  /** Events of one outcome in a row. */
  eventsOf(cells: Float64Array, row: number, outcome: number): number {
    return cells[row + outcome] as number
  }

  /** Value of one aggregate of a group; NaN where there is nothing to say (a rate or mean over nothing). */
  evaluate(
    cells: Float64Array,
    row: number,
    aggregate: AggregatePlan,
    outcome: number | undefined,
  ): number {
    switch (aggregate.kind) {
      case 'events':
        return this.#total(cells, row, outcome)
      case 'count':
        return this.#total(cells, row + this.#keptOffset(), outcome)
      case 'users':
        return this.#dedup
          ? this.#total(cells, row + this.#outcomes, undefined)
          : // An estimate is no whole number; people are.
            Math.round(cells[row + this.#users] as number)
      case 'rate':
        return this.#rate(cells, aggregate.raw ? row : row + this.#keptOffset(), aggregate)
      default: {
        const at = row + this.#valueAt(outcome ?? OTHER_OUTCOME, aggregate.value)
        const count = cells[at + countCell] as number
        if (aggregate.kind === 'sum') return cells[at + sumCell] as number
        if (count === 0) return Number.NaN
        if (aggregate.kind === 'avg') return (cells[at + sumCell] as number) / count
        return cells[at + (aggregate.kind === 'min' ? minCell : maxCell)] as number
      }
    }
  }

  #keptOffset(): number {
    return this.#dedup ? this.#outcomes : 0
  }

  #valueAt(outcome: number, index: number): number {
    const group = this.#split ? outcome : 0
    return this.#firstValue + (group * this.#values + index) * valueCells
  }

  #total(cells: Float64Array, row: number, outcome: number | undefined): number {
    if (outcome !== undefined) return cells[row + outcome] as number
    return this.events(cells, row)
  }

  #rate(cells: Float64Array, row: number, aggregate: AggregatePlan): number {
    const codes = this.#rates.get(aggregate)
    let success = 0
    let all = 0
    for (const code of codes?.success ?? []) success += cells[row + code] as number
    for (const code of codes?.of ?? []) all += cells[row + code] as number
    return all === 0 ? Number.NaN : success / all
  }
}

interface RateCodes {
  readonly success: readonly number[]
  readonly of: readonly number[]
}

function rateCodes(
  rate: { readonly success: readonly string[]; readonly of: readonly string[] | undefined },
  plan: MetricPlan,
): RateCodes {
  const codesOf = (names: readonly string[]) =>
    names.map((name) => plan.outcomes.indexOf(name) + 1).filter((code) => code > 0)
  const all = Array.from({ length: plan.outcomes.length + 1 }, (_, code) => code)
  return { success: codesOf(rate.success), of: rate.of === undefined ? all : codesOf(rate.of) }
}

function outputGroups(plan: MetricPlan): readonly OutputGroup[] {
  if (!plan.splitByOutcome) {
    return [{ outcome: undefined, outcomeName: undefined, aggregates: plan.aggregates }]
  }
  const whole = plan.aggregates.filter((one) => one.kind === 'users' || one.kind === 'rate')
  const split = plan.aggregates.filter((one) => one.kind !== 'users' && one.kind !== 'rate')
  const names = [OTHER_OUTCOME_NAME, ...plan.outcomes]
  return [
    ...(whole.length > 0
      ? [{ outcome: undefined, outcomeName: undefined, aggregates: whole }]
      : []),
    ...(split.length > 0
      ? names.map((outcomeName, outcome) => ({ outcome, outcomeName, aggregates: split }))
      : []),
  ]
}
