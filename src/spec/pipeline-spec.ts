import { WardenError } from '../core/errors.ts'
import type { Pane } from '../core/pane.ts'
import type { EventPlan, JobPlan, MetricPlan } from '../core/plan.ts'
import { createDecodedBatch, type DecodedBatch, type Reject } from '../core/rows.ts'
import type { Metrics } from '../core/telemetry.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { KeyResolver } from '../enrich/key-resolver.ts'
import { createDecoder } from '../ingest/create-decoder.ts'
import type { Decoder } from '../ingest/decoder.ts'
import { isoTime } from '../ingest/event-time.ts'
import { enricherOf } from '../pipeline/lanes/create-enricher.ts'
import { type InlineLookups, InlineSource } from '../pipeline/lanes/inline-source.ts'
import { type LaneLayout, oneLane } from '../pipeline/lanes/lane-layout.ts'
import { MemoryStateStore } from '../state/memory-state-store.ts'
import { compareInOrder, compareUnordered, type Difference } from './comparison.ts'
import type { PipelineCase } from './pipeline-case.ts'
import { SpecTables } from './spec-tables.ts'
import type { TimeRow } from './window-case.ts'

const noFiles = (path: string): never => {
  throw new WardenError('config_invalid', `there is no file ${path}`)
}

/** The same in every run, so that a spec means the same everywhere. */
const hashKey = new Uint8Array(16).fill(7)

/** A spec counts nothing of its own. */
const noMetrics: Metrics = {
  counter: () => ({ add: () => {} }),
  gauge: () => ({ set: () => {}, remove: () => {} }),
  histogram: () => ({ observe: () => {} }),
}

/** Runs one pipeline case through the production decoder and lanes; undefined when it passes. */
export async function runPipelineCase(
  one: PipelineCase,
  plan: JobPlan,
  layout: LaneLayout = oneLane,
  readFile: (path: string) => string = noFiles,
): Promise<Difference | undefined> {
  const tables = new SpecTables(readFile)
  tables.set(one.tables ?? {})
  tables.check(plan.metrics)
  const run = new PipelineRun(plan, layout, tables)
  for (const row of one.input) await run.step(row)
  const expected = one.expect?.map((pane) => ({
    ...pane,
    ...(pane.windowStart === undefined ? {} : { windowStart: timeOf(pane.windowStart) }),
    ...(pane.windowEnd === undefined ? {} : { windowEnd: timeOf(pane.windowEnd) }),
  }))
  return (
    (expected && compareUnordered('expect', expected, [...run.panes.values()])) ??
    (one.late && compareInOrder('late', one.late, run.late)) ??
    (one.deadLetters && compareInOrder('deadLetters', one.deadLetters, run.deadLetters))
  )
}

class PipelineRun {
  /** The last pane of every metric, series and window. */
  readonly panes = new Map<string, object>()
  readonly late: object[] = []
  readonly deadLetters: object[] = []
  readonly #plan: JobPlan
  readonly #events: EventPlan
  readonly #metrics: readonly MetricPlan[]
  readonly #store = new MemoryStateStore()
  readonly #offsets = new Map<number, number>()
  #now: EpochMs = epochMs(0)
  /** Wall clock for the guard against times in the future: none until a row says one. */
  #wallClock = Number.POSITIVE_INFINITY
  readonly #layout: LaneLayout
  readonly #tables: SpecTables
  readonly #batch: DecodedBatch
  #source: InlineSource
  /** One per lane. */
  #decoders: readonly Decoder[] = []

  constructor(plan: JobPlan, layout: LaneLayout, tables: SpecTables) {
    const [events, ...others] = plan.sources
    if (events === undefined || others.length > 0) {
      throw new WardenError('config_invalid', 'the pipeline of a spec has exactly one source')
    }
    this.#plan = plan
    this.#events = events
    this.#metrics = plan.metrics.filter((metric) => metric.source === events.source)
    this.#layout = layout
    this.#tables = tables
    const columns = this.#metrics.map((metric) => metric.values.length)
    this.#batch = createDecodedBatch(16, columns)
    this.#source = this.#build()
  }

  async step(row: PipelineCase['input'][number]): Promise<void> {
    if ('event' in row || 'raw' in row) this.#event(row)
    else if ('tables' in row) this.#tables.set(row.tables)
    else await this.#time(row as TimeRow)
    const { windows } = this.#source
    windows.flushLate()
    for (const pane of windows.takePanes()) {
      const tags = Object.entries(pane.tags).sort(([a], [b]) => (a < b ? -1 : 1))
      this.panes.set(JSON.stringify([pane.metric, pane.windowStart, tags]), shown(pane))
    }
    for (const event of windows.takeLate()) this.late.push({ ...event, ts: event.time })
  }

