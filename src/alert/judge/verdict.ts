import type {
  JobEvidence,
  PartitionEvidence,
  SinkEvidence,
  SourceEvidence,
} from '../../core/evidence.ts'
import { type EpochMs, formatDuration } from '../../core/time.ts'
import type { VerdictDelivery, VerdictEvidence, VerdictValue } from '../../core/verdict.ts'
import { rowFlags, type WindowBlock } from '../history/window-block.ts'

/** What holds for all series of a metric in a due window. */
export interface WindowVerdict {
  /** `closed`: its series are ZERO or OK, each for itself. */
  readonly value: Exclude<VerdictValue, 'ZERO' | 'OK'> | 'closed'
  readonly delivery: VerdictDelivery
  readonly reason: string
}

/**
 * Judges a due window as far as that does not depend on the series.
 * @param seenWhole the metric had a whole window before, or this is one
 */
export function judgeWindow(
  block: WindowBlock,
  source: SourceEvidence | undefined,
  seenWhole: boolean,
  now: EpochMs,
): WindowVerdict {
  const delivery = block.writtenAt === undefined ? 'unwritten' : 'written'
  switch (block.kind) {
    case 'whole':
      return { value: 'closed', delivery, reason: 'the window is complete' }
    case 'silent':
      return { value: 'SOURCE_SILENT', delivery, reason: 'the source had no event in the window' }
    case 'partial':
      return { value: 'UNKNOWN', delivery, reason: 'records of the window are missing' }
    case 'open':
      return judgeOpen(source, seenWhole, now)
  }
}

function judgeOpen(
  source: SourceEvidence | undefined,
  seenWhole: boolean,
  now: EpochMs,
): WindowVerdict {
  const delivery = 'unwritten'
  if (isSilent(source)) {
    const reason = 'every partition stands at its end, and nothing comes'
    return { value: 'SOURCE_SILENT', delivery, reason }
  }
  const reason = lateReason(source, now)
  if (seenWhole) return { value: 'LATE', delivery, reason }
  return { value: 'UNKNOWN', delivery, reason: `no window was seen whole yet; ${reason}` }
}

/** Is it proved that there is nothing to read? Never when a partition is unread, unreachable or of unknown lag. */
export function isSilent(source: SourceEvidence | undefined): boolean {
  if (source === undefined || source.partitions.length === 0) return false
  return source.partitions.every(
    (one) =>
      one.trouble === undefined &&
      one.caughtUpAt !== undefined &&
      (one.idle || one.watermark === undefined) &&
      (one.lag === undefined || one.lag === 0),
  )
}

function lateReason(source: SourceEvidence | undefined, now: EpochMs): string {
  if (source === undefined) return 'nothing is known of the source'
  const troubled = source.partitions.find((one) => one.trouble !== undefined)
  if (troubled !== undefined) {
    return `partition ${troubled.name} of ${source.name} is not being read: ${troubled.trouble}`
  }
  const lag = totalLag(source)
  const age = source.watermark === undefined ? undefined : now - source.watermark
  const watermark =
    age === undefined || !Number.isFinite(age)
      ? 'there is no watermark yet'
      : `the watermark is ${formatDuration(Math.max(0, Math.round(age / 1000) * 1000))} old`
  if (lag === undefined) return `${watermark}, the lag of ${source.name} is not known`
  return lag > 0 ? `${watermark}, ${lag} records of ${source.name} wait` : watermark
}

/** Sum over partitions; undefined when that of one is unknown. */
export function totalLag(source: SourceEvidence): number | undefined {
  let sum = 0
  for (const { lag } of source.partitions) {
    if (lag === undefined) return undefined
    sum += lag
  }
  return sum
}

/** The verdict on one series of a window. */
export function seriesValue(
  window: WindowVerdict,
  block: WindowBlock,
  series: number,
): VerdictValue {
  if (window.value !== 'closed') return window.value
  return block.flag(series) === rowFlags.events ? 'OK' : 'ZERO'
}

/** Start of the oldest window that a sink does not have; undefined: every sink has everything. */
export function oldestUnwritten(sinks: readonly SinkEvidence[]): EpochMs | undefined {
  let oldest: EpochMs | undefined
  for (const sink of sinks) {
    if (sink.oldestUnwritten === undefined) continue
    if (oldest === undefined || sink.oldestUnwritten < oldest) oldest = sink.oldestUnwritten
  }
  return oldest
}

/** Partitions that one message lists. */
const maxPartitions = 20

/** What people are shown, the troubled and lagging partitions first. */
export function evidenceOf(
  evidence: JobEvidence,
  sourceName: string,
  numbers: { readonly events: number | undefined; readonly deduplicated: number | undefined },
  sourceRate: number | undefined,
): VerdictEvidence {
  const source = evidence.sources.find(({ name }) => name === sourceName)
  const watermark = finite(source?.watermark)
  const partitions = [...(source?.partitions ?? [])].sort((a, b) => weight(b) - weight(a))
  return {
    source: source?.name ?? '',
    records: source?.records ?? 0,
    sourceRate,
    watermark,
    watermarkAgeMs: watermark === undefined ? undefined : evidence.now - watermark,
    lag: source === undefined ? undefined : totalLag(source),
    partitions: partitions
      .slice(0, maxPartitions)
      .map(({ name, lag, idle, trouble }) => ({ name, lag, idle, trouble })),
    ...numbers,
    oldestUnwritten: oldestUnwritten(evidence.sinks),
    sinkErrors: evidence.sinks.flatMap(({ name, lastError }) =>
      lastError === undefined ? [] : [{ sink: name, error: lastError }],
    ),
  }
}

const weight = (one: PartitionEvidence): number =>
  one.trouble === undefined ? (one.lag ?? Number.MAX_SAFE_INTEGER) : Number.POSITIVE_INFINITY

const finite = (at: EpochMs | undefined): EpochMs | undefined =>
  at === undefined || !Number.isFinite(at) ? undefined : at
