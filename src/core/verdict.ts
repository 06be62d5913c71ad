import type { EpochMs } from './time.ts'

/** Why is it zero? In the order of precedence: what stands first hides what follows. */
export const verdictValues = ['UNKNOWN', 'LATE', 'SOURCE_SILENT', 'ZERO', 'OK'] as const

/**
 * What the number of a series and window means.
 * `UNKNOWN`: records are missing, or the metric was never seen whole. `LATE`: the window is not closed. `SOURCE_SILENT`: every partition
 * stands at its end and nothing came. `ZERO`: closed, others alive, no event. `OK`: closed, and there were events.
 */
export type VerdictValue = (typeof verdictValues)[number]

/** Does every sink have the points of the window? `unwritten` is shown to people as SINK_FAILING once a sink reports a failure. */
export type VerdictDelivery = 'written' | 'unwritten'

/** The companion of a series and due window. */
export interface Verdict {
  readonly metric: string
  readonly tags: Readonly<Record<string, string>>
  readonly windowStart: EpochMs
  readonly windowEnd: EpochMs
  readonly value: VerdictValue
  readonly delivery: VerdictDelivery
  /** Aggregate name → value; empty while the window is not closed. */
  readonly numbers: Readonly<Record<string, number>>
  /** In words: what the verdict rests on. */
  readonly reason: string
  readonly evidence: VerdictEvidence
  /** When it was judged last. */
  readonly judgedAt: EpochMs
}

/** What a verdict rests on, as it was when a message was decided on, or when somebody asked for the verdict. */
export interface VerdictEvidence {
  /** Source of the metric; empty where an alert concerns no source. */
  readonly source: string
  /** Records read since the job began. */
  readonly records: number
  /** Records per second over the last minutes; undefined while unknown. */
  readonly sourceRate: number | undefined
  readonly watermark: EpochMs | undefined
  /** Wall clock minus watermark. */
  readonly watermarkAgeMs: number | undefined
  /** Sum over partitions; undefined when that of one is unknown. */
  readonly lag: number | undefined
  /** Per partition: name, lag, idleness, and why it is not being read. */
  readonly partitions: readonly {
    readonly name: string
    readonly lag: number | undefined
    readonly idle: boolean
    readonly trouble: string | undefined
  }[]
  /** Events that were counted, duplicates included, in the window; undefined where the metric does not say. */
  readonly events: number | undefined
  /** Of those the ones that remained after deduplication; undefined where the metric does not say. */
  readonly deduplicated: number | undefined
  /** Start of the oldest window with a point that no sink acknowledged. */
  readonly oldestUnwritten: EpochMs | undefined
  /** Sinks with their last failure, where there is one. */
  readonly sinkErrors: readonly { readonly sink: string; readonly error: string }[]
}
