import type { JobEvidence } from '../core/evidence.ts'
import { durationMs, type EpochMs, epochMs } from '../core/time.ts'
import type { HealthDocument } from './rule-case.ts'
import { spanMs } from './rule-rows.ts'

/** The source and the sink that all metrics of a rule spec have. */
export const specSource = 'source'
export const specSink = 'sink'

/** The health of a job as the rows of a spec say it; what they leave out stays as it was. At the start everything is well. */
export class SpecHealth {
  #health: HealthDocument = { watermarkAge: 0, lag: 0, sourceRate: 1, sink: 'ok' }
  #at: EpochMs
  #failingSince: EpochMs | undefined
  /** Start of the oldest window whose pane came while the sink failed. */
  #oldest: EpochMs | undefined
  #records = 0
  #dead = 0
  #late = 0

  constructor(start: EpochMs) {
    this.#at = start
  }

  set(health: HealthDocument, now: EpochMs): void {
    this.#pass(now)
    this.#health = { ...this.#health, ...health }
    if (this.#health.sink === 'failing') this.#failingSince ??= now
    else {
      this.#failingSince = undefined
      this.#oldest = undefined
    }
  }

  /** A pane went to the sink. */
  written(windowStart: EpochMs): void {
    if (this.#failingSince === undefined) return
    this.#oldest = epochMs(Math.min(this.#oldest ?? Number.POSITIVE_INFINITY, windowStart))
  }

  evidence(now: EpochMs, metrics: readonly string[]): JobEvidence {
    this.#pass(now)
    const { lag, sourceRate = 1, watermarkAge = 0, oldestUnwritten, trouble } = this.#health
    const known = lag === null ? undefined : (lag ?? 0)
    const watermark = epochMs(now - spanMs(watermarkAge))
    const isCaughtUp = known === 0 && typeof trouble !== 'string'
    const failing = this.#failingSince !== undefined
    const age = typeof oldestUnwritten === 'string' || typeof oldestUnwritten === 'number'
    const waited = age ? spanMs(oldestUnwritten) : undefined
    const oldest = this.#oldest ?? (waited === undefined ? undefined : epochMs(now - waited))
    return {
      now,
      sources: [
        {
          name: specSource,
          watermark,
          partitions: [
            {
              name: '0',
              watermark,
              idle: isCaughtUp && sourceRate === 0,
              lag: known,
              caughtUpAt: isCaughtUp ? now : undefined,
              trouble: trouble ?? undefined,
            },
          ],
          records: Math.round(this.#records),
          dead: Math.round(this.#dead),
          ended: false,
        },
      ],
      sinks: [
        {
          name: specSink,
          waiting: oldest === undefined ? 0 : 1,
          oldestWaitingMs:
            waited ??
            (oldest === undefined || this.#failingSince === undefined
              ? undefined
              : durationMs(now - this.#failingSince)),
          oldestUnwritten: oldest,
          lastError: failing ? 'the sink fails' : undefined,
        },
      ],
      late: new Map(metrics.map((metric) => [metric, Math.round(this.#late)])),
      checkpointAgeMs: spanMs(this.#health.checkpointAge ?? 0),
    }
  }

  #pass(now: EpochMs): void {
    const seconds = Math.max(0, now - this.#at) / 1000
    this.#at = now
    const { sourceRate = 1, deadRate = 0, lateRate = 0 } = this.#health
    this.#records += seconds * sourceRate
    this.#dead += seconds * deadRate
    this.#late += seconds * lateRate
  }
}
