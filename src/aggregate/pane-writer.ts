import type { Firing, Pane } from '../core/pane.ts'
import { type MetricPlan, OTHER_OUTCOME } from '../core/plan.ts'
import type { SeriesDictionary } from '../core/series.ts'
import type { Accumulators, OutputGroup } from './accumulators.ts'
import type { EmissionLayout, LiveWindow } from './live-window.ts'
import type { SeriesSeen } from './series-seen.ts'
import type { Slice } from './slice.ts'

/** Turns what was counted into panes, and remembers per series and window what was said. */
export class PaneWriter {
  readonly layout: EmissionLayout
  readonly #plan: MetricPlan
  readonly #dictionary: SeriesDictionary
  readonly #accumulators: Accumulators
  readonly #job: string
  readonly #tags: Readonly<Record<string, string>>[][] = []
  readonly #merged: Float64Array
  readonly #discarding: boolean
  readonly #spokenOnlyByEvents: boolean

  constructor(
    plan: MetricPlan,
    dictionary: SeriesDictionary,
    accumulators: Accumulators,
    job: string,
  ) {
    this.#plan = plan
    this.#dictionary = dictionary
    this.#accumulators = accumulators
    this.#job = job
    this.#merged = new Float64Array(accumulators.stride)
    this.#discarding = plan.accumulation === 'discarding'
    this.#spokenOnlyByEvents = !plan.zeroFill.enabled
    this.layout = {
      outputs: accumulators.groups.flatMap(({ outcomeName = '', aggregates }) =>
        aggregates.map(({ name }) => `${outcomeName}/${name}`),
      ),
      cells: this.#discarding ? accumulators.stride : 0,
    }
  }

  /** A pane for every series with events, and an explicit zero for every other one that is known. */
  writeAll(
    window: LiveWindow,
    slices: readonly Slice[],
    firing: Firing,
    seen: SeriesSeen,
    panes: Pane[],
  ): void {
    this.see(slices, window, seen)
    for (let id = 0; id < this.#dictionary.size; id++) {
      this.write(window, slices, id, firing, seen, panes)
    }
  }

  /** Remembers which series had events in the window. */
  see(slices: readonly Slice[], window: LiveWindow, seen: SeriesSeen): void {
    for (const { cells } of slices) {
      const end = Math.min(cells.capacity, this.#dictionary.size)
      for (let id = 0; id < end; id++) {
        if (this.#accumulators.events(cells.data, id * cells.stride) > 0) seen.see(id, window)
      }
    }
  }

  write(
    window: LiveWindow,
    slices: readonly Slice[],
    id: number,
    firing: Firing,
    seen: SeriesSeen,
    panes: Pane[],
  ): void {
    const row = this.#merged.fill(0)
    for (const { cells } of slices) {
      const from = cells.find(id)
      if (from >= 0) this.#accumulators.merge(row, cells.data, from)
    }
    const zero = this.#accumulators.events(row, 0) === 0
    if (zero && (this.#spokenOnlyByEvents || !window.touched || !seen.isKnown(id, window))) return
    if (firing === 'late' && !zero) seen.see(id, window)
    const hasOther = this.#accumulators.eventsOf(row, 0, OTHER_OUTCOME) > 0
    const at = window.emissions.touch(id)
    const { data } = window.emissions
    const revision = data[at] as number
    if (this.#discarding && !this.#subtractEmitted(data, at, row) && revision > 0) return
    let output = at + 1
    this.#accumulators.groups.forEach((group, index) => {
      const values: Record<string, number> = {}
      const previous: Record<string, number> = {}
      for (const aggregate of group.aggregates) {
        const value = this.#accumulators.evaluate(row, 0, aggregate, group.outcome)
        const before = data[output] as number
        if (!Number.isNaN(value)) values[aggregate.name] = value
        if (revision > 0 && !Number.isNaN(before)) previous[aggregate.name] = before
        data[output++] = value
      }
      if (group.outcome === OTHER_OUTCOME && !hasOther) return
      panes.push({
        metric: this.#plan.name,
        tags: this.#tagsOf(id, index, group),
        windowStart: window.start,
        windowEnd: window.end,
        firing,
        revision,
        values,
        previous: revision > 0 ? previous : undefined,
        zero,
      })
    })
    data[at] = revision + 1
  }

  /** Leaves in `row` what was not emitted yet, remembers all of it as emitted; false when there is nothing new. */
  #subtractEmitted(data: Float64Array, at: number, row: Float64Array): boolean {
    const from = at + 1 + this.layout.outputs.length
    let changed = false
    for (let cell = 0; cell < row.length; cell++) {
      const whole = row[cell] as number
      const before = data[from + cell] as number
      changed ||= whole !== before
      row[cell] = whole - before
      data[from + cell] = whole
    }
    return changed
  }

  #tagsOf(id: number, index: number, group: OutputGroup): Readonly<Record<string, string>> {
    let perGroup = this.#tags[id]
    if (perGroup === undefined) {
      perGroup = []
      this.#tags[id] = perGroup
    }
    const known = perGroup[index]
    if (known !== undefined) return known
    const tags: Record<string, string> = {}
    const values = this.#dictionary.valuesOf(id)
    this.#plan.dimensions.forEach((dimension, position) => {
      tags[dimension.name] = values[position] ?? ''
    })
    if (group.outcomeName !== undefined) tags.outcome = group.outcomeName
    if (Object.keys(tags).length === 0) tags.job = this.#job
    perGroup[index] = tags
    return tags
  }
}
