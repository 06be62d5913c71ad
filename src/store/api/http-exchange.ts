import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock, Logger, Metrics } from '../../core/telemetry.ts'
import type { PointStore } from '../point-store.ts'
import type { QueryLimits } from '../query/run-query.ts'
import { RequestRefused } from '../request-refused.ts'

export interface StoreApiLimits extends QueryLimits {
  /** Bytes of a request on the wire. */
  readonly bodyBytes: number
  /** Bytes of a request whose body came compressed. */
  readonly inflatedBytes: number
}

/** What the routes work with. */
export interface StoreApiContext {
  readonly store: PointStore
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly limits: StoreApiLimits
  readonly figures: StoreFigures
}

/** What /api/stats tells beside the size of the store, counted since the start. */
export interface StoreFigures {
  /** Points that puts stored and refused. */
  stored: number
  refused: number
  /** Queries that were answered. */
  queries: number
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']

export type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

/** Registers one handler per method; other methods are answered as OpenTSDB does, with 405. */
export function route(
  server: FastifyInstance,
  url: string,
  handlers: Partial<Record<Method, Handler>>,
): void {
  server.route({
    method: methods,
    url,
    handler: async (request, reply) => {
      const handler = handlers[request.method as Method]
      if (handler === undefined) {
        throw new RequestRefused(
          405,
          'Method not allowed',
          `The HTTP method [${request.method}] is not permitted for this endpoint`,
        )
      }
      return handler(request, reply)
    },
  })
}

const inflate = promisify(gunzip)

/** The body as text, inflated when it came as gzip; whatever its content type says. */
export async function bodyText(request: FastifyRequest, maxInflatedBytes: number): Promise<string> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  if (!/\bgzip\b/i.test(request.headers['content-encoding'] ?? '') || body.length === 0) {
    return body.toString('utf8')
  }
  try {
    return (await inflate(body, { maxOutputLength: maxInflatedBytes })).toString('utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new RequestRefused(413, `The body inflates to more than ${maxInflatedBytes} bytes`)
    }
    throw new RequestRefused(400, 'The body is not gzip, as its Content-Encoding says')
  }
}

/** The body as JSON. @throws RequestRefused */
export async function bodyJson(
  request: FastifyRequest,
  maxInflatedBytes: number,
  missing = 'Missing message content',
): Promise<unknown> {
  const text = (await bodyText(request, maxInflatedBytes)).trim()
  if (text === '') throw new RequestRefused(400, missing)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new RequestRefused(
      400,
      'Unable to parse the given JSON',
      cause instanceof Error ? cause.message : String(cause),
    )
  }
}

/** Values of a parameter of the query string, in order; `[]` when it is not there. */
export function parameters(request: FastifyRequest, name: string): string[] {
  const value = (request.query as Readonly<Record<string, string | string[] | undefined>>)[name]
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

/** First value of a parameter; undefined when it is not there. */
export function parameter(request: FastifyRequest, name: string): string | undefined {
  return parameters(request, name)[0]
}

/** Is the parameter there, whatever its value? */
export function has(request: FastifyRequest, name: string): boolean {
  return parameters(request, name).length > 0
}

/** @throws RequestRefused */
export function required(request: FastifyRequest, name: string): string {
  const value = parameter(request, name)
  if (!value) throw new RequestRefused(400, `Missing parameter <code>${name}</code>`)
  return value
}

/** A whole number; undefined when it is not there. @throws RequestRefused with `message` */
export function numberParameter(
  request: FastifyRequest,
  name: string,
  message: string,
): number | undefined {
  const value = parameter(request, name)
  if (!value) return undefined
  if (!/^[+-]?\d{1,10}$/.test(value)) throw new RequestRefused(400, message)
  return Number(value)
}

/** Ends the exchange with a JSON text. */
export function replyJson(reply: FastifyReply, status: number, json: string): FastifyReply {
  return reply.code(status).header('content-type', 'application/json; charset=UTF-8').send(json)
}

/** OpenTSDB's form of an error, without the stack. */
export function errorJson(code: number, message: string, details?: string): string {
  return JSON.stringify({
    error: { code, message, ...(details === undefined ? {} : { details }) },
  })
}
