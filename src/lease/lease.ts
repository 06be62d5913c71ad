/**
 * Port of the right to be the one Warden that works on a job. Several processes ask, at most one holds it; it ends by
 * itself when its holder can't be heard any more.
 */
export interface Lease {
  /** Who holds it now, in words; undefined when nobody does or it is not known. */
  holder(): string | undefined
  /**
   * Waits until this process holds it, over any number of failures of the service behind it; rejects with the signal's
   * reason when aborted, and with a WardenError when asking again can't help (no right, a wrong address of the path).
   */
  acquire(signal: AbortSignal): Promise<Holding>
  /** Gives it back and lets go of the service. */
  close(): Promise<void>
}

/** A lease that was got; it is lost for good once, and then has to be acquired anew. */
export interface Holding {
  /** Larger than that of every holder before: what an old holder wrote can be told from what a new one writes. */
  readonly token: bigint
  /**
   * May something be written now? Asked before each batch of writes and each commit. It is false from the moment on at which
   * another process could hold the lease, also in a process that was frozen meanwhile: it is judged by time that went by
   * since the service last answered, never by what the service said before.
   */
  held(): boolean
  /** Aborted when it is lost or given back, with the reason. */
  readonly lost: AbortSignal
}
