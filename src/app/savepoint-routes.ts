import type { FastifyInstance } from 'fastify'
import { asWardenError } from '../core/errors.ts'
import type { FileStateCopies } from '../state/file-state-copies.ts'
import type { StateCopier } from './savepoints.ts'

/** `POST /api/savepoints` takes one of the running job, `GET /api/savepoints` lists them. The token is the server's affair. */
export function registerSavepointRoutes(
  server: FastifyInstance,
  copier: StateCopier,
  savepoints: FileStateCopies,
): void {
  server.get('/api/savepoints', () => savepoints.list())
  server.post('/api/savepoints', async (_, reply) => {
    try {
      return await reply.code(201).send(await copier.savepoint())
    } catch (cause) {
      const { code, message } = asWardenError(cause)
      return await reply.code(code === 'usage' ? 409 : 500).send({ error: message, code })
    }
  })
}
