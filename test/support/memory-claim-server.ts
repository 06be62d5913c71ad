import { WardenError } from '../../src/core/errors.ts'
import type { ClaimServer } from '../../src/dedup/shared/claim-server.ts'

/** A claim server in memory that a test can take away. */
export class MemoryClaimServer implements ClaimServer {
  readonly buckets = new Map<string, Map<string, string>>()
  /** While it is set, every request is refused as unreachable. */
  away = false
  /** Does what it is asked, and then loses the answer of that many requests. */
  losesAnswers = 0
  requests = 0

  claim(
    bucket: string,
    fields: readonly string[],
    values: readonly string[],
  ): Promise<readonly string[]> {
    this.requests++
    if (this.away) return Promise.reject(new WardenError('dedup_unreachable', 'away'))
    const keys = this.buckets.get(bucket) ?? new Map<string, string>()
    this.buckets.set(bucket, keys)
    const held = fields.map((field, index) => {
      const known = keys.get(field)
      if (known === undefined) keys.set(field, values[index] ?? '')
      return known ?? values[index] ?? ''
    })
    if (this.losesAnswers === 0) return Promise.resolve(held)
    this.losesAnswers--
    return Promise.reject(new WardenError('dedup_unreachable', 'the answer was lost'))
  }

  drop(buckets: readonly string[]): Promise<void> {
    if (this.away) return Promise.reject(new WardenError('dedup_unreachable', 'away'))
    for (const bucket of buckets) this.buckets.delete(bucket)
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
