import type { DurationMs, EpochMs } from './time.ts'
import type { Window } from './window.ts'

/** What is known of one partition at an instant. */
export interface PartitionEvidence {
  readonly name: string
  /** undefined: it has delivered nothing yet. */
  readonly watermark: EpochMs | undefined
  readonly idle: boolean
  /** Records (bytes for lines) between position and end; undefined when unknown. */
  readonly lag: number | undefined
  /** Last successful fetch that showed that everything up to the end had been taken; undefined when that is not so now. */
  readonly caughtUpAt: EpochMs | undefined
  /** Why it is not being read, in words; undefined when it is. */
  readonly trouble: string | undefined
}

/** What is known of one source at an instant. */
export interface SourceEvidence {
  readonly name: string
  /** Combined; undefined before the first event. */
  readonly watermark: EpochMs | undefined
  readonly partitions: readonly PartitionEvidence[]
  /** Records read since the job began. */
  readonly records: number
  /** Dead letters since the job began. */
  readonly dead: number
  /** A bounded source gave its last record. */
  readonly ended: boolean
}

/** What is known of one sink at an instant. */
export interface SinkEvidence {
  readonly name: string
  /** Points not acknowledged yet. */
  readonly waiting: number
  /** How long the oldest of them waits; undefined when none does. */
  readonly oldestWaitingMs: DurationMs | undefined
  /** Start of the oldest window with a point that is not acknowledged; undefined when none. */
  readonly oldestUnwritten: EpochMs | undefined
  /** The last failure since the last success, in words. */
  readonly lastError: string | undefined
  /** Points wait, and no attempt has had an outcome since Warden started: whether it fails is not known. Left out: false. */
  readonly untried?: boolean
}

/** A window of a metric ended: the watermark passed its end. */
export interface WindowClosing {
  readonly metric: string
  readonly window: Window
  /** `whole`: every series that is known has its pane. `partial`: records are missing. `silent`: the source had no event in it. */
  readonly kind: 'whole' | 'partial' | 'silent'
}

/** What a checkpoint's companions judge by: everything at the instant the checkpoint is collected. */
export interface JobEvidence {
  readonly now: EpochMs
  readonly sources: readonly SourceEvidence[]
  readonly sinks: readonly SinkEvidence[]
  /** Late events since the job began, by metric. */
  readonly late: ReadonlyMap<string, number>
  /** Age of the last durable checkpoint. */
  readonly checkpointAgeMs: DurationMs
}
