import type { HistoryPlan, JudgedMetric } from '../../core/alert-plan.ts'
import type { WindowClosing } from '../../core/evidence.ts'
import type { Pane } from '../../core/pane.ts'
import type { StateOperation, StateStore } from '../../core/state-store.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'
import { createWindowAssigner, type WindowAssigner, windowsEndingIn } from '../../core/window.ts'
import { decode, put, sortable } from '../state-json.ts'
import { SeriesNames } from './series-names.ts'
import { rowFlags, WindowBlock } from './window-block.ts'

/** Windows per metric that are kept at most, whatever `keep` says: at 1 s windows that is less than 3 h. */
const maxBlocks = 10_000

/** Aggregates that are 0 where nothing happened. */
const counting = new Set(['count', 'events', 'users', 'sum'])

/**
 * What Warden itself said of one metric: its windows as they became due, were closed and corrected. Rules compare with it, never with
 * the store that the sinks feed.
 */
export class MetricHistory {
  readonly metric: JudgedMetric
  readonly series: SeriesNames
  readonly columns: readonly string[]
  readonly #plan: HistoryPlan
  readonly #assigner: WindowAssigner
  readonly #prefix: string
  /** By end, ascending. */
  readonly #blocks: WindowBlock[] = []
  readonly #byStart = new Map<number, WindowBlock>()
  readonly #dirty = new Set<WindowBlock>()
  /** Per aggregate and series: did it ever have a value? */
  readonly #has: Set<number>[]
  /** Windows that ended until then were expected. */
  #dueEnd: EpochMs | undefined
  #dueChanged = false
  /** Start of the first window that was closed whole. */
  #firstWhole: EpochMs | undefined
  /** Windows whose numbers changed after they were closed, since the last `takeRevised`. */
  #revised = new Map<WindowBlock, Set<number>>()

  constructor(metric: JudgedMetric, plan: HistoryPlan) {
    this.metric = metric
    this.#plan = plan
    this.#assigner = createWindowAssigner(metric.window)
    this.columns = metric.aggregates.map(({ name }) => name)
    this.#has = this.columns.map(() => new Set())
    this.series = new SeriesNames(metric.name, plan.maxSeries)
    this.#prefix = `alert/window/${metric.name}/`
    for (const tags of metric.declared) this.series.declare(tags)
  }

  get blocks(): readonly WindowBlock[] {
    return this.#blocks
  }

  get firstWhole(): EpochMs | undefined {
    return this.#firstWhole
  }

  /** How the columns are counted; `other` for a name that the metric does not have. */
  kindOf(aggregate: string): string {
    return this.metric.aggregates.find(({ name }) => name === aggregate)?.kind ?? 'other'
  }

  isCounting(aggregate: string): boolean {
    return counting.has(this.kindOf(aggregate))
  }

  /** Did the series ever have a value of that column? Declared ones may have one. */
  has(series: number, column: number): boolean {
    return (
      this.#has[column]?.has(series) === true ||
      this.series.lastEnd(series) === Number.NEGATIVE_INFINITY
    )
  }

