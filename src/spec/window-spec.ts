import type { Pane } from '../core/pane.ts'
import type { EventPlan, MetricPlan } from '../core/plan.ts'
import { createDecodedBatch, type LateEvent, resetDecodedBatch } from '../core/rows.ts'
import { durationMs, type EpochMs, epochMs } from '../core/time.ts'
import { InlineSource } from '../pipeline/lanes/inline-source.ts'
import { type LaneLayout, oneLane } from '../pipeline/lanes/lane-layout.ts'
import { MemoryStateStore } from '../state/memory-state-store.ts'
import { compareGroups, compareInOrder, type Difference } from './comparison.ts'
import type { TimeRow, WindowCase, WindowConfig } from './window-case.ts'

const source = 'spec'
const never = durationMs(Number.POSITIVE_INFINITY)

/** Runs one window case through the production lanes; undefined when it passes. */
export async function runWindowCase(
  one: WindowCase,
  layout: LaneLayout = oneLane,
): Promise<Difference | undefined> {
  const run = new WindowRun(one.config, layout)
  for (const [index, row] of one.input.entries()) {
    const trouble = await run.step(row)
    if (trouble !== undefined) return { at: `input[${index}]`, ...trouble }
    const difference = run.compareWatermarks(one, index)
    if (difference !== undefined) return difference
  }
  const ignoreBefore = one.config.ignoreWindowsStartingBefore ?? Number.NEGATIVE_INFINITY
  const kept = <T extends { readonly windowStart: number }>(panes: readonly T[]) =>
    panes.filter((pane) => pane.windowStart >= ignoreBefore)
  const text = (pane: { readonly key: string | number }) => ({ ...pane, key: String(pane.key) })
  if (one.expect !== undefined) {
    const groups = run.groups.map(kept).filter((group) => group.length > 0)
    const expected = kept(one.expect).map(text)
    const optional = kept(one.optionalExpect ?? []).map(text)
    const difference = compareGroups('expect', expected, optional, groups)
    if (difference !== undefined) return difference
  }
  if (one.late === undefined) return undefined
  const late = one.late.map((event) =>
    event.key === undefined ? event : { ...event, key: String(event.key) },
  )
  return compareInOrder('late', late, run.late)
}

interface SpecPane {
  readonly key: string
  readonly windowStart: number
  readonly windowEnd: number
  readonly value: number
  readonly firing: string
  readonly retracts: number | undefined
}

class WindowRun {
  /** Panes by step and window end. */
  readonly groups: SpecPane[][] = []
  readonly late: { key: string; ts: number; value: number }[] = []
  readonly #config: WindowConfig
  readonly #metrics: readonly MetricPlan[]
  readonly #events: EventPlan
  readonly #store = new MemoryStateStore()
  readonly #partitions: Set<number>
  #now: EpochMs = epochMs(0)
  readonly #layout: LaneLayout
  #source: InlineSource
  #offset = 0

  constructor(config: WindowConfig, layout: LaneLayout) {
    this.#layout = layout
    this.#config = config
    this.#metrics = metricPlans(config)
    this.#events = eventPlan(config)
    this.#partitions = new Set(config.partitions ?? [0])
    this.#source = this.#build()
    for (const partition of this.#partitions) this.#source.addPartition(partition, this.#now)
  }

  async step(
    row: WindowCase['input'][number],
  ): Promise<{ expected: unknown; actual: unknown } | undefined> {
    if ('ts' in row) {
      const partition = row.partition ?? 0
      if (!this.#partitions.has(partition)) {
        return { expected: `a partition of ${[...this.#partitions].join(', ')}`, actual: row }
      }
      if (row.procTime !== undefined && row.procTime > this.#now) this.#moveTo(row.procTime)
      this.#event(partition, row.ts, String(row.key), row.value ?? 1, row.procTime)
    } else await this.#time(row)
    const { windows } = this.#source
    windows.flushLate()
    this.#collect(windows.takePanes(), windows.takeLate())
    return undefined
  }

  compareWatermarks(one: WindowCase, index: number): Difference | undefined {
    for (const wanted of one.expectWatermarks ?? []) {
      if (wanted.afterInput !== index) continue
      const { combined, idle } = this.#source.windows.tracker
      const actual = { watermark: Number.isFinite(combined) ? combined : null, idle }
      const at = `expectWatermarks after input[${index}]`
      if (wanted.watermark !== undefined && wanted.watermark !== actual.watermark) {
        return { at, expected: wanted, actual }
      }
      if (wanted.idle !== undefined && wanted.idle !== idle) return { at, expected: wanted, actual }
    }
    return undefined
  }

  async #time(row: TimeRow): Promise<void> {
    if ('watermark' in row) this.#source.advancePartition(row.partition, row.watermark, this.#now)
    else if ('idle' in row) this.#source.setIdle(row.partition, row.idle, this.#now)
    else if ('removed' in row) {
      this.#partitions.delete(row.partition)
      this.#source.removePartition(row.partition, this.#now)
    } else if ('added' in row) {
      this.#partitions.add(row.partition)
      this.#source.addPartition(row.partition, this.#now)
    } else if ('advanceProcessingTime' in row) this.#moveTo(this.#now + row.advanceProcessingTime)
    else await this.#restore()
  }

  #moveTo(now: number): void {
    this.#now = epochMs(now)
    // A silent partition counts as proved to stand at its end.
    this.#source.tick(this.#now)
  }

