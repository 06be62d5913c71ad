/** A note at a time, for one series or, without one, for all. */
export interface Annotation {
  /** Empty for a global note. */
  readonly tsuid: string
  /** As the client gave it: seconds, or ms when above 2^32. */
  readonly startTime: number
  /** 0 when it has no end. */
  readonly endTime: number
  readonly description: string
  readonly notes: string
  readonly custom?: Readonly<Record<string, string>>
}

/** Times above it are ms, others seconds. */
const LARGEST_SECOND = 2 ** 32

export function annotationTimeMs(time: number): number {
  return time >= LARGEST_SECOND ? time : time * 1_000
}
