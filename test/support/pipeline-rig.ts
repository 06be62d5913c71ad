import type { BatchPreparer } from '../../src/core/batch-preparer.ts'
import type { Pane } from '../../src/core/pane.ts'
import type { EventPlan, MetricPlan } from '../../src/core/plan.ts'
import { SeriesDictionary } from '../../src/core/series.ts'
import { durationMs } from '../../src/core/time.ts'
import type { ClaimServer } from '../../src/dedup/shared/claim-server.ts'
import { SharedDedup } from '../../src/dedup/shared/shared-dedup.ts'
import { KeyResolver } from '../../src/enrich/key-resolver.ts'
import type { KeyTable } from '../../src/enrich/key-table.ts'
import { createDecoder } from '../../src/ingest/create-decoder.ts'
import type { SideRecord } from '../../src/ingest/side-output.ts'
import type { CheckpointCompanion } from '../../src/pipeline/checkpoint-companion.ts'
import { Checkpointer, type CheckpointPolicy } from '../../src/pipeline/checkpointer.ts'
import { enricherOf } from '../../src/pipeline/lanes/create-enricher.ts'
import { inProcessLanes } from '../../src/pipeline/lanes/in-process-lane.ts'
import { type LaneLayout, oneLane } from '../../src/pipeline/lanes/lane-layout.ts'
import type { LaneLink } from '../../src/pipeline/lanes/lane-link.ts'
import { MetricState } from '../../src/pipeline/metric-state.ts'
import { MetricWindows } from '../../src/pipeline/metric-windows.ts'
import { Pipeline, sideOutputKeys } from '../../src/pipeline/pipeline.ts'
import { PipelineInput } from '../../src/pipeline/pipeline-input.ts'
import { PipelineMetrics } from '../../src/pipeline/pipeline-metrics.ts'
import { restoreSource } from '../../src/pipeline/source-state.ts'
import { SourceWindows } from '../../src/pipeline/source-windows.ts'
import { Outbox } from '../../src/sink/outbox.ts'
import type { DataPoint } from '../../src/sink/sink.ts'
import { BreakableStore } from './breakable-store.ts'
import { eventPlan, metricPlan } from './lane-rig.ts'
import { MemorySideOutput } from './memory-side-output.ts'
import { RecordingLogger } from './recording-logger.ts'
import { RecordingMetrics } from './recording-metrics.ts'
import { type ScriptedLog, ScriptedSource } from './scripted-source.ts'
import { settle, VirtualClock } from './virtual-clock.ts'

export interface RigOptions {
  readonly metrics?: readonly MetricPlan[]
  readonly event?: Partial<EventPlan>
  readonly checkpoint?: Partial<CheckpointPolicy>
  readonly maxDeadLetterRate?: number
  readonly outboxBytes?: number
  readonly companions?: readonly CheckpointCompanion[]
  /** What batches wait for before they are counted. */
  readonly preparers?: readonly BatchPreparer[]
  /** Holds the users of the metrics that claim them. */
  readonly claims?: ClaimServer
  /** What keys are looked up in. */
  readonly tables?: ReadonlyMap<string, KeyTable>
  /** In place of a lane in this thread that reads the log. */
  readonly lanes?: { readonly links: readonly LaneLink[]; readonly layout: LaneLayout }
}

/** Everything that outlives a pipeline: the log it reads, its state, its side outputs, and who reads the outbox. */
export class PipelineRig {
  readonly clock = new VirtualClock()
  readonly logger = new RecordingLogger()
  readonly metrics = new RecordingMetrics()
  readonly store = new BreakableStore()
  readonly dead: SideRecord[] = []
  readonly late: SideRecord[] = []
  readonly points: DataPoint[] = []
  readonly #pipelineMetrics = new PipelineMetrics(this.metrics)
  readonly #log: ScriptedLog

  constructor(log: ScriptedLog) {
    this.#log = log
  }

