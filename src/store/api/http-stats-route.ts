import type { FastifyInstance } from 'fastify'
import { nameKinds } from '../name-dictionary.ts'
import { replyJson, route, type StoreApiContext } from './http-exchange.ts'

/** /api/stats: OpenTSDB's names where the store has the same thing, else its own. */
export function registerStats(server: FastifyInstance, context: StoreApiContext): void {
  const { store, clock, figures } = context

  const answer = async (_request: unknown, reply: Parameters<typeof replyJson>[0]) => {
    const timestamp = Math.floor(clock.now() / 1_000)
    const one = (metric: string, value: number, tags: Readonly<Record<string, string>> = {}) => ({
      metric: `tsd.${metric}`,
      timestamp,
      value: String(value),
      tags,
    })
    return replyJson(
      reply,
      200,
      JSON.stringify([
        one('datapoints.added', figures.stored, { type: 'all' }),
        one('rpc.errors', figures.refused, { type: 'illegal_arguments' }),
        one('http.query.success', figures.queries),
        ...nameKinds.map((kind) => one('uid.ids-used', store.index.names[kind].size, { kind })),
        one('store.series', store.index.size),
        one('store.bytes', store.usedBytes(), { kind: 'used' }),
        one('store.bytes', store.sizeBytes(), { kind: 'file' }),
      ]),
    )
  }
  route(server, '/api/stats', { GET: answer, POST: answer })
}
