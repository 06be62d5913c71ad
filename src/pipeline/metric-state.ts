import type { EmissionLayout } from '../aggregate/live-window.ts'
import type { WindowOperatorState } from '../aggregate/window-operator.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import { fixedChanges, restoreFixed } from './fixed-state.ts'
import type { MetricTotals } from './lanes/lane-messages.ts'
import type { MetricWindows } from './metric-windows.ts'
import { restoreTime, type SavedTime, saveTime } from './saved-time.ts'

/*
 * Keys of one metric, all under `metric/<name>/`:
 *   series/<first id>            new series since the checkpoint before, JSON
 *   seen/<block>                 when series were seen, f64 cells
 *   windows                      live windows, slices, spans of missing records and totals, JSON
 *   said/<window>/<block>        what was emitted, f64 cells
 *   cells/<slice>/<block>        counts, f64 cells
 *   keys/<slice>/<checkpoint>/<layout>/<lane>.<n>   new or changed dedup entries of one lane, blobs
 *   fixed/<slice>/<checkpoint>.<n>   what keys stand for in a slice, JSON; see `fixed-state.ts`
 */

interface WindowsState {
  readonly windows: WindowOperatorState['windows']
  readonly slices: readonly number[]
  readonly missing: readonly { readonly from: SavedTime; readonly to: SavedTime }[]
  readonly goneThrough: SavedTime
  readonly partialWindows: number
  /** Starts of the buckets of users that are remembered over windows; their entries lie under `keys/` in place of slices. */
  readonly buckets?: readonly number[]
  readonly totals: MetricTotals
  /** Of the rows under `said/`. */
  readonly emissionLayout: EmissionLayout
}

/** New or changed dedup entries, and who knew them. */
export interface SavedKeys {
  readonly slice: number
  /** How the lanes were arranged then; see `LaneLayout`. */
  readonly layout: string
  readonly lane: number
  readonly bytes: Uint8Array
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
  readonly #windows: MetricWindows
  readonly #prefix: string
  #writtenSeries = 0

  constructor(windows: MetricWindows) {
    this.#windows = windows
    this.#prefix = prefixOf(windows.plan.name)
  }

  /** @param checkpoint number of the checkpoint; grows. @param layout of the lanes, as in `SavedKeys` */
  takeChanges(checkpoint: number, layout: string): StateOperation[] {
    const operations: StateOperation[] = []
    const put = (key: string, value: Uint8Array) =>
      operations.push({ kind: 'put', key: this.#prefix + key, value })
    const { operator, dictionary } = this.#windows
    const { horizon, backend } = this.#windows.plan
    for (const start of this.#windows.takeGoneBuckets()) {
      operations.push(removeUnder(`${this.#prefix}keys/${timeKey(start)}/`))
    }
    for (const start of this.#windows.goneSlices.splice(0)) {
      operations.push(removeUnder(`${this.#prefix}cells/${timeKey(start)}/`))
      if (backend?.type === 'redis') this.#windows.goneClaims.push(start)
      if (horizon !== undefined) continue
      operations.push(removeUnder(`${this.#prefix}keys/${timeKey(start)}/`))
    }
    for (const start of this.#windows.goneWindows.splice(0)) {
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
    const blobs = this.#windows.blobs.filter(({ slice }) => this.#windows.remembers(slice))
    this.#windows.blobs = []
    for (const [n, { slice, lane, bytes }] of blobs.entries()) {
      const part = `${layout}/${hex(lane, 4)}.${hex(n, 8)}`
      put(`keys/${timeKey(slice)}/${hex(checkpoint, 12)}/${part}`, bytes)
    }
    put('windows', Buffer.from(JSON.stringify(this.#windowsState())))
    return operations.concat(fixedChanges(this.#windows, this.#prefix, checkpoint))
  }

  /**
   * Puts back what the store holds; then the series that the plan declares are known too.
   * @returns false when the state knows nothing of the metric
   */
  restore(store: StateStore): boolean {
    const known = this.#load(store)
    this.#windows.operator.declareSeries()
    return known
  }

  #load(store: StateStore): boolean {
    const { operator, dictionary } = this.#windows
    const read = (part: string) => this.#read(store, part)
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
    Object.assign(this.#windows.totals, state.totals)
    for (const start of state.buckets ?? []) this.#windows.buckets.add(start)
    restoreFixed(this.#windows, this.#prefix, store)
    for (const [key, value] of read('said')) {
      const { start, block } = parseBlockKey(key)
      operator.windows.get(start)?.loadEmissions(block, value, state.emissionLayout)
    }
    for (const [key, value] of read('cells')) {
      const { start, block } = parseBlockKey(key)
      operator.slices.get(start)?.cells.loadBlock(block, value)
    }
    return true
  }

  /** Dedup entries in the order they were written, for the lanes; what is newer replaces what is older. */
  *savedKeys(store: StateStore): Iterable<SavedKeys> {
    for (const [key, bytes] of this.#read(store, 'keys')) {
      const [start, , layout, origin] = key.slice(`${this.#prefix}keys/`.length).split('/')
      const slice = Number.parseInt(start ?? '', 16) - 2 ** 52
      const lane = Number.parseInt(origin ?? '', 16)
      yield { slice, layout: layout ?? '', lane, bytes }
    }
  }

  #read(store: StateStore, part: string): Iterable<readonly [string, Uint8Array]> {
    return store.range(`${this.#prefix}${part}/`, prefixEnd(`${this.#prefix}${part}/`))
  }

  #windowsState(): WindowsState {
    const { operator, totals, buckets } = this.#windows
    const { missing, goneThrough, ...state } = operator.snapshot()
    return {
      ...state,
      missing: missing.map(({ from, to }) => ({ from: saveTime(from), to: saveTime(to) })),
      goneThrough: saveTime(goneThrough),
      totals,
      ...(buckets.size === 0 ? {} : { buckets: [...buckets] }),
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
