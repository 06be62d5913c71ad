/** The shape of a stream of loan events; the same spec gives the same records. */
export interface LoadSpec {
  readonly events: number
  /** Each of them has an event before any has a second one, but for duplicates. */
  readonly users: number
  /** Event time that the events cover, in hours. */
  readonly hours: number
  readonly partitions: number
  /** Business lines × products; a user has one of them for good. */
  readonly series: number
  /** Length of a document, about; 0: as an order service writes them, 312. */
  readonly bytes: number
  /** Share of events whose user had one before, 0–0.99. */
  readonly duplicates: number
  /** Share of events that one user makes. */
  readonly hotUser: number
  /** Share of users that have the first series. */
  readonly hotSeries: number
  /** Share of events in partition 0. */
  readonly hotPartition: number
  /** Fields `f1`, `f2` … with a number, for paths that a filter names. */
  readonly extraFields: number
  /** Are the events of a user in one partition? */
  readonly keyed: boolean
}

export const usualLoad: LoadSpec = {
  events: 3_000_000,
  users: 3_000_000,
  hours: 6,
  partitions: 4,
  series: 12,
  bytes: 0,
  duplicates: 0,
  hotUser: 0,
  hotSeries: 0,
  hotPartition: 0,
  extraFields: 0,
  keyed: false,
}

/** Records in the topic: the closing ones of each partition included. */
export function recordsOf(spec: LoadSpec): number {
  return spec.events + spec.partitions
}

/** A topic name that no other spec has. */
export function topicOf(spec: LoadSpec, compression: string): string {
  return `bench-${Object.values(spec).map(Number).join('-')}-${compression}`
}
