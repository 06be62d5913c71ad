import type { Reject } from '../../core/rows.ts'
import type { DeadRecord } from './lane-messages.ts'

/** A dead letter as a line of its output. */
export function deadRecord(source: string, partition: string, reject: Reject): DeadRecord {
  const { reason, detail, metric, offset, recordTimestamp } = reject
  const json = JSON.stringify({
    reason,
    detail,
    metric,
    source,
    partition,
    offset,
    recordTimestamp,
    ...readableBytes(reject.bytes),
  })
  return { reason, key: `${source}/${partition}/${offset}`, json }
}

/** `value` where the bytes are text, else `base64`. */
function readableBytes(bytes: Uint8Array): { value: string } | { base64: string } {
  try {
    return { value: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') }
  }
}
