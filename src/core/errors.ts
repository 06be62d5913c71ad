/** Who has to act. */
export type Fault = 'user' | 'external' | 'internal'

/** What the pipeline does about it. */
export type Recovery = 'retry' | 'stop' | 'dead-letter'

interface ErrorClass {
  readonly fault: Fault
  readonly recovery: Recovery
}

/** Every code Warden raises; the code is the metric label. Edges classify, one place (the restart strategy) retries. */
export const errorCodes = {
  config_invalid: { fault: 'user', recovery: 'stop' },
  usage: { fault: 'user', recovery: 'stop' },
  state_locked: { fault: 'user', recovery: 'stop' },
  state_incompatible: { fault: 'user', recovery: 'stop' },
  state_corrupt: { fault: 'internal', recovery: 'stop' },
  state_write_failed: { fault: 'external', recovery: 'retry' },
  checkpoint_timeout: { fault: 'external', recovery: 'retry' },
  source_unreachable: { fault: 'external', recovery: 'retry' },
  source_auth: { fault: 'user', recovery: 'stop' },
  source_missing: { fault: 'user', recovery: 'stop' },
  source_unsupported: { fault: 'user', recovery: 'stop' },
  source_corrupt: { fault: 'external', recovery: 'retry' },
  source_stalled: { fault: 'external', recovery: 'retry' },
  dedup_unreachable: { fault: 'external', recovery: 'retry' },
  dedup_refused: { fault: 'user', recovery: 'stop' },
  enrich_unreachable: { fault: 'external', recovery: 'retry' },
  enrich_refused: { fault: 'user', recovery: 'stop' },
  partitions_changed: { fault: 'external', recovery: 'retry' },
  data_loss: { fault: 'external', recovery: 'stop' },
  too_many_dead_letters: { fault: 'external', recovery: 'stop' },
  sink_unreachable: { fault: 'external', recovery: 'retry' },
  sink_fenced: { fault: 'user', recovery: 'stop' },
  sink_refused: { fault: 'external', recovery: 'dead-letter' },
  lease_unreachable: { fault: 'external', recovery: 'retry' },
  lease_lost: { fault: 'external', recovery: 'retry' },
  lease_refused: { fault: 'user', recovery: 'stop' },
  internal: { fault: 'internal', recovery: 'retry' },
} as const satisfies Record<string, ErrorClass>

export type ErrorCode = keyof typeof errorCodes

/** The one error class: a code from the table, a message for a person (what is wrong, what would be right), and the cause. */
export class WardenError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'WardenError'
    this.code = code
  }

  get fault(): Fault {
    return errorCodes[this.code].fault
  }

  get recovery(): Recovery {
    return errorCodes[this.code].recovery
  }
}

/** The error itself when Warden raised it, else `internal` with it as the cause. */
export function asWardenError(error: unknown): WardenError {
  if (error instanceof WardenError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new WardenError('internal', message, { cause: error })
}
