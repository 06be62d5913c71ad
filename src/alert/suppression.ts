import type { AlertPlan, InhibitionPlan, RulePlan } from '../core/alert-plan.ts'
import type { EpochMs } from '../core/time.ts'
import type { NamedTimes } from './routing/calendar-times.ts'
import type { Live } from './routing/group.ts'
import { type LabelSet, matches } from './routing/matchers.ts'
import type { Silences } from './routing/silences.ts'

/** Something that could be said, before it is known whether it may. */
export interface Candidate {
  readonly rule: RulePlan
  readonly live: Live
  /** End of the window that it is about; undefined: it is about now. */
  readonly windowEnd: EpochMs | undefined
  readonly windowMs: number
}

/** What says nothing now, and why: a silence, a mute time, a cause that fires already, or a window of long ago. */
export class Suppression {
  readonly #plan: AlertPlan
  readonly #times: NamedTimes
  readonly #silences: Silences

  constructor(plan: AlertPlan, times: NamedTimes, silences: Silences) {
    this.#plan = plan
    this.#times = times
    this.#silences = silences
  }

  apply(candidates: readonly Candidate[], now: EpochMs): readonly Live[] {
    const firing = candidates.filter(({ live }) => live.kind === 'firing')
    const causes = this.#plan.inhibitions.map((one) =>
      firing.filter(({ live }) => matches(one.source, live.labels)),
    )
    const pipeline = firing.filter(({ rule }) => rule.kind === 'pipeline')
    return candidates.map((one) => ({
      ...one.live,
      suppressed: this.#why(one, causes, pipeline, now),
    }))
  }

  #why(
    candidate: Candidate,
    causes: readonly (readonly Candidate[])[],
    pipeline: readonly Candidate[],
    now: EpochMs,
  ): string | undefined {
    const { rule, live } = candidate
    const silence = this.#silences.silencing(live.labels, now)
    if (silence !== undefined) return `silence ${silence.id} of ${silence.owner}: ${silence.reason}`
    const muted = this.#times.mutedBy(rule.mute, rule.active, now)
    if (muted !== undefined) return `mute time ${muted}`
    if (this.#isStale(candidate, now)) return 'the window ended long ago'
    const known = pipeline.find(({ live: cause }) => explains(cause.labels, live))
    if (known !== undefined) return `${known.rule.name} fires, which is the cause`
    for (const [index, inhibition] of this.#plan.inhibitions.entries()) {
      if (!matches(inhibition.target, live.labels)) continue
      const cause = causes[index]?.find(
        (one) => one.live.id !== live.id && shares(inhibition, one.live.labels, live.labels),
      )
      if (cause !== undefined) return `${cause.rule.name} fires`
    }
    return undefined
  }

  /** While Warden catches up, old windows are judged and nobody is called for them. */
  #isStale({ live, windowEnd, windowMs }: Candidate, now: EpochMs): boolean {
    if (windowEnd === undefined || Object.keys(live.told).length > 0) return false
    return now - windowEnd > Math.max(this.#plan.staleAfterMs, 2 * windowMs)
  }
}

/** An alert about the pipeline says already why a rule cannot be judged: one outage, one message. */
function explains(cause: LabelSet, live: Live): boolean {
  if (live.kind !== 'held') return false
  if (live.cause === 'SINK_FAILING') return 'sink' in cause
  return cause.source !== undefined && cause.source === live.labels.source
}

const shares = ({ equal }: InhibitionPlan, a: LabelSet, b: LabelSet): boolean =>
  equal.every((label) => a[label] === b[label])