  /** What was stored under its former name is stored anew; whoever finds metrics that are gone removes the rest. */
  restore(store: StateStore): void {
    const { name, renamedFrom = name } = this.metric
    const from = store.get(`alert/metric/${name}`) === undefined ? renamedFrom : name
    const moves = from !== name
    this.series.restore(store, from)
    for (const tags of this.metric.declared) this.series.declare(tags)
    const saved = store.get(`alert/metric/${from}`)
    if (saved !== undefined) {
      const { dueEnd, firstWhole } = decode<{ dueEnd?: EpochMs; firstWhole?: EpochMs }>(saved)
      this.#dueEnd = dueEnd
      this.#firstWhole = firstWhole
      this.#dueChanged = moves
    }
    const prefix = `alert/window/${from}/`
    for (const [, value] of store.range(prefix, `${prefix}~`)) {
      const block = WindowBlock.decode(value, this.columns.length)
      this.#insert(block)
      if (moves) this.#dirty.add(block)
      for (let id = 0; id < Math.min(block.size, this.series.size); id++) {
        if (block.flag(id) === rowFlags.events) this.series.see(id, block.start, block.end)
        this.#has.forEach((has, column) => {
          if (!Number.isNaN(block.value(id, column))) has.add(id)
        })
      }
    }
  }

  /** Expects the windows that are due by now: they are there, open, if they were not closed before. */
  expect(now: EpochMs, delayMs: number): void {
    const due = now - this.metric.outOfOrdernessMs - delayMs
    if (this.#dueEnd === undefined) {
      // Windows that ended before Warden began are nothing to wait for.
      this.#dueEnd = now
      this.#dueChanged = true
      return
    }
    if (due <= this.#dueEnd) return
    const from = Math.max(this.#dueEnd, due - maxBlocks * this.metric.window.slideMs)
    for (const { start, end } of windowsEndingIn(this.#assigner, from, due)) {
      // Also one that is open: after a restart it is still waited for.
      this.#dirty.add(this.#blockOf(start, end))
      this.#dueEnd = end
      this.#dueChanged = true
    }
  }

  /** When the next window will be due. */
  nextDue(delayMs: number): number {
    if (this.#dueEnd === undefined) return Number.NEGATIVE_INFINITY
    return this.#assigner.endAfter(this.#dueEnd) + this.metric.outOfOrdernessMs + delayMs
  }

  add(pane: Pane, now: EpochMs): void {
    if (pane.firing === 'early') return
    const forget = epochMs(pane.windowEnd - this.#plan.keepMs)
    const added = this.series.add(pane.tags, forget)
    if (added.kind === 'full') return
    if (added.kind === 'reused') this.#forget(added.id)
    const block = this.#blockOf(pane.windowStart, pane.windowEnd)
    const values = this.columns.map((name) => pane.values[name] ?? Number.NaN)
    const isZero = pane.zero || this.#isNothing(pane)
    const flag = isZero ? rowFlags.zero : rowFlags.events
    if (block.kind !== 'open') this.#noteRevised(block, added.id)
    block.set(added.id, values, flag, this.series.size, now)
    values.forEach((value, column) => {
      if (!Number.isNaN(value)) this.#has[column]?.add(added.id)
    })
    this.#dirty.add(block)
    if (!isZero) this.series.see(added.id, pane.windowStart, pane.windowEnd)
  }

  #forget(id: number): void {
    for (const block of this.#blocks) block.clear(id)
    for (const has of this.#has) has.delete(id)
  }

  /** A series of one outcome has no event of it where others have. */
  #isNothing(pane: Pane): boolean {
    const counts = this.columns.filter((name) => this.isCounting(name) && name in pane.values)
    return counts.length > 0 && counts.every((name) => pane.values[name] === 0)
  }

  close(closing: WindowClosing, now: EpochMs): void {
    const block = this.#blockOf(closing.window.start, closing.window.end)
    if (block.kind !== 'open') return
    block.kind = closing.kind
    block.closedAt = now
    if (closing.kind === 'whole' && this.#firstWhole === undefined) {
      this.#firstWhole = block.start
      this.#dueChanged = true
    }
    this.#dirty.add(block)
  }

  /** Windows before one that was closed never close any more: the watermark passed them before anything of the source was seen. */
  settleSkipped(now: EpochMs): void {
    let closed = false
    for (let index = this.#blocks.length - 1; index >= 0; index--) {
      const block = this.#blocks[index]
      if (block === undefined || (closed && block.kind !== 'open')) return
      if (block.kind !== 'open') closed = true
      else if (closed) {
        block.kind = 'silent'
        block.closedAt = now
        this.#dirty.add(block)
      }
    }
  }

  /**
   * Notes which closed windows every sink has. Called before the panes of a checkpoint are added, which the sinks do not know of yet.
   * @param oldestUnwritten start of the oldest window with a point that was not acknowledged; undefined: none
   */
  noteWritten(oldestUnwritten: EpochMs | undefined, now: EpochMs): void {
    for (let index = this.#blocks.length - 1; index >= 0; index--) {
      const block = this.#blocks[index]
      if (
        block === undefined ||
        (block.writtenAt !== undefined && index < this.#blocks.length - 200)
      )
        break
      if (block.kind === 'open') continue
      const written = oldestUnwritten === undefined || block.start < oldestUnwritten
      if (written === (block.writtenAt !== undefined)) continue
      block.writtenAt = written ? now : undefined
      this.#dirty.add(block)
    }
  }

  blockAt(start: number): WindowBlock | undefined {
    return this.#byStart.get(start)
  }

  /** The blocks that end after `after`, by end. */
  after(after: number): readonly WindowBlock[] {
    return this.#blocks.slice(this.#firstAfter(after))
  }

  /** Up to `count` blocks before that one, the latest first. */
  *before(block: WindowBlock): Iterable<WindowBlock> {
    for (let index = this.#firstAfter(block.end - 1) - 1; index >= 0; index--) {
      const one = this.#blocks[index]
      if (one !== undefined && one.end < block.end) yield one
    }
  }

  takeRevised(): ReadonlyMap<WindowBlock, ReadonlySet<number>> {
    const revised = this.#revised
    this.#revised = new Map()
    return revised
  }

  takeChanges(): StateOperation[] {
    const operations = this.series.takeChanges()
    for (const block of this.#dirty) {
      const key = this.#prefix + sortable(block.start)
      operations.push({ kind: 'put', key, value: block.encode() })
    }
    this.#dirty.clear()
    if (this.#dueChanged) {
      const value = { dueEnd: this.#dueEnd, firstWhole: this.#firstWhole }
      operations.push(put(`alert/metric/${this.metric.name}`, value))
      this.#dueChanged = false
    }
    operations.push(...this.#prune())
    return operations
  }

  #prune(): StateOperation[] {
    const newest = this.#blocks.at(-1)
    if (newest === undefined) return []
    const oldest = newest.end - this.#plan.keepMs
    let gone = Math.max(0, this.#blocks.length - maxBlocks)
    while (gone < this.#blocks.length && (this.#blocks[gone]?.end ?? 0) < oldest) gone++
    if (gone === 0) return []
    const removed = this.#blocks.splice(0, gone)
    for (const block of removed) this.#byStart.delete(block.start)
    const to = this.#blocks[0]?.start ?? newest.end
    return [{ kind: 'remove-range', from: this.#prefix, to: this.#prefix + sortable(to) }]
  }

  #noteRevised(block: WindowBlock, id: number): void {
    let ids = this.#revised.get(block)
    if (ids === undefined) {
      ids = new Set()
      this.#revised.set(block, ids)
    }
    ids.add(id)
  }

  #blockOf(start: EpochMs, end: EpochMs): WindowBlock {
    const known = this.#byStart.get(start)
    if (known !== undefined) return known
    const block = new WindowBlock(start, end, this.columns.length)
    this.#insert(block)
    return block
  }

  #insert(block: WindowBlock): void {
    this.#blocks.splice(this.#firstAfter(block.end), 0, block)
    this.#byStart.set(block.start, block)
  }

  /** Index of the first block that ends after `end`. */
  #firstAfter(end: number): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#blocks[middle]?.end ?? 0) > end) high = middle
      else low = middle + 1
    }
    return low
  }
}
