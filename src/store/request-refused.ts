/**
 * A request that the store answers with an error, thrown by the pure parts and answered at the HTTP edge. It is no broken
 * promise: nothing is logged, nothing retried.
 */
export class RequestRefused extends Error {
  /** HTTP status of the answer. */
  readonly status: number
  /** More for a person; undefined when the message says it all. */
  readonly details: string | undefined

  constructor(status: number, message: string, details?: string) {
    super(message)
    this.name = 'RequestRefused'
    this.status = status
    this.details = details
  }
}
