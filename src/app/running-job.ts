import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../config/config.ts'
import type { planOf } from '../config/plan.ts'
import { asWardenError, type WardenError } from '../core/errors.ts'
import type { Pane } from '../core/pane.ts'
import type { StateStore } from '../core/state-store.ts'
import type { Telemetry } from '../core/telemetry.ts'
import type { Tenure } from '../core/tenure.ts'
import { PipelineMetrics } from '../pipeline/pipeline-metrics.ts'
import { RestartStrategy } from '../pipeline/restart-strategy.ts'
import type { PrometheusMetrics } from '../prometheus-metrics.ts'
import { pointKey } from '../sink/data-point.ts'
import { Outbox } from '../sink/outbox.ts'
import type { DataPoint } from '../sink/sink.ts'
import type { SinkDelivery } from '../sink/sink-delivery.ts'
import { type AlertService, sinkEvidence } from './alert-service.ts'
import { type BuiltPipeline, buildPipeline, type openJobState } from './build-pipeline.ts'
import type { JobHealth } from './http-server.ts'
import { type JobPhase, jobHealth } from './job-health.ts'
import type { SinkInUse } from './sinks.ts'

export interface JobOptions {
  readonly config: Config
  readonly version: string
  /** Metrics whose state is given up because it does not fit the config any more. */
  readonly dropMetrics: ReadonlySet<string>
  readonly telemetry: Telemetry & { readonly metrics: PrometheusMetrics }
  /** Called with what was counted, once it is durable. */
  readonly onPanes?: (panes: readonly Pane[]) => void
  /** Called when the server listens. */
  readonly onListening?: (url: string) => void
  /** Called when the job has not ended long after it was told to: twice `shutdown.timeout` and 10 s. */
  readonly onStuck?: () => void
}

interface JobParts {
  readonly plan: ReturnType<typeof planOf>
  readonly store: StateStore
  readonly state: Awaited<ReturnType<typeof openJobState>>
  readonly alerts: AlertService
  /** The job ends when it is over, and nothing leaves the process after that; undefined: there is one Warden. */
  readonly tenure: Tenure | undefined
}

/** A job whose state is open: starting → running → (failed → starting)* → draining → done. */
export class RunningJob {
  readonly #options: JobOptions
  readonly #parts: JobParts
  readonly #sinks: readonly SinkInUse[]
  readonly #metrics: PipelineMetrics
  #current: BuiltPipeline | undefined
  #deliveries: readonly SinkDelivery[] = []
  #phase: JobPhase = 'starting'
  #lastFailure: WardenError | undefined
  #cancelWatch: () => void = () => {}

  constructor(options: JobOptions, parts: JobParts, sinks: readonly SinkInUse[]) {
    this.#options = options
    this.#parts = parts
    this.#sinks = sinks
    this.#metrics = new PipelineMetrics(options.telemetry.metrics)
  }

  async run(stop: AbortSignal): Promise<'ended' | 'stopped'> {
    const stopping = () => this.#stopping()
    stop.addEventListener('abort', stopping, { once: true })
    try {
      return await this.#runAndRestart(stop)
    } finally {
      this.#phase = 'done'
      stop.removeEventListener('abort', stopping)
      this.#cancelWatch()
    }
  }

