import type { DataPoint } from './sink.ts'

/**
 * Incarnation → position in the outbox after the last entry of it that stands in the log. Positions alone would not do: a state that is
 * begun anew or restored counts them again, under a higher incarnation.
 */
export type LogMarks = ReadonlyMap<number, number>

/** Port of a sink that keeps every revision, in the order of the outbox: a topic, not a store that overwrites. */
export interface LogSink {
  readonly name: string
  /**
   * Takes the log over from whoever wrote it before, an earlier life of this process included, and says where it stands.
   * @throws WardenError `sink_unreachable` when it should be tried again, `sink_fenced` when somebody else has taken the log over from this process
   */
  open(): Promise<LogMarks>
  /** Writes points and marks, both or neither. What became of it is not known after a rejection: `open` tells. */
  append(points: readonly DataPoint[], marks: LogMarks): Promise<void>
  close(): Promise<void>
}
