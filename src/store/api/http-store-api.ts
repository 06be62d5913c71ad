import type { FastifyError, FastifyInstance } from 'fastify'
import type { Telemetry } from '../../core/telemetry.ts'
import type { PointStore } from '../point-store.ts'
import { aggregatorNames } from '../query/aggregator.ts'
import { defaultQueryLimits } from '../query/run-query.ts'
import { filterTypes } from '../query/tag-filter.ts'
import { RequestRefused } from '../request-refused.ts'
import { registerAnnotations } from './http-annotation-route.ts'
import {
  errorJson,
  replyJson,
  route,
  type StoreApiContext,
  type StoreApiLimits,
} from './http-exchange.ts'
import { registerNames } from './http-names-route.ts'
import { registerPut } from './http-put-route.ts'
import { registerQuery } from './http-query-route.ts'
import { compressAnswers } from './http-response-gzip.ts'
import { registerStats } from './http-stats-route.ts'

export interface StoreApiOptions {
  readonly store: PointStore
  readonly telemetry: Telemetry
  /** Text for /api/version. */
  readonly version: string
  readonly limits?: Partial<StoreApiLimits>
}

const MIB = 2 ** 20

/** What OpenTSDB is imitated: Grafana and scripts may look at it. */
const COMPATIBLE_WITH = '2.4.1'

/**
 * Registers OpenTSDB 2.4's HTTP API under /api on `server`, in a scope of its own: body parsing and error answers of
 * other routes stay as they are.
 */
export async function registerStoreApi(
  server: FastifyInstance,
  options: StoreApiOptions,
): Promise<void> {
  const { store, telemetry, version } = options
  const limits: StoreApiLimits = {
    ...defaultQueryLimits,
    bodyBytes: 16 * MIB,
    inflatedBytes: 64 * MIB,
    ...options.limits,
  }
  const figures = { stored: 0, refused: 0, queries: 0 }
  const context: StoreApiContext = { store, ...telemetry, limits, figures }
  await server.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit: limits.bodyBytes },
      async (_request: unknown, body: unknown) => body,
    )
    answerErrors(scope, context)
    compressAnswers(scope)
    registerPut(scope, context)
    registerQuery(scope, context)
    registerNames(scope, context)
    registerAnnotations(scope, context)
    registerFacts(scope, version)
    registerStats(scope, context)
  })
}

function registerFacts(scope: FastifyInstance, version: string): void {
  const fact = (url: string, json: string): void => {
    const answer = async (_request: unknown, reply: Parameters<typeof replyJson>[0]) =>
      replyJson(reply, 200, json)
    route(scope, url, { GET: answer, POST: answer })
  }
  fact('/api/aggregators', JSON.stringify(aggregatorNames()))
  fact('/api/config/filters', JSON.stringify(filterTypes))
  fact(
    '/api/version',
    JSON.stringify({ version: COMPATIBLE_WITH, repo: 'warden', short_revision: version }),
  )
}

/** Answers errors in OpenTSDB's form. */
function answerErrors(scope: FastifyInstance, { logger }: StoreApiContext): void {
  scope.setErrorHandler((error: FastifyError | RequestRefused | Error, request, reply) => {
    if (error instanceof RequestRefused) {
      return replyJson(reply, error.status, errorJson(error.status, error.message, error.details))
    }
    const status = 'statusCode' in error ? (error.statusCode ?? 500) : 500
    if (status >= 500) {
      logger.error({ error, method: request.method, url: request.url }, 'a store request failed')
    }
    return replyJson(reply, status, errorJson(status, error.message))
  })
}
