import type {
  JobEvidence,
  PartitionEvidence,
  SinkEvidence,
  SourceEvidence,
} from '../core/evidence.ts'
import { durationMs, type EpochMs } from '../core/time.ts'
import type { PipelineInput } from './pipeline-input.ts'

/** Everything that verdicts are judged by, at this instant. @param succeededAt when the last checkpoint became durable */
export function jobEvidence(
  inputs: readonly PipelineInput[],
  sinks: readonly SinkEvidence[],
  succeededAt: EpochMs,
  now: EpochMs,
): JobEvidence {
  return {
    now,
    sources: inputs.map(sourceEvidence),
    sinks,
    late: new Map(
      inputs.flatMap(({ windows }) =>
        windows.metrics.map(({ plan, totals }) => [plan.name, totals.late] as const),
      ),
    ),
    checkpointAgeMs: durationMs(Math.max(0, now - succeededAt)),
  }
}

function sourceEvidence(input: PipelineInput): SourceEvidence {
  const { tracker } = input.windows
  return {
    name: input.name,
    watermark: known(tracker.combined),
    partitions: input.partitions().map(
      ({ name, lag, caughtUpAt, trouble }, index): PartitionEvidence => ({
        name,
        watermark: known(tracker.watermarkOf(index)),
        idle: tracker.isIdle(index),
        lag,
        caughtUpAt,
        trouble,
      }),
    ),
    records: input.totals.records,
    dead: Object.values(input.totals.dead).reduce((sum, count) => sum + count, 0),
    ended: input.ended,
  }
}

const known = (time: EpochMs): EpochMs | undefined =>
  time === Number.NEGATIVE_INFINITY ? undefined : time
