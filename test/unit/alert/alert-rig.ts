import { AlertEngine } from '../../../src/alert/alert-engine.ts'
import type { Notification } from '../../../src/alert/notification.ts'
import { parseAlertsValue } from '../../../src/config/load-alerts.ts'
import type { AlertPlan, JudgedMetric } from '../../../src/core/alert-plan.ts'
import type {
  JobEvidence,
  PartitionEvidence,
  SinkEvidence,
  WindowClosing,
} from '../../../src/core/evidence.ts'
import type { Pane } from '../../../src/core/pane.ts'
import { durationMs, type EpochMs, epochMs } from '../../../src/core/time.ts'
import { MemoryStateStore } from '../../../src/state/memory-state-store.ts'

export const hour = 3_600_000
export const minute = 60_000

/** Plans of rules that were read before: a property test makes hundreds of engines of the same ones. */
const plans = new WeakMap<object, AlertPlan>()

export function planOf(rules: unknown): AlertPlan {
  if (typeof rules !== 'object' || rules === null) return readPlan(rules)
  const plan = plans.get(rules) ?? readPlan(rules)
  plans.set(rules, plan)
  return plan
}

function readPlan(rules: unknown): AlertPlan {
  const options = { file: 'rules', env: {}, readFile: () => '', job: 'test', metrics: undefined }
  return parseAlertsValue(rules, options)
}

export function metricOf(name: string, sizeMs = hour): JudgedMetric {
  return {
    name,
    source: 'orders',
    window: {
      sizeMs: durationMs(sizeMs),
      slideMs: durationMs(sizeMs),
      alignment: { kind: 'offset', offsetMs: 0 },
    },
    outOfOrdernessMs: durationMs(20_000),
    evaluationDelayMs: durationMs(60_000),
    aggregates: [
      { name: 'users', kind: 'users' },
      { name: 'events', kind: 'events' },
    ],
    declared: [],
    expireAfterMs: durationMs(7 * 24 * hour),
  }
}

/** The engine as a pipeline drives it: what it decides is durable before the next step, unless the process dies first. */
export class AlertRig {
  readonly store = new MemoryStateStore()
  readonly sent: Notification[] = []
  now: EpochMs
  partition: PartitionEvidence
  sink: SinkEvidence = {
    name: 'tsdb',
    waiting: 0,
    oldestWaitingMs: undefined,
    oldestUnwritten: undefined,
    lastError: undefined,
  }
  records = 0
  engine: AlertEngine
  readonly #metrics: readonly JudgedMetric[]
  #rules: unknown
  #panes: Pane[] = []
  #closings: WindowClosing[] = []

  constructor(rules: unknown, metrics: readonly JudgedMetric[], start = 0) {
    this.#rules = rules
    this.#metrics = metrics
    this.now = epochMs(start)
    this.partition = {
      name: '0',
      watermark: epochMs(start),
      idle: false,
      lag: 0,
      caughtUpAt: epochMs(start),
      trouble: undefined,
    }
    this.engine = new AlertEngine(planOf(rules), metrics)
  }

  /** Panes of a window, by product, and its end. @param kind undefined: it was closed before */
  window(
    metric: string,
    start: number,
    values: Readonly<Record<string, number>>,
    kind: WindowClosing['kind'] | undefined = 'whole',
  ): void {
    const size = this.#metrics.find(({ name }) => name === metric)?.window.sizeMs ?? hour
    const window = { start: epochMs(start), end: epochMs(start + size) }
    for (const [product, value] of Object.entries(values)) {
      this.#panes.push({
        metric,
        tags: { product },
        windowStart: window.start,
        windowEnd: window.end,
        firing: kind === undefined ? 'late' : 'on-time',
        revision: kind === undefined ? 1 : 0,
        values: { users: value, events: value * 2 },
        previous: undefined,
        zero: value === 0,
      })
    }
    if (kind !== undefined) this.#closings.push({ metric, window, kind })
  }

  evidence(): JobEvidence {
    return {
      now: this.now,
      sources: [
        {
          name: 'orders',
          watermark: this.partition.watermark,
          partitions: [this.partition],
          records: this.records,
          dead: 0,
          ended: false,
        },
      ],
      sinks: [this.sink],
      late: new Map(),
      checkpointAgeMs: durationMs(0),
    }
  }

  /** One checkpoint. @param dies the process is killed before it is durable: nothing of it happened */
  async step(dies = false): Promise<readonly Notification[]> {
    const panes = this.#panes
    const closings = this.#closings
    const { operations, notifications } = this.engine.evaluate(panes, closings, this.evidence())
    if (dies) {
      // What was not durable is counted and emitted again.
      this.restart()
      return []
    }
    this.#panes = []
    this.#closings = []
    await this.store.commit(operations)
    this.sent.push(...notifications)
    return notifications
  }

  restart(): void {
    this.engine = new AlertEngine(planOf(this.#rules), this.#metrics)
    this.engine.restore(this.store)
  }

  reload(rules: unknown): void {
    this.#rules = rules
    this.engine.reload(planOf(rules))
  }

  /** Lets time pass, with a checkpoint every `everyMs`. */
  async until(at: number, everyMs = 30_000): Promise<void> {
    while (this.now < at) {
      this.now = epochMs(Math.min(at, this.now + everyMs))
      await this.step()
    }
  }

  /** `firing zero ZERO 2`: kind, rule or *, cause, alerts. */
  said(): string[] {
    return this.sent
      .splice(0)
      .map(
        ({ kind, group, total }) => `${kind} ${group.rule ?? '*'} ${group.cause ?? '*'} ${total}`,
      )
  }

  backlog(lag: number | undefined, watermark = this.now as number): void {
    this.partition = {
      ...this.partition,
      lag,
      idle: false,
      caughtUpAt: lag === 0 ? this.now : undefined,
      trouble: undefined,
      watermark: epochMs(watermark),
    }
  }

  silent(watermark: number): void {
    this.partition = {
      ...this.partition,
      lag: 0,
      idle: true,
      caughtUpAt: this.now,
      trouble: undefined,
      watermark: epochMs(watermark),
    }
  }
}