  #event(
    partition: number,
    at: number,
    key: string,
    value: number,
    procTime: number | undefined,
  ): void {
    const skew = this.#config.maxFutureSkewMs
    if (typeof skew === 'number' && at > (procTime ?? this.#now) + skew) return
    const batch = createDecodedBatch(
      1,
      this.#metrics.map((metric) => metric.values.length),
    )
    resetDecodedBatch(batch, partition)
    batch.length = 1
    batch.time[0] = at
    batch.maxTime = at
    batch.offset[0] = this.#offset++
    const dictionaries = this.#source.dictionariesOf(partition)
    for (const [index, rows] of batch.metrics.entries()) {
      rows.length = 1
      rows.series[0] = dictionaries[index]?.idOf([key]) ?? 0
      for (const column of rows.values) column[0] = value
    }
    this.#source.apply(batch, String(partition), this.#now)
  }

  #collect(panes: readonly Pane[], late: readonly LateEvent[]): void {
    let group: SpecPane[] = []
    for (const pane of panes) {
      if (group.length > 0 && group[0]?.windowEnd !== pane.windowEnd) {
        this.groups.push(group)
        group = []
      }
      group.push({
        key: pane.tags.key ?? '',
        windowStart: pane.windowStart,
        windowEnd: pane.windowEnd,
        value: pane.values.value ?? Number.NaN,
        firing: pane.firing,
        retracts: pane.previous?.value,
      })
    }
    if (group.length > 0) this.groups.push(group)
    for (const event of late) {
      const value = event.values[0] ?? Number.NaN
      this.late.push({ key: event.tags.key ?? '', ts: event.time, value })
    }
  }

  /** Stops, and goes on from the checkpoint. */
  async #restore(): Promise<void> {
    const positions = [...this.#partitions].map((index) => ({
      index,
      name: String(index),
      position: { offset: 0, identity: '' },
    }))
    await this.#store.commit(this.#source.checkpoint(positions, this.#now))
    this.#source = this.#build()
    this.#source.resume(Number, this.#now)
    // What was idle is so again by the first fetch; in a spec that is at once.
    this.#source.tick(this.#now)
  }

  #build(): InlineSource {
    return new InlineSource({
      job: source,
      plan: this.#events,
      metrics: this.#metrics,
      layout: this.#layout,
      store: this.#store,
    })
  }
}

function eventPlan(config: WindowConfig): EventPlan {
  const explicit = config.watermarks === 'explicit'
  return {
    source,
    time: { path: ['ts'], format: 'epoch-ms' },
    user: undefined,
    outcome: undefined,
    outcomeNames: new Map(),
    where: undefined,
    minEventTime: epochMs(Number.MIN_SAFE_INTEGER),
    maxFutureSkew: never,
    watermark: {
      // Rows carry the watermarks: events must not move them.
      outOfOrderness: explicit ? never : durationMs(config.outOfOrdernessMs ?? 0),
      idleTimeout: typeof config.idleMs === 'number' ? durationMs(config.idleMs) : never,
      maxDrift: never,
    },
  }
}

function metricPlans(config: WindowConfig): readonly MetricPlan[] {
  if (config.windowSizeMs === null) return []
  const sizeMs = durationMs(config.windowSizeMs)
  const aggregate =
    (config.agg ?? 'sum') === 'sum'
      ? ({ kind: 'sum', name: 'value', value: 0 } as const)
      : ({ kind: 'count', name: 'value' } as const)
  return [
    {
      name: 'spec',
      source,
      where: undefined,
      dimensions: [{ name: 'key', path: ['key'], missing: undefined }],
      splitByOutcome: false,
      outcomes: [],
      values: [{ name: 'value', path: ['value'] }],
      keep: undefined,
      window: {
        sizeMs,
        slideMs: durationMs(config.slideMs ?? sizeMs),
        alignment:
          config.timezone === undefined
            ? { kind: 'offset', offsetMs: config.offsetMs ?? 0 }
            : { kind: 'zone', timezone: config.timezone },
      },
      allowedLateness: durationMs(config.allowedLatenessMs ?? 0),
      accumulation: config.accumulation ?? 'accumulating',
      earlyAfter:
        typeof config.earlyAfterFirstInPaneMs === 'number'
          ? durationMs(config.earlyAfterFirstInPaneMs)
          : undefined,
      aggregates: [aggregate],
      zeroFill: { enabled: false, expireAfter: durationMs(0), whenSilent: 'gap' },
      emitPartial: true,
      declaredSeries: [],
      maxSeries: 1_000_000,
    },
  ]
}
