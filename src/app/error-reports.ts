import { WardenError } from '../core/errors.ts'
import type { Logger } from '../core/telemetry.ts'
import { withSentry } from '../sentry-logger.ts'

const flushMs = 2_000

/**
 * The logger of a job, whose errors go to Sentry too when there is a DSN. Nothing of Sentry is loaded without one.
 * @throws WardenError `usage` for a DSN that is none
 */
export async function reportErrors(
  logger: Logger,
  dsn: string | undefined,
  about: { readonly release: string; readonly job: string },
): Promise<{ readonly logger: Logger; readonly flush: () => Promise<void> }> {
  if (dsn === undefined || dsn === '') return { logger, flush: () => Promise.resolve() }
  try {
    const sentry = await withSentry(logger, { dsn, ...about })
    return { logger: sentry.logger, flush: () => sentry.flush(flushMs) }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new WardenError(
      'usage',
      `errors can't go to Sentry: ${reason}; set SENTRY_DSN right, or unset it`,
      {
        cause,
      },
    )
  }
}