  /** A pipeline restored from the last checkpoint. */
  async build(options: RigOptions = {}): Promise<BuiltRig> {
    const { clock, logger, metrics, store } = this
    const telemetry = { clock, logger, metrics }
    const plans = options.metrics ?? [metricPlan()]
    const event = eventPlan(options.event)
    const windows = plans.map(
      (plan) => new MetricWindows(plan, new SeriesDictionary(plan.maxSeries), 'job'),
    )
    const states = windows.map((one) => new MetricState(one))
    const known = states.map((state) => state.restore(store))
    const source = new ScriptedSource(this.#log)
    const deadLetters = new MemorySideOutput(this.dead)
    const lateEvents = new MemorySideOutput(this.late)
    await deadLetters.restore(this.#text(sideOutputKeys.dead))
    await lateEvents.restore(this.#text(sideOutputKeys.late))
    const createDecoderFor = (dictionaries: readonly SeriesDictionary[]) =>
      createDecoder('json-walk', {
        event,
        metrics: plans,
        dictionaries,
        hashKey: new Uint8Array(16),
      })
    const input = new PipelineInput({
      windows: new SourceWindows(event, windows, options.lanes?.layout.lanes),
      states,
      lanes:
        options.lanes?.links ??
        inProcessLanes([
          {
            place: { ...oneLane, lane: 0 },
            plan: event,
            metrics: plans,
            source,
            createDecoder: createDecoderFor,
            createEnricher: enricherOf(plans, new Uint8Array(16), metrics),
            createPreparers: () => options.preparers ?? [],
            shared: plans.map(({ name, backend }) =>
              options.claims === undefined || backend?.type !== 'redis'
                ? undefined
                : new SharedDedup(
                    options.claims,
                    { job: 'job', metric: name, cacheKeys: backend.cacheKeys },
                    telemetry,
                    () => 0.5,
                  ),
            ),
            clock,
            yieldToIo: settle,
            handOverMs: 0,
          },
        ]),
      layout: options.lanes?.layout ?? oneLane,
      store,
      deadLetters,
      keys: options.tables && new KeyResolver(windows, options.tables, metrics),
      restored: restoreSource(store, 'orders'),
      newMetrics: new Set(plans.flatMap(({ name }, index) => (known[index] ? [] : [name]))),
    })
    const outbox = new Outbox(store, {
      sinks: ['sink'],
      maxBytes: options.outboxBytes ?? 2 ** 20,
    })
    const checkpointer = new Checkpointer(
      store,
      {
        intervalMs: durationMs(10_000),
        timeoutMs: durationMs(60_000),
        minPauseMs: durationMs(500),
        toleratedFailures: 3,
        ...options.checkpoint,
      },
      telemetry,
    )
    const panes: Pane[] = []
    const pipeline = new Pipeline({
      inputs: [input],
      store,
      checkpointer,
      outbox,
      points: { prefix: '', timestamp: 'start', job: 'job', incarnation: 1 },
      deadLetters,
      lateEvents,
      maxDeadLetterRate: options.maxDeadLetterRate,
      telemetry,
      metrics: this.#pipelineMetrics,
      companions: options.companions ?? [],
      sinks: () => [],
      onPanes: (committed) => panes.push(...committed),
    })
    return new BuiltRig(this, {
      pipeline,
      source,
      input,
      checkpointer,
      outbox,
      panes,
      deadLetters,
      lateEvents,
    })
  }

  /** Lets processing time go by, slowly enough for the pipeline to do what it would do meanwhile. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      for (let turn = 0; turn < 4; turn++) await settle()
      await this.clock.advance(Math.min(100, left))
    }
    for (let turn = 0; turn < 4; turn++) await settle()
  }

  /** Value per metric, series and window as the store of a sink would hold it. */
  stored(): Map<string, number> {
    return new Map(
      this.points.map(({ metric, tags, timestamp, value }) => [
        `${metric} ${tags.product} ${timestamp}`,
        value,
      ]),
    )
  }

  #text(key: string): string | undefined {
    const bytes = this.store.get(key)
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')
  }
}

interface BuiltParts {
  readonly pipeline: Pipeline
  readonly source: ScriptedSource
  readonly input: PipelineInput
  readonly checkpointer: Checkpointer
  readonly outbox: Outbox
  readonly panes: readonly Pane[]
  readonly deadLetters: MemorySideOutput
  readonly lateEvents: MemorySideOutput
}

/** One life of a pipeline, and a sink that takes at once what is durable. */
export class BuiltRig {
  readonly pipeline: Pipeline
  readonly source: ScriptedSource
  readonly input: PipelineInput
  readonly checkpointer: Checkpointer
  readonly outbox: Outbox
  readonly panes: readonly Pane[]
  readonly deadLetters: MemorySideOutput
  readonly lateEvents: MemorySideOutput
  readonly #rig: PipelineRig
  readonly #stop = new AbortController()
  #outcome: 'ended' | 'stopped' | Error | undefined

  constructor(rig: PipelineRig, parts: BuiltParts) {
    this.#rig = rig
    this.pipeline = parts.pipeline
    this.source = parts.source
    this.input = parts.input
    this.checkpointer = parts.checkpointer
    this.outbox = parts.outbox
    this.panes = parts.panes
    this.deadLetters = parts.deadLetters
    this.lateEvents = parts.lateEvents
  }

  /** What became of it; undefined while it runs. */
  get outcome(): 'ended' | 'stopped' | Error | undefined {
    return this.#outcome
  }

  /** @param takesPoints false: the sink is away, and the outbox fills */
  start(takesPoints = true): this {
    if (takesPoints) this.outbox.onChange(() => this.drain())
    void this.pipeline.run(this.#stop.signal).then(
      (outcome) => {
        this.#outcome = outcome
      },
      (error: Error) => {
        this.#outcome = error
      },
    )
    return this
  }

  /** The sink takes everything that is durable. */
  drain(): void {
    for (let at = this.outbox.cursor('sink'); ; at++) {
      const entry = this.outbox.read(at)
      if (entry === undefined) break
      this.#rig.points.push(...entry.points)
      this.outbox.acknowledge('sink', at + 1)
    }
  }

  stop(): void {
    this.#stop.abort()
  }

  /** Lets processing time go by in steps until it ended one way or another. */
  async finished(withinMs = 120_000): Promise<'ended' | 'stopped' | Error> {
    for (let waited = 0; waited <= withinMs; waited += 100) {
      if (this.#outcome !== undefined) return this.#outcome
      await this.#rig.pass(100)
    }
    throw new Error(`the pipeline still runs after ${withinMs} ms`)
  }
}
