import { randomBytes } from 'node:crypto'
import type { Config, SourceConfig } from '../config/config.ts'
import {
  compareMetrics,
  fingerprintsOf,
  type MetricFingerprint,
  renamesOf,
} from '../config/fingerprint.ts'
import { WardenError } from '../core/errors.ts'
import type { SinkEvidence } from '../core/evidence.ts'
import type { Pane } from '../core/pane.ts'
import type { JobPlan } from '../core/plan.ts'
import { SeriesDictionary } from '../core/series.ts'
import type { StateOperation, StateStore } from '../core/state-store.ts'
import type { Telemetry } from '../core/telemetry.ts'
import type { Tenure } from '../core/tenure.ts'
import { looksUp } from '../enrich/batch-enricher.ts'
import { KeyResolver } from '../enrich/key-resolver.ts'
import type { KeyTable, TableHealth } from '../enrich/key-table.ts'
import { FencedSideOutput } from '../ingest/fenced-side-output.ts'
import type { SideOutput } from '../ingest/side-output.ts'
import type { CheckpointCompanion } from '../pipeline/checkpoint-companion.ts'
import { Checkpointer } from '../pipeline/checkpointer.ts'
import { type JobState, newJobState, readJobState, saveJobState } from '../pipeline/job-state.ts'
import { dropMetric, MetricState, renameMetric } from '../pipeline/metric-state.ts'
import { MetricWindows } from '../pipeline/metric-windows.ts'
import { Pipeline, sideOutputKeys } from '../pipeline/pipeline.ts'
import { PipelineInput } from '../pipeline/pipeline-input.ts'
import type { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'
import { restoreSource } from '../pipeline/source-state.ts'
import { SourceWindows } from '../pipeline/source-windows.ts'
import type { Outbox } from '../sink/outbox.ts'
import { createLanes, planLanes } from './lanes.ts'
import { createSideOutput } from './sources.ts'
import { watchLoopStalls } from './system-loop-stalls.ts'
import { createTables } from './tables.ts'

export interface PipelineOptions {
  readonly config: Config
  readonly plan: JobPlan
  readonly store: StateStore
  readonly state: JobState<MetricFingerprint>
  readonly outbox: Outbox
  readonly telemetry: Telemetry
  readonly metrics: PipelineMetrics
  readonly onPanes: (panes: readonly Pane[]) => void
  /** Decide on panes in the same checkpoint; none unless given. */
  readonly companions?: readonly CheckpointCompanion[]
  /** Nothing leaves the process unless it is held; undefined: there is one Warden. */
  readonly tenure?: Tenure | undefined
  /** What is known of the sinks now; nothing unless given. */
  readonly sinks?: () => readonly SinkEvidence[]
}

/** A pipeline and what has to be closed after it. */
export interface BuiltPipeline {
  readonly pipeline: Pipeline
  readonly inputs: readonly PipelineInput[]
  readonly checkpointer: Checkpointer
  readonly deadLetters: SideOutput
  /** Tables that dimensions are looked up in. */
  tables(): readonly TableHealth[]
  close(): Promise<void>
}

/**
 * Judges the config against the state, and only then brings the state in line with it.
 * @param dropped metrics whose state is given up
 * @throws WardenError `state_incompatible` naming every metric whose state does not fit; nothing was changed then
 */
export async function openJobState(
  config: Config,
  plan: JobPlan,
  store: StateStore,
  dropped: ReadonlySet<string>,
  telemetry: Telemetry,
): Promise<JobState<MetricFingerprint>> {
  const metrics = fingerprintsOf(plan)
  const saved = readJobState<MetricFingerprint>(store, config.job)
  if (saved === undefined) {
    const fresh = newJobState(config.job, randomBytes(16), telemetry.clock.now(), metrics)
    await store.commit([saveJobState(fresh)])
    return fresh
  }
  const changes = compareMetrics(saved.metrics, metrics, renamesOf(config), dropped)
  const refused = changes.flatMap((change) => (change.kind === 'refused' ? [change.reason] : []))
  if (refused.length > 0) throw new WardenError('state_incompatible', refused.join('\n'))
  const operations: StateOperation[] = []
  for (const change of changes) {
    if (change.kind === 'new' || change.kind === 'removed')
      operations.push(dropMetric(change.metric))
    else if (change.kind !== 'refused' && change.from !== change.metric) {
      operations.push(...renameMetric(store, change.from, change.metric))
    }
    if (change.kind !== 'same') telemetry.logger.info({ change }, 'the config changed')
  }
  const state = { ...saved, metrics }
  await store.commit([...operations, saveJobState(state)])
  return state
}

/** Everything between the sources and the outbox, restored from the last checkpoint; nothing runs yet. */
export async function buildPipeline(options: PipelineOptions): Promise<BuiltPipeline> {
  const { config, store, state, outbox, telemetry } = options
  const deadLetters = sideOutputOf(config.deadLetters, options)
  const lateEvents = sideOutputOf(config.lateEvents, options)
  try {
    await restoreSideOutput(deadLetters, config.deadLetters, store, sideOutputKeys.dead)
    await restoreSideOutput(lateEvents, config.lateEvents, store, sideOutputKeys.late)
  } catch (error) {
    await Promise.allSettled([deadLetters.close(), lateEvents.close()])
    throw error
  }
  const inputs: PipelineInput[] = []
  const tables = createTables(config, telemetry)
  const endWatch = watchLoopStalls(telemetry.metrics, 'main')
  const close = async (): Promise<void> => {
    endWatch()
    await Promise.allSettled(inputs.map((input) => input.close()))
    await tables.stop()
    await Promise.allSettled([deadLetters.close(), lateEvents.close()])
  }
  try {
    tables.start()
    for (const source of config.sources) {
      inputs.push(await buildInput(options, source, deadLetters, tables.byName))
    }
  } catch (error) {
    await close()
    throw error
  }
  const checkpointer = new Checkpointer(store, config.checkpoint, telemetry)
  const pipeline = new Pipeline({
    inputs,
    store,
    checkpointer,
    outbox,
    points: {
      prefix: '',
      timestamp: timestampOf(config),
      job: config.job,
      incarnation: state.incarnation,
    },
    deadLetters,
    lateEvents,
    maxDeadLetterRate: config.deadLetters.maxRate,
    telemetry,
    metrics: options.metrics,
    companions: options.companions ?? [],
    sinks: options.sinks ?? (() => []),
    lost: options.tenure?.lost,
    onPanes: options.onPanes,
  })
  return { pipeline, inputs, checkpointer, deadLetters, tables: () => tables.health(), close }
}

function sideOutputOf(
  config: Config['lateEvents'],
  { telemetry, tenure }: PipelineOptions,
): SideOutput {
  const output = createSideOutput(config, telemetry)
  return tenure === undefined ? output : new FencedSideOutput(output, tenure)
}

/** One source with its lanes and windows, restored from the last checkpoint. */
async function buildInput(
  options: PipelineOptions,
  source: SourceConfig,
  deadLetters: SideOutput,
  tables: ReadonlyMap<string, KeyTable>,
): Promise<PipelineInput> {
  const { config, plan, store, state, telemetry } = options
  const event = plan.sources.find((one) => one.source === source.name)
  if (event === undefined) throw new WardenError('internal', `no plan for source ${source.name}`)
  const metrics = plan.metrics.filter((metric) => metric.source === source.name)
  const windows = metrics.map(
    (metric) => new MetricWindows(metric, new SeriesDictionary(metric.maxSeries), config.job),
  )
  const states = windows.map((one) => new MetricState(one))
  const known = states.map((one) => one.restore(store))
  const restored = restoreSource(store, source.name)
  const { layout, mixedUntil } = await planLanes(source, config, restored, windows, telemetry)
  const { hashKey } = state
  return new PipelineInput({
    windows: new SourceWindows(event, windows, layout.lanes),
    states,
    lanes: createLanes({ source, config, plan: event, metrics, layout, hashKey, telemetry }),
    layout,
    mixedUntil,
    store,
    deadLetters,
    keys: metrics.some(looksUp) ? new KeyResolver(windows, tables, telemetry.metrics) : undefined,
    restored,
    newMetrics: new Set(metrics.flatMap(({ name }, index) => (known[index] ? [] : [name]))),
  })
}

function timestampOf(config: Config): 'start' | 'end' {
  const wanted = new Set(config.sinks.map(({ timestamp }) => timestamp))
  if (wanted.size <= 1) return config.sinks[0]?.timestamp ?? 'start'
  throw new WardenError(
    'config_invalid',
    `${config.file}: sinks date their points by different ends of the window; give all of them the same timestamp`,
  )
}

/**
 * Cuts an output back to the checkpoint. The first start, and the first one with another output, marks where it begins, so that
 * a crash before the next checkpoint cuts it back too, and no file is ever cut to the length of another.
 */
async function restoreSideOutput(
  output: SideOutput,
  config: Config['lateEvents'],
  store: StateStore,
  key: string,
): Promise<void> {
  const medium = config.type === 'file' ? `file ${config.path}` : `kafka ${config.topic}`
  const mark = textAt(store, `${key}/medium`) === medium ? textAt(store, key) : undefined
  await output.restore(mark)
  if (mark !== undefined) return
  await store.commit([
    { kind: 'put', key, value: Buffer.from(await output.flush()) },
    { kind: 'put', key: `${key}/medium`, value: Buffer.from(medium) },
  ])
}

function textAt(store: StateStore, key: string): string | undefined {
  const bytes = store.get(key)
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')
}
