import type { FastifyInstance } from 'fastify'
import { asWardenError } from '../core/errors.ts'
import type { Clock } from '../core/telemetry.ts'
import { takeProfiles } from './system-profiler.ts'

/** Longest profile, in seconds: V8 keeps its samples in memory. */
export const maxProfileSeconds = 300

/** `POST /api/profile?seconds=30` profiles all threads and answers with their profiles. The token is the server's affair. */
export function registerProfileRoute(server: FastifyInstance, clock: Clock): void {
  server.post('/api/profile', async (request, reply) => {
    const { seconds: text = '30' } = request.query as { readonly seconds?: string }
    const seconds = Number(text)
    if (!(seconds > 0 && seconds <= maxProfileSeconds)) {
      const error = `seconds must be above 0 and at most ${maxProfileSeconds}`
      return await reply.code(400).send({ error, code: 'usage' })
    }
    try {
      return { threads: await takeProfiles(seconds * 1000, clock) }
    } catch (cause) {
      const { code, message } = asWardenError(cause)
      return await reply.code(code === 'usage' ? 409 : 500).send({ error: message, code })
    }
  })
}