  async #runAndRestart(stop: AbortSignal): Promise<'ended' | 'stopped'> {
    const { config, telemetry } = this.#options
    const { clock, logger } = telemetry
    const strategy = new RestartStrategy(config.restart)
    const restarts = telemetry.metrics.counter(
      'warden_restarts_total',
      'Starts from the last checkpoint after a failure',
    )
    const errors = telemetry.metrics.counter('warden_errors_total', 'Failures of the pipeline', [
      'code',
    ])
    while (!stop.aborted) {
      const startedAt = clock.now()
      try {
        return await this.#runOnce(stop)
      } catch (cause) {
        const error = asWardenError(cause)
        this.#lastFailure = error
        this.#phase = 'failed'
        errors.add(1, { code: error.code })
        const { tenure } = this.#parts
        if (tenure !== undefined && !tenure.held()) throw error
        const now = clock.now()
        const wait = error.recovery === 'stop' ? undefined : strategy.failed(now, now - startedAt)
        if (wait === undefined) throw error
        if (stop.aborted) {
          logger.error(
            { err: error, code: error.code },
            'the pipeline failed while it stopped; its state is that of the last checkpoint',
          )
          break
        }
        logger.error(
          { err: error, code: error.code, waitMs: wait },
          'the pipeline failed and starts again from the last checkpoint',
        )
        restarts.add(1)
        await clock
          .sleep(wait, tenure === undefined ? stop : AbortSignal.any([stop, tenure.lost]))
          .catch(() => {})
        tenure?.lost.throwIfAborted()
      }
    }
    return 'stopped'
  }

  #stopping(): void {
    const { config, telemetry, onStuck } = this.#options
    telemetry.logger.info({}, 'stopping')
    const boundMs = config.shutdown.timeoutMs * 2 + 10_000
    this.#cancelWatch = telemetry.clock.after(boundMs, () => {
      telemetry.logger.error(
        { boundMs },
        'the job did not stop in time; its state is that of the last checkpoint',
      )
      onStuck?.()
    })
  }

  health(): JobHealth {
    const { config, telemetry } = this.#options
    return jobHealth({
      now: telemetry.clock.now(),
      phase: this.#phase,
      lastFailure: this.#lastFailure,
      checkpointIntervalMs: config.checkpoint.intervalMs,
      current: this.#current,
      sinks: this.#deliveries.map((delivery, index) => ({
        name: this.#sinks[index]?.name ?? '',
        ...delivery.health(),
      })),
    })
  }

  /** One life of the pipeline, from the last checkpoint to the end, the stop, or a failure. */
  async #runOnce(stop: AbortSignal): Promise<'ended' | 'stopped'> {
    const { config, telemetry, onPanes } = this.#options
    this.#phase = 'starting'
    const outbox = new Outbox(this.#parts.store, {
      sinks: this.#sinks.map(({ name }) => name),
      spilling: new Set(this.#sinks.flatMap(({ name, required }) => (required ? [] : [name]))),
      maxBytes: config.outbox.maxBytes,
    })
    for (const { sink, points } of outbox.removed) {
      telemetry.logger.warn(
        { sink, points },
        'the sink is no longer configured; what it had not taken is dropped',
      )
    }
    const { tenure } = this.#parts
    const broken = new AbortController()
    const alerts = this.#parts.alerts.begin()
    const built = await buildPipeline({
      ...this.#parts,
      companions: [alerts.companion],
      sinks: () => sinkEvidence(config, this.#deliveries),
      config,
      outbox,
      telemetry,
      metrics: this.#metrics,
      onPanes: onPanes ?? (() => {}),
    })
    this.#current = built
    const deliveries = this.#sinks.map((sink) =>
      sink.deliver(outbox, {
        ...telemetry,
        random: Math.random,
        tookOver: tenure !== undefined,
        onRefused: (point, reason) =>
          built.deadLetters.append(refusedRecord(sink.name, point, reason)),
        onBroken: (error) => broken.abort(error),
      }),
    )
    this.#deliveries = deliveries
    const abandon = () => {
      for (const delivery of deliveries) void delivery.stop().catch(() => {})
    }
    tenure?.lost.addEventListener('abort', abandon, { once: true })
    try {
      for (const delivery of deliveries) delivery.start()
      alerts.desk.start()
      this.#phase = 'running'
      telemetry.logger.info({ job: config.job }, 'running')
      const outcome = await built.pipeline.run(AbortSignal.any([stop, broken.signal]))
      broken.signal.throwIfAborted()
      this.#phase = 'draining'
      await this.#drain(outcome, built, deliveries, { stop, broken: broken.signal })
      await this.#parts.alerts.sendRest(alerts, () => built.pipeline.checkpoint())
      return outcome
    } finally {
      tenure?.lost.removeEventListener('abort', abandon)
      await Promise.allSettled(deliveries.map((delivery) => delivery.stop()))
      await alerts.desk.stop()
      await built.checkpointer.idle()
      await built.close()
    }
  }

  /** Everything written and acknowledged: without end when the sources have ended, else within the shutdown's bound. */
  async #drain(
    outcome: 'ended' | 'stopped',
    built: BuiltPipeline,
    deliveries: readonly SinkDelivery[],
    signals: { readonly stop: AbortSignal; readonly broken: AbortSignal },
  ): Promise<void> {
    const { config, telemetry } = this.#options
    // Nothing comes after the end that would repair a write that lands late; a stopped job does that at its next start.
    const until = outcome === 'ended' ? 'settled' : 'written'
    const all = (ms: number) => Promise.all(deliveries.map((delivery) => delivery.drain(ms, until)))
    if (outcome === 'ended') {
      while (!(await all(1_000)).every(Boolean) && !signals.stop.aborted) {
        signals.broken.throwIfAborted()
        const behind = deliveries.map((delivery) => delivery.health())
        const lastError = behind.find((one) => one.lastError !== undefined)?.lastError
        telemetry.logger.info(
          { points: Math.max(...behind.map((one) => one.depth)), lastError },
          'everything is counted; waiting for the sinks',
        )
        await delay(1_000)
      }
    } else {
      const written = await all(config.shutdown.timeoutMs)
      if (!written.every(Boolean)) {
        telemetry.logger.warn(
          {},
          'stopped with points unwritten; they are kept and sent at the next start',
        )
      }
    }
    await built.pipeline.checkpoint()
  }
}

function refusedRecord(sink: string, point: DataPoint, reason: string) {
  const key = `sink/${sink}/${pointKey(point).replaceAll('\n', '/')}`
  return { key, json: JSON.stringify({ reason: 'refused_by_sink', detail: reason, sink, point }) }
}
