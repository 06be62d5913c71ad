import { timingSafeEqual } from 'node:crypto'
import { type FastifyInstance, fastify } from 'fastify'
import { linkPath } from '../alert/notify/links/http-link-token.ts'
import { WardenError } from '../core/errors.ts'
import type { Logger } from '../core/telemetry.ts'

export interface ServerOptions {
  readonly host: string
  readonly port: number
  /** Bearer token asked of every request but those of /health and of alert links; undefined: none. */
  readonly token: string | undefined
  /** What the routes say of the process. */
  readonly health: () => JobHealth
  /** The page for a scrape by Prometheus. */
  readonly exposition: () => Promise<string>
  readonly expositionType: string
  /** More routes, registered before the server listens. */
  readonly register: (server: FastifyInstance) => Promise<void>
}

export interface JobHealth {
  /** Counting, with a checkpoint not long ago. */
  readonly ready: boolean
  /** Each part and what is wrong with it; empty when all is well. */
  readonly troubles: readonly string[]
  readonly details: Readonly<Record<string, unknown>>
}

/**
 * The one HTTP server of a job: /health/live, /health/ready, /health/leader, /metrics and what else is registered.
 * @returns it, listening @throws WardenError `usage` when the address is taken
 */
export async function startServer(
  options: ServerOptions,
  logger: Logger,
): Promise<FastifyInstance> {
  const server = fastify({ logger: false, forceCloseConnections: true, bodyLimit: 64 * 2 ** 20 })
  const { token } = options
  if (token !== undefined) {
    server.addHook('onRequest', async (request, reply) => {
      // The address of an alert link is a permission by itself.
      const isOpen =
        request.url.startsWith('/health/') ||
        request.url.startsWith(`${linkPath}?`) ||
        request.url === linkPath
      if (isOpen || isAuthorized(request.headers.authorization, token)) return
      await reply
        .code(401)
        .header('www-authenticate', 'Bearer')
        .send({ error: 'a bearer token is required' })
    })
  }
  server.get('/health/live', () => ({ status: 'ok' }))
  server.get('/health/ready', async (_, reply) => {
    const { ready, troubles, details } = options.health()
    return reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ok' : 'not ready', troubles, ...details })
  })
  server.get('/health/leader', async (_, reply) => {
    const { role = 'leader' } = options.health().details
    return reply.code(role === 'leader' ? 200 : 503).send({ role })
  })
  server.get('/metrics', async (_, reply) =>
    reply.type(options.expositionType).send(await options.exposition()),
  )
  await options.register(server)
  try {
    await server.listen({ host: options.host, port: options.port })
  } catch (cause) {
    await server.close()
    throw new WardenError(
      'usage',
      `can't listen on ${options.host}:${options.port}: ${cause instanceof Error ? cause.message : String(cause)}; stop what listens there, or set server.listen to another address`,
      { cause },
    )
  }
  logger.info({ addresses: server.addresses() }, 'listening')
  return server
}

function isAuthorized(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? '')
  const wanted = Buffer.from(`Bearer ${token}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}
