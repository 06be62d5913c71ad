import type { LateEvent } from '../core/rows.ts'
import type { SideRecord } from '../ingest/side-output.ts'

/** A late event as a line of the side output: what it was, and why it came too late. */
export function lateRecord(source: string, event: LateEvent): SideRecord {
  const { metric, partition, offset, time, tags, outcome, values, windowEnd, watermark } = event
  return {
    key: `${source}/${partition}/${offset}/${metric}`,
    json: JSON.stringify({
      reason: 'late',
      metric,
      source,
      partition,
      offset,
      time,
      tags,
      outcome,
      values: values.map((value) => (Number.isNaN(value) ? null : value)),
      windowEnd,
      watermark,
    }),
  }
}
