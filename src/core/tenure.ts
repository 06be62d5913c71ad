/** The right of this process to act for a job; it ends by itself, at any moment. */
export interface Tenure {
  /**
   * May something leave the process now? Asked right before it does. False from the moment on at which another process could be the one
   * that acts, also in a process that was frozen meanwhile.
   */
  held(): boolean
  /** Aborted when it is over, with the reason. */
  readonly lost: AbortSignal
}
