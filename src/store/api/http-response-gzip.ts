import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyInstance } from 'fastify'

/** Shorter answers fit into one packet. */
const LEAST_CHARACTERS = 1_400

/** Level 1: the answers are numbers, more work makes them little shorter. */
const LEVEL = 1

const compress = promisify(gzip)

/** Compresses answers for clients that accept gzip, off the main thread. */
export function compressAnswers(scope: FastifyInstance): void {
  scope.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload !== 'string' || payload.length < LEAST_CHARACTERS) return payload
    reply.header('vary', 'accept-encoding')
    if (!acceptsGzip(request.headers['accept-encoding'])) return payload
    const bytes = await compress(payload, { level: LEVEL })
    reply.header('content-encoding', 'gzip').header('content-length', bytes.length)
    return bytes
  })
}

function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .some((one) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(one))
}
