import type { AlertEngine } from '../alert/alert-engine.ts'
import { AlertMetrics } from '../alert/alert-metrics.ts'
import type { NoticeDesk } from '../alert/notify/notice-desk.ts'
import type { VerdictNotes } from '../alert/verdict-notes.ts'
import type { JobEvidence, WindowClosing } from '../core/evidence.ts'
import type { Pane } from '../core/pane.ts'
import type { StateOperation } from '../core/state-store.ts'
import type { Telemetry } from '../core/telemetry.ts'
import type { CheckpointCompanion } from '../pipeline/checkpoint-companion.ts'

/** Verdicts, rules and messages as a part of every checkpoint: evaluate → commit → send. */
export class Alerting implements CheckpointCompanion {
  readonly engine: AlertEngine
  readonly #desk: NoticeDesk
  readonly #notes: readonly VerdictNotes[]
  readonly #metrics: AlertMetrics
  readonly #telemetry: Telemetry
  /** Of the checkpoint under way. */
  #pending: ReturnType<AlertEngine['evaluate']>['notes'] = []

  /** @param engine restored @param notes where charts get their notes from */
  constructor(
    engine: AlertEngine,
    desk: NoticeDesk,
    notes: readonly VerdictNotes[],
    telemetry: Telemetry,
  ) {
    this.engine = engine
    this.#desk = desk
    this.#notes = notes
    this.#metrics = new AlertMetrics(telemetry.metrics)
    this.#telemetry = telemetry
  }

  isDue({ now }: JobEvidence): boolean {
    return this.engine.isDue(now) || this.#desk.isDue(now)
  }

  collect(
    panes: readonly Pane[],
    closings: readonly WindowClosing[],
    evidence: JobEvidence,
  ): readonly StateOperation[] {
    const { operations, notifications, notes } = this.engine.evaluate(panes, closings, evidence)
    this.#pending = [...this.#pending, ...notes].slice(-maxPendingNotes)
    this.#metrics.update(this.engine, evidence, notifications)
    for (const { id, kind, severity, receivers, group, total } of notifications) {
      const fields = { id, kind, severity, receivers, group: group.key, alerts: total }
      this.#telemetry.logger.info(fields, 'decided on a message')
    }
    return [...operations, ...this.#desk.collect(notifications, evidence.now)]
  }

  committed(): void {
    this.#desk.committed()
    for (const one of this.#notes) one.add(this.#pending)
    this.#pending = []
  }
}

/** Notes may be lost; while checkpoints fail they must not pile up. */
const maxPendingNotes = 10_000
