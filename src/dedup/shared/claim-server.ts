/** What a shared dedup backend asks of the server that holds its keys; `redis-claim-server.ts` is the real one. */
export interface ClaimServer {
  /**
   * For each field that the bucket does not have yet, sets it to its value; one atomic step for all.
   * @returns for each field what it holds now: its own value or an earlier one
   * Rejects with `dedup_unreachable` when nothing is known of the outcome: asking again is harmless.
   */
  claim(
    bucket: string,
    fields: readonly string[],
    values: readonly string[],
  ): Promise<readonly string[]>
  /** Removes buckets with everything in them. */
  drop(buckets: readonly string[]): Promise<void>
  close(): Promise<void>
}
