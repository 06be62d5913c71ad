import type { EventPlan, MetricPlan } from '../../core/plan.ts'
import { needsOutcome, needsUser } from '../../core/plan.ts'
import { JsonPaths } from '../json-paths.ts'
import { pathsRead } from '../paths-read.ts'
import { fieldConditions, WasmConditions } from './wasm-conditions.ts'
import type { DecoderExports } from './wasm-engine.ts'
import type { WasmViews } from './wasm-views.ts'

const FORMATS = { auto: 0, 'epoch-s': 1, 'epoch-ms': 2, iso8601: 3, record: 4 } as const
const MULTIPLIERS = 64

/** What a source's config reads, written into a module's memory. */
export class WasmProgram {
  readonly conditions: WasmConditions
  /** Addresses of the metrics. */
  readonly metrics: readonly number[]
  readonly #exports: DecoderExports
  readonly #views: WasmViews
  readonly #paths: JsonPaths
  /** Conditions on one field come first behind a symbol, then the outcome codes of the metrics. */
  readonly #outcomeAnswers: number

  constructor(
    exports: DecoderExports,
    views: WasmViews,
    event: EventPlan,
    metrics: readonly MetricPlan[],
  ) {
    this.#exports = exports
    this.#views = views
    this.#paths = new JsonPaths(pathsRead(event, metrics))
    const leaves =
      fieldConditions(event.where) +
      metrics.reduce((sum, { where }) => sum + fieldConditions(where), 0)
    this.#outcomeAnswers = leaves + (leaves & 1)
    exports.makeSymbols(this.#outcomeAnswers + metrics.length * 2)
    exports.makeSlots(this.#paths.size)
    this.#addPaths()
    this.conditions = new WasmConditions(exports, views, (path) => this.#paths.slot(path))
    const { format, path } = event.time
    const slot = format === 'record' ? -1 : this.#paths.slot(path)
    const where = this.conditions.add(event.where)
    exports.makeEvent(FORMATS[format], slot, where, event.minEventTime, event.maxFutureSkew)
    exports.makeMetrics(metrics.length)
    this.metrics = metrics.map((metric, index) => this.#addMetric(metric, index, event))
  }

  /** Sets the multipliers of the hash tables: 64 secret bits each. */
  seed(next: () => { readonly high: number; readonly low: number }): void {
    const { u32 } = this.#views
    const at = this.#exports.multipliers.value >>> 2
    for (let k = 0; k < MULTIPLIERS; k++) {
      const { high, low } = next()
      u32[at + 2 * k] = low
      u32[at + 2 * k + 1] = high
    }
  }

  #addPaths(): void {
    const exports = this.#exports
    const paths = this.#paths
    const nodes = paths.slotsBelow.map((_, node) =>
      node === 0 ? exports.root.value : exports.makeNode(),
    )
    for (const { node, key, slot, below } of paths.entries) {
      const resets = paths.slotsBelow[below] ?? []
      const made = exports.makeEntry(
        nodes[node] as number,
        this.#views.keep(key),
        key.length,
        slot,
        nodes[below] ?? 0,
        resets.length,
      )
      for (const reset of resets) exports.makeReset(made, reset)
    }
  }

  #addMetric(metric: MetricPlan, index: number, event: EventPlan): number {
    const exports = this.#exports
    const paths = this.#paths
    const withUser = needsUser(metric)
    const withOutcome = needsOutcome(metric)
    const made = exports.makeMetric(
      this.conditions.add(metric.where),
      metric.dimensions.length,
      withUser ? 1 : 0,
      withUser && event.user !== undefined ? paths.slot(event.user) : -1,
      withOutcome ? 1 : 0,
      withOutcome && event.outcome !== undefined ? paths.slot(event.outcome) : -1,
      this.#outcomeAnswers + index * 2,
      metric.values.length,
    )
    for (const [at, { path, missing }] of metric.dimensions.entries()) {
      const text = missing === undefined ? undefined : new TextEncoder().encode(missing)
      const standIn = text === undefined ? 0 : this.#views.keep(text)
      exports.makeDimension(made, at, paths.slot(path), standIn, text?.length ?? 0)
    }
    for (const [at, { path }] of metric.values.entries()) {
      exports.makeValue(made, at, paths.slot(path))
    }
    return made
  }
}
