import type { FastifyInstance } from 'fastify'
import { AlertEngine } from '../alert/alert-engine.ts'
import type { NoticeDesk } from '../alert/notify/notice-desk.ts'
import type { Config } from '../config/config.ts'
import { judgedMetricsOf } from '../config/resolve-alerts.ts'
import type { SinkEvidence } from '../core/evidence.ts'
import type { StateStore } from '../core/state-store.ts'
import type { Telemetry } from '../core/telemetry.ts'
import type { Tenure } from '../core/tenure.ts'
import type { SinkDelivery } from '../sink/sink-delivery.ts'
import { NoteWriter } from '../store/note-writer.ts'
import type { PointStore } from '../store/point-store.ts'
import { EngineActions } from './alert-actions.ts'
import { registerAlertApi } from './alert-api.ts'
import { watchAlertFile } from './alert-file.ts'
import { registerAlertLinks } from './alert-links.ts'
import { Alerting } from './alerting.ts'
import { createNoticeDesk, type NotifyingParts, openNotifying } from './notifying.ts'
import { OpentsdbNotes } from './opentsdb-notes.ts'
import { authorization } from './sinks.ts'
import { StoreNotes } from './store-notes.ts'

/** The alerts of one life of the pipeline. */
export interface AlertLife {
  readonly companion: Alerting
  readonly desk: NoticeDesk
}

/** Verdicts, rules and messages of a job, over the lives of its pipeline. */
export class AlertService {
  readonly #config: Config
  readonly #store: StateStore
  readonly #telemetry: Telemetry
  readonly #parts: NotifyingParts
  readonly #notes: readonly (StoreNotes | OpentsdbNotes)[]
  readonly #endWatch: () => void
  #engine: AlertEngine
  #plan: Config['alerts']

  private constructor(
    config: Config,
    store: StateStore,
    points: PointStore | undefined,
    parts: NotifyingParts,
    telemetry: Telemetry,
    tenure: Tenure | undefined,
  ) {
    this.#config = config
    this.#store = store
    this.#telemetry = telemetry
    this.#parts = parts
    this.#plan = config.alerts
    this.#notes = [
      ...(points === undefined ? [] : [notesInStore(config, points, telemetry)]),
      ...opentsdbNotes(config, telemetry, tenure),
    ]
    this.#engine = this.#restoredEngine()
    this.#endWatch = watchAlertFile(config, process.env, telemetry, (plan) => {
      this.#plan = plan
      this.#engine.reload(plan)
    })
  }

  /**
   * @param points the embedded store, where verdicts are noted; undefined: there is none
   * @param tenure nothing is sent unless it is held; undefined: there is one Warden
   */
  static async open(
    config: Config,
    store: StateStore,
    points: PointStore | undefined,
    telemetry: Telemetry,
    tenure?: Tenure,
  ): Promise<AlertService> {
    const parts = await openNotifying(config, store, telemetry, tenure)
    return new AlertService(config, store, points, parts, telemetry, tenure)
  }

  /** Everything from the last checkpoint; nothing is sent before the desk is started. */
  begin(): AlertLife {
    this.#engine = this.#restoredEngine()
    const desk = createNoticeDesk(this.#config, this.#store, this.#parts, this.#telemetry)
    return { companion: new Alerting(this.#engine, desk, this.#notes, this.#telemetry), desk }
  }

  /** Registers the API and the pages behind the buttons of messages. */
  async register(server: FastifyInstance): Promise<void> {
    await registerAlertApi(server, () => this.#engine, this.#telemetry.clock)
    const { links, audit } = this.#parts
    if (links === undefined) return
    const actions = new EngineActions(() => this.#engine)
    await registerAlertLinks(server, { links, actions, audit, telemetry: this.#telemetry })
  }

  /** Sends what was decided on, within the bound of a shutdown; what cannot be sent now is sent after the next start. */
  async sendRest({ desk }: AlertLife, checkpoint: () => Promise<void>): Promise<void> {
    const all = await desk.drain(this.#config.shutdown.timeoutMs, checkpoint)
    if (all) return
    this.#telemetry.logger.warn({}, 'messages are unsent; they are sent at the next start')
  }

  async close(): Promise<void> {
    this.#endWatch()
    await Promise.all(this.#notes.map((one) => one.close()))
    await this.#parts.close()
  }

  #restoredEngine(): AlertEngine {
    const engine = new AlertEngine(this.#plan, judgedMetricsOf(this.#config))
    engine.restore(this.#store)
    return engine
  }
}

/** What is known of the sinks now. */
export function sinkEvidence(
  { sinks, metrics }: Config,
  deliveries: readonly SinkDelivery[],
): readonly SinkEvidence[] {
  // How far a window may start before the time of its points.
  const earlierMs = sinks.every(({ timestamp }) => timestamp === 'start')
    ? 0
    : Math.max(0, ...metrics.map(({ window }) => window.sizeMs))
  return deliveries.map((delivery) => delivery.evidence(earlierMs))
}

function notesInStore(config: Config, points: PointStore, { logger }: Telemetry): StoreNotes {
  return new StoreNotes(new NoteWriter(points), (metric) => pointName(config, metric), logger)
}

/** Of every OpenTSDB that is to have them. */
function opentsdbNotes(
  { sinks, metrics }: Config,
  telemetry: Telemetry,
  tenure: Tenure | undefined,
): OpentsdbNotes[] {
  return sinks.flatMap((sink) => {
    if (sink.type !== 'opentsdb' || !sink.annotations) return []
    const { name, url, timeoutMs } = sink
    const headers = { ...sink.headers, ...authorization(sink.auth) }
    const names = metrics.map((metric) => metric.name)
    const mayWrite = () => tenure?.held() ?? true
    return [
      new OpentsdbNotes(
        { sink: name, url, timeoutMs, headers, metrics: names, mayWrite },
        telemetry,
      ),
    ]
  })
}

/** Charts show the first aggregate of a metric. */
function pointName(config: Config, name: string): string {
  const metric = config.metrics.find((one) => one.name === name)
  const sink = config.sinks.find(({ type }) => type === 'embedded')
  return `${sink?.prefix ?? ''}${name}.${metric?.aggregates[0]?.name ?? 'count'}`
}