  #event(
    row: Extract<
      PipelineCase['input'][number],
      { readonly event: unknown } | { readonly raw: string }
    >,
  ): void {
    const partition = row.partition ?? 0
    if (row.procTime !== undefined) {
      this.#wallClock = timeOf(row.procTime)
      if (this.#wallClock > this.#now) this.#moveTo(this.#wallClock)
    }
    const offset = this.#offsets.get(partition) ?? 0
    this.#offsets.set(partition, offset + 1)
    this.#source.addPartition(partition, this.#now)
    const text = 'raw' in row ? row.raw : JSON.stringify(row.event)
    const bytes = Buffer.from(text.replaceAll(/\r?\n/g, ' '))
    const recordTimestamp = row.kafkaTimestamp === undefined ? 0 : timeOf(row.kafkaTimestamp)
    this.#decoders[partition % this.#decoders.length]?.decode(
      {
        partition,
        framing: 'lines',
        bytes,
        fromOffset: offset,
        nextOffset: offset + 1,
        recordTimestamp: epochMs(recordTimestamp),
        aborted: [],
      },
      epochMs(this.#wallClock),
      this.#batch,
    )
    for (const reject of this.#batch.rejects) this.deadLetters.push(deadLetter(reject, partition))
    this.#source.apply(this.#batch, String(partition), this.#now)
  }

  async #time(row: TimeRow): Promise<void> {
    if ('watermark' in row) this.#source.advancePartition(row.partition, row.watermark, this.#now)
    else if ('idle' in row) this.#source.setIdle(row.partition, row.idle, this.#now)
    else if ('removed' in row) {
      this.#offsets.delete(row.partition)
      this.#source.removePartition(row.partition, this.#now)
    } else if ('added' in row) {
      this.#offsets.set(row.partition, this.#offsets.get(row.partition) ?? 0)
      this.#source.addPartition(row.partition, this.#now)
    } else if ('advanceProcessingTime' in row) this.#moveTo(this.#now + row.advanceProcessingTime)
    else await this.#restore()
  }

  #moveTo(now: number): void {
    this.#now = epochMs(now)
    this.#source.tick(this.#now)
  }

  async #restore(): Promise<void> {
    const positions = [...this.#offsets].map(([index, offset]) => ({
      index,
      name: String(index),
      position: { offset, identity: '' },
    }))
    await this.#store.commit(this.#source.checkpoint(positions, this.#now))
    this.#source = this.#build()
    this.#source.resume(Number, this.#now)
    // What was idle is so again by the first fetch; in a spec that is at once.
    this.#source.tick(this.#now)
  }

  #lookups(): InlineLookups | undefined {
    const createEnricher = enricherOf(this.#metrics, hashKey, noMetrics)
    return (
      createEnricher && {
        createEnricher,
        createResolver: (windows) => new KeyResolver(windows, new Map(), noMetrics),
        known: (table, key) => this.#tables.answer(table, key),
      }
    )
  }

  #build(): InlineSource {
    const source = new InlineSource({
      job: this.#plan.job,
      plan: this.#events,
      metrics: this.#metrics,
      layout: this.#layout,
      store: this.#store,
      lookups: this.#lookups(),
    })
    this.#decoders = Array.from({ length: this.#layout.lanes }, (_, lane) =>
      createDecoder('json-walk', {
        event: this.#events,
        metrics: this.#metrics,
        dictionaries: source.dictionariesOf(lane),
        hashKey,
      }),
    )
    return source
  }
}

function shown(pane: Pane): object {
  const { metric, tags, windowStart, windowEnd, values, revision, firing } = pane
  return { metric, tags, windowStart, windowEnd, values, revision, firing }
}

function deadLetter(reject: Reject, partition: number): object {
  const { reason, detail, metric, offset } = reject
  return { reason, detail, metric, partition, offset, raw: Buffer.from(reject.bytes).toString() }
}

/** @throws WardenError for a text that is no time */
function timeOf(time: number | string): number {
  const at = typeof time === 'number' ? time : isoTime(Buffer.from(time), 0, time.length)
  if (Number.isNaN(at)) throw new WardenError('config_invalid', `${time} is not a time`)
  return at
}
