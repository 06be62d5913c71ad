import { WardenError } from '../core/errors.ts'
import type { Holding } from './lease.ts'

/** Share of the term after which the holder stops by itself: the rest covers clocks that run at different speeds. */
const usableShare = 2 / 3

/**
 * The time for which a lease may be used. The service counts the term from when it heard a renewal, which is after the
 * renewal was sent: counted from the sending, the term ends here before it ends there.
 * Source of the rule: Gray & Cheriton, "Leases", 1989.
 */
export class LeaseTerm implements Holding {
  readonly token: bigint
  readonly #usableMs: number
  readonly #monotonic: () => number
  readonly #ended = new AbortController()
  #renewedAt: number

  /**
   * @param termMs after this long without a renewal the service gives the lease to another
   * @param sentAt when the request that got it was sent, by `monotonic`
   * @param monotonic milliseconds of a clock that nobody sets
   */
  constructor(token: bigint, termMs: number, sentAt: number, monotonic: () => number) {
    this.token = token
    this.#usableMs = termMs * usableShare
    this.#renewedAt = sentAt
    this.#monotonic = monotonic
  }

  get lost(): AbortSignal {
    return this.#ended.signal
  }

  /** Milliseconds for which it may be used without a further renewal. */
  get leftMs(): number {
    return this.#renewedAt + this.#usableMs - this.#monotonic()
  }

  held(): boolean {
    if (this.lost.aborted) return false
    if (this.leftMs > 0) return true
    this.end('the lease was not renewed in time')
    return false
  }

  /** The service answered a renewal that was sent at `sentAt`. One that comes after the term's end renews nothing. */
  renewed(sentAt: number): void {
    if (this.held() && sentAt > this.#renewedAt) this.#renewedAt = sentAt
  }

  end(reason: string): void {
    if (!this.lost.aborted) this.#ended.abort(new WardenError('lease_lost', reason))
  }
}
