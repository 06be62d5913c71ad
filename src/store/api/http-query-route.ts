import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseMetricExpression, parseTsuidExpression } from '../query/metric-expression.ts'
import { queryAnswer } from '../query/query-answer.ts'
import { parseQueryJson } from '../query/query-json.ts'
import { runQuery } from '../query/run-query.ts'
import { checkedQuery, type RawQuery } from '../query/store-query.ts'
import { RequestRefused } from '../request-refused.ts'
import {
  bodyJson,
  has,
  parameter,
  parameters,
  replyJson,
  required,
  route,
  type StoreApiContext,
} from './http-exchange.ts'

const durationBuckets = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10]

/** GET and POST /api/query. A long query lets other work of the process run in between. */
export function registerQuery(server: FastifyInstance, context: StoreApiContext): void {
  const { store, clock, metrics, limits, figures } = context
  const duration = metrics.histogram(
    'warden_store_query_seconds',
    'Time from a query to its answer.',
    durationBuckets,
  )

  async function answer(
    raw: RawQuery,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const startedAt = clock.now()
    const query = checkedQuery(raw, startedAt)
    const results = await finished(runQuery(query, store, limits))
    const { startMs, endMs } = query
    const globals =
      query.globalAnnotations && !query.noAnnotations ? store.annotations('', startMs, endMs) : []
    const json = queryAnswer(query, results, globals, has(request, 'arrays'))
    figures.queries++
    duration.observe((clock.now() - startedAt) / 1_000)
    return replyJson(reply, 200, json)
  }

  route(server, '/api/query', {
    GET: async (request, reply) => answer(queryOfParameters(request), request, reply),
    POST: async (request, reply) =>
      answer(parseQueryJson(await bodyJson(request, limits.inflatedBytes)), request, reply),
    DELETE: async () => {
      throw new RequestRefused(
        400,
        'Bad request',
        'Deleting data is not enabled (tsd.http.query.allow_delete=false)',
      )
    },
  })
}

function queryOfParameters(request: FastifyRequest): RawQuery {
  const start = required(request, 'start')
  const queries = [
    ...parameters(request, 'tsuid').map(parseTsuidExpression),
    ...parameters(request, 'm').map(parseMetricExpression),
  ]
  if (queries.length === 0) throw new RequestRefused(400, 'Missing sub queries')
  return {
    start,
    end: parameter(request, 'end'),
    timezone: parameter(request, 'tz') ?? parameter(request, 'timezone'),
    useCalendar: has(request, 'use_calendar'),
    msResolution: has(request, 'ms'),
    showQuery: has(request, 'show_query'),
    showTsuids: has(request, 'show_tsuids'),
    noAnnotations: has(request, 'no_annotations'),
    globalAnnotations: has(request, 'global_annotations'),
    delete: has(request, 'delete'),
    queries,
  }
}

/** Runs a generator to its end, a turn of the event loop per yield. */
async function finished<T>(steps: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    await setImmediate()
  }
}
