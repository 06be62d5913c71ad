import { epochMs } from '../core/time.ts'
import type { RecordVisitor } from './record-run.ts'
import type { SourceBatch } from './source.ts'

/** Default bound of a document in `lines` framing, in bytes. */
export const MAX_LINE_BYTES = 1_048_576

const NEWLINE = 10
const CARRIAGE_RETURN = 13

/**
 * Visits the JSON documents of a batch in `lines` framing: one a line, ended by `\n`, `\r\n` or the end of the bytes.
 * A document's offset is that of its line's first byte. Blank lines are no records.
 */
export function visitLines(batch: SourceBatch, visitor: RecordVisitor): void {
  const { bytes, fromOffset } = batch
  const timestamp = Math.max(0, epochMs(batch.recordTimestamp))
  let start = 0
  while (start < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, start)
    const next = newline < 0 ? bytes.length : newline + 1
    let end = newline < 0 ? bytes.length : newline
    if (end > start && bytes[end - 1] === CARRIAGE_RETURN) end--
    if (!isBlank(bytes, start, end)) {
      visitor.record(bytes, start, end, fromOffset + start, timestamp)
    }
    start = next
  }
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const c = bytes[i]
    if (c !== 32 && c !== 9 && c !== CARRIAGE_RETURN) return false
  }
  return true
}
