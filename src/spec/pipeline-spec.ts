import { WardenError } from '../core/errors.ts'
import type { Pane } from '../core/pane.ts'
import type { EventPlan, JobPlan, MetricPlan } from '../core/plan.ts'
import { createDecodedBatch, type DecodedBatch, type Reject } from '../core/rows.ts'
import { SeriesDictionary } from '../core/series.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { createDecoder } from '../ingest/create-decoder.ts'
import type { Decoder } from '../ingest/decoder.ts'
import { isoTime } from '../ingest/event-time.ts'
import { MetricLane } from '../pipeline/metric-lane.ts'
import { MetricState } from '../pipeline/metric-state.ts'
import { SourceLane } from '../pipeline/source-lane.ts'
import { restoreSource, saveSource } from '../pipeline/source-state.ts'
import { MemoryStateStore } from '../state/memory-state-store.ts'
import { compareInOrder, compareUnordered, type Difference } from './comparison.ts'
import type { PipelineCase } from './pipeline-case.ts'
import type { TimeRow } from './window-case.ts'

/** The same in every run, so that a spec means the same everywhere. */
const hashKey = new Uint8Array(16).fill(7)

/** Runs one pipeline case through the production decoder and lanes; undefined when it passes. */
export async function runPipelineCase(
  one: PipelineCase,
  plan: JobPlan,
): Promise<Difference | undefined> {
  const run = new PipelineRun(plan)
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
  #lane: SourceLane
  #decoder: Decoder
  #states: MetricState[] = []
  #batch: DecodedBatch
  #checkpoints = 0

  constructor(plan: JobPlan) {
    const [events, ...others] = plan.sources
    if (events === undefined || others.length > 0) {
      throw new WardenError('config_invalid', 'the pipeline of a spec has exactly one source')
    }
    this.#plan = plan
    this.#events = events
    this.#metrics = plan.metrics.filter((metric) => metric.source === events.source)
    ;[this.#lane, this.#decoder, this.#batch] = this.#build()
  }

  async step(row: PipelineCase['input'][number]): Promise<void> {
    if ('event' in row || 'raw' in row) this.#event(row)
    else await this.#time(row as TimeRow)
    this.#lane.flushLate()
    for (const pane of this.#lane.takePanes()) {
      const tags = Object.entries(pane.tags).sort(([a], [b]) => (a < b ? -1 : 1))
      this.panes.set(JSON.stringify([pane.metric, pane.windowStart, tags]), shown(pane))
    }
    for (const event of this.#lane.takeLate()) this.late.push({ ...event, ts: event.time })
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
    this.#lane.tracker.add(partition, this.#now)
    const text = 'raw' in row ? row.raw : JSON.stringify(row.event)
    const bytes = Buffer.from(text.replaceAll(/\r?\n/g, ' '))
    const recordTimestamp = row.kafkaTimestamp === undefined ? 0 : timeOf(row.kafkaTimestamp)
    this.#decoder.decode(
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
    this.#lane.apply(this.#batch, String(partition), this.#now)
  }

  async #time(row: TimeRow): Promise<void> {
    if ('watermark' in row) this.#lane.advancePartition(row.partition, row.watermark, this.#now)
    else if ('idle' in row) this.#lane.setIdle(row.partition, row.idle, this.#now)
    else if ('removed' in row) {
      this.#offsets.delete(row.partition)
      this.#lane.tracker.remove(row.partition)
    } else if ('added' in row) {
      this.#offsets.set(row.partition, this.#offsets.get(row.partition) ?? 0)
      this.#lane.tracker.add(row.partition, this.#now)
    } else if ('advanceProcessingTime' in row) this.#moveTo(this.#now + row.advanceProcessingTime)
    else await this.#restore()
  }

  #moveTo(now: number): void {
    this.#now = epochMs(now)
    this.#lane.tick(this.#now, () => this.#now)
  }

  async #restore(): Promise<void> {
    const positions = [...this.#offsets].map(([index, offset]) => ({
      index,
      name: String(index),
      position: { offset, identity: '' },
    }))
    this.#checkpoints++
    await this.#store.commit([
      ...this.#states.flatMap((state) => state.takeChanges(this.#checkpoints)),
      saveSource(this.#lane, positions, { records: 0, dead: {} }),
    ])
    ;[this.#lane, this.#decoder, this.#batch] = this.#build()
    const restored = restoreSource(this.#store, this.#events.source)
    restored?.restoreWatermarks(this.#lane, Number, this.#now)
    // What was idle is so again by the first fetch; in a spec that is at once.
    this.#lane.tick(this.#now, () => this.#now)
  }

  #build(): [SourceLane, Decoder, DecodedBatch] {
    const dictionaries = this.#metrics.map((plan) => new SeriesDictionary(plan.maxSeries))
    const lanes = this.#metrics.map((plan, index) => {
      const dictionary = dictionaries[index] ?? new SeriesDictionary(plan.maxSeries)
      return new MetricLane(plan, dictionary, this.#plan.job)
    })
    this.#states = lanes.map((lane) => new MetricState(lane))
    for (const state of this.#states) state.restore(this.#store)
    const options = { event: this.#events, metrics: this.#metrics, dictionaries, hashKey }
    const columns = this.#metrics.map((metric) => metric.values.length)
    return [
      new SourceLane(this.#events, lanes),
      createDecoder('json-walk', options),
      createDecodedBatch(16, columns),
    ]
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
