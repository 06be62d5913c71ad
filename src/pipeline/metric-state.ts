import type { EmissionLayout } from '../aggregate/live-window.ts'
import type { WindowOperatorState } from '../aggregate/window-operator.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { MetricLane, MetricTotals } from './metric-lane.ts'
import { restoreTime, type SavedTime, saveTime } from './saved-time.ts'

/*
 * Keys of one metric, all under `metric/<name>/`:
 *   series/<first id>            new series since the checkpoint before, JSON
 *   seen/<block>                 when series were seen, f64 cells
 *   windows                      live windows, slices, spans of missing records and totals, JSON
 *   said/<window>/<block>        what was emitted, f64 cells
 *   cells/<slice>/<block>        counts, f64 cells
 *   keys/<slice>/<checkpoint>    new or changed dedup entries, a blob
 */

interface WindowsState {
  readonly windows: WindowOperatorState['windows']
  readonly slices: readonly number[]
  readonly missing: readonly { readonly from: SavedTime; readonly to: SavedTime }[]
  readonly goneThrough: SavedTime
  readonly partialWindows: number
  readonly totals: MetricTotals
  /** Of the rows under `said/`. */
  readonly emissionLayout: EmissionLayout
}

/** After every key that starts with `prefix`. */
export const prefixEnd = (prefix: string): string => `${prefix}\uffff`

const prefixOf = (metric: string): string => `metric/${metric}/`
const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0')
/** Times before 1970 keep their order too. */
const timeKey = (time: number): string => hex(time + 2 ** 52, 14)

const removeUnder = (prefix: string): StateOperation => ({
  kind: 'remove-range',
  from: prefix,
  to: prefixEnd(prefix),
})

/** Writes what changed in a metric since the last call. Late panes must have been flushed. */
export class MetricState {
  readonly #lane: MetricLane
  readonly #prefix: string
  #writtenSeries = 0

  constructor(lane: MetricLane) {
    this.#lane = lane
    this.#prefix = prefixOf(lane.plan.name)
  }

  /** @param checkpoint number of the checkpoint; grows */
  takeChanges(checkpoint: number): StateOperation[] {
    const operations: StateOperation[] = []
    const put = (key: string, value: Uint8Array) =>
      operations.push({ kind: 'put', key: this.#prefix + key, value })
    const { operator, dictionary, tables } = this.#lane
    for (const start of this.#lane.goneSlices.splice(0)) {
      operations.push(removeUnder(`${this.#prefix}cells/${timeKey(start)}/`))
      operations.push(removeUnder(`${this.#prefix}keys/${timeKey(start)}/`))
    }
    for (const start of this.#lane.goneWindows.splice(0)) {
      operations.push(removeUnder(`${this.#prefix}said/${timeKey(start)}/`))
    }
    if (dictionary.size > this.#writtenSeries) {
      const tuples: (readonly string[])[] = []
      for (let id = this.#writtenSeries; id < dictionary.size; id++) {
        tuples.push(dictionary.valuesOf(id))
      }
      put(`series/${hex(this.#writtenSeries, 8)}`, Buffer.from(JSON.stringify(tuples)))
      this.#writtenSeries = dictionary.size
    }
    for (const [block, bytes] of operator.seen.takeDirtyBlocks()) {
      put(`seen/${hex(block, 6)}`, bytes)
    }
    for (const window of operator.windows.values()) {
      for (const [block, bytes] of window.emissions.takeDirtyBlocks()) {
        put(`said/${timeKey(window.start)}/${hex(block, 6)}`, bytes)
      }
    }
    for (const slice of operator.slices.values()) {
      for (const [block, bytes] of slice.cells.takeDirtyBlocks()) {
        put(`cells/${timeKey(slice.start)}/${hex(block, 6)}`, bytes)
      }
    }
    for (const [start, table] of tables) {
      const blob = table.takeChanges()
      if (blob !== undefined) put(`keys/${timeKey(start)}/${hex(checkpoint, 12)}`, blob)
    }
    put('windows', Buffer.from(JSON.stringify(this.#windowsState())))
    return operations
  }

  /**
   * Puts back what the store holds; then the series that the plan declares are known too.
   * @returns false when the state knows nothing of the metric
   */
  restore(store: StateStore): boolean {
    const known = this.#load(store)
    this.#lane.operator.declareSeries()
    return known
  }

  #load(store: StateStore): boolean {
    const { operator, dictionary } = this.#lane
    const read = (part: string) =>
      store.range(`${this.#prefix}${part}/`, prefixEnd(`${this.#prefix}${part}/`))
    for (const [, value] of read('series')) {
      for (const tuple of JSON.parse(text(value)) as string[][]) dictionary.restore(tuple)
    }
    this.#writtenSeries = dictionary.size
    for (const [key, value] of read('seen')) {
      operator.seen.loadBlock(Number.parseInt(key.slice(key.lastIndexOf('/') + 1), 16), value)
    }
    const saved = store.get(`${this.#prefix}windows`)
    if (saved === undefined) return false
    const state = JSON.parse(text(saved)) as WindowsState
    operator.restore({
      ...state,
      missing: state.missing.map(({ from, to }) => ({
        from: restoreTime(from),
        to: restoreTime(to),
      })),
      goneThrough: restoreTime(state.goneThrough),
    })
    Object.assign(this.#lane.totals, state.totals)
    for (const [key, value] of read('said')) {
      const { start, block } = parseBlockKey(key)
      operator.windows.get(start)?.loadEmissions(block, value, state.emissionLayout)
    }
    for (const [key, value] of read('cells')) {
      const { start, block } = parseBlockKey(key)
      operator.slices.get(start)?.cells.loadBlock(block, value)
    }
    for (const [key, value] of read('keys')) {
      this.#lane.tableOf(parseBlockKey(key).start).load(value)
    }
    return true
  }

  #windowsState(): WindowsState {
    const { operator, totals } = this.#lane
    const { missing, goneThrough, ...state } = operator.snapshot()
    return {
      ...state,
      missing: missing.map(({ from, to }) => ({ from: saveTime(from), to: saveTime(to) })),
      goneThrough: saveTime(goneThrough),
      totals,
      emissionLayout: operator.emissionLayout,
    }
  }
}

/** Drops everything of a metric. */
export function dropMetric(name: string): StateOperation {
  return removeUnder(prefixOf(name))
}

/** Moves everything of a metric under another name. */
export function renameMetric(store: StateStore, from: string, to: string): StateOperation[] {
  const old = prefixOf(from)
  const moved = [...store.range(old, prefixEnd(old))].map(
    ([key, value]): StateOperation => ({
      kind: 'put',
      key: prefixOf(to) + key.slice(old.length),
      value,
    }),
  )
  return [...moved, removeUnder(old)]
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')

function parseBlockKey(key: string): { start: number; block: number } {
  const [start, block] = key.split('/').slice(-2)
  return {
    start: Number.parseInt(start ?? '', 16) - 2 ** 52,
    block: Number.parseInt(block ?? '', 16),
  }
}
