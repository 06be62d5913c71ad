import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseImportLine } from '../import-line.ts'
import { RequestRefused } from '../request-refused.ts'
import {
  bodyJson,
  bodyText,
  errorJson,
  has,
  numberParameter,
  replyJson,
  route,
  type StoreApiContext,
} from './http-exchange.ts'
import { judgePut } from './put-points.ts'

/**
 * POST /api/put. Every put is answered when its points are durable, with or without `sync`: a 204 here is a promise. Good points
 * of a request are stored although others are bad.
 */
export function registerPut(server: FastifyInstance, context: StoreApiContext): void {
  const { store, metrics, limits, figures } = context
  const stored = metrics.counter('warden_store_points_total', 'Points stored by /api/put.')
  const refused = metrics.counter(
    'warden_store_refused_points_total',
    'Points that /api/put refused.',
  )

  async function put(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const timeoutMs = numberParameter(
      request,
      'sync_timeout',
      'Unable to parse sync_timeout as a number',
    )
    const verdicts = judgePut(await putBody(request, limits.inflatedBytes))
    const points = verdicts.flatMap((verdict) => (verdict.kind === 'good' ? [verdict.point] : []))
    const errors = verdicts.flatMap(({ kind, ...rest }) => (kind === 'bad' ? [rest] : []))
    if (points.length > 0) await store.write(points)
    stored.add(points.length)
    refused.add(errors.length)
    figures.stored += points.length
    figures.refused += errors.length
    const status = errors.length > 0 ? 400 : 200
    const details = has(request, 'details')
    if (details || has(request, 'summary')) {
      return replyJson(
        reply,
        status,
        JSON.stringify({
          ...((timeoutMs ?? 0) > 0 ? { timeouts: 0 } : {}),
          success: points.length,
          failed: errors.length,
          ...(details ? { errors } : {}),
        }),
      )
    }
    if (errors.length === 0) return reply.code(204).send()
    return replyJson(
      reply,
      400,
      errorJson(
        400,
        'One or more data points had errors',
        'Please see the TSD logs or append "details" to the put request',
      ),
    )
  }

  route(server, '/api/put', { POST: put })
}

async function putBody(request: FastifyRequest, maxInflatedBytes: number): Promise<unknown> {
  const text = (await bodyText(request, maxInflatedBytes)).trim()
  if (text === '') throw new RequestRefused(400, 'Missing request content')
  if (isLines(request, text)) return linesBody(text)
  if (!text.startsWith('{') && !text.startsWith('[')) {
    throw new RequestRefused(400, 'The JSON must start as an object or an array')
  }
  return bodyJson(request, maxInflatedBytes)
}

/** Telnet commands, or lines to import that say so: a metric may be called anything. */
function isLines(request: FastifyRequest, text: string): boolean {
  return /^put\s/.test(text) || /^text\/plain\b/i.test(request.headers['content-type'] ?? '')
}

/** Lines as the entries of a JSON put. A timestamp that is no number fails its line only. */
function linesBody(text: string): unknown {
  return text.split('\n').flatMap((line) => {
    const parsed = parseImportLine(line)
    if (parsed === undefined) return []
    const timestamp = /^\d{1,18}$/.test(parsed.timestamp) ? Number(parsed.timestamp) : 0
    return [{ ...parsed, timestamp }]
  })
}
