import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { WardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { hashKey } from './http-idempotency.ts'
import type { SegmentLog } from './http-segment-log.ts'
import { splitDocuments } from './json-documents.ts'

const unzip = promisify(gunzip)
const maxKeyLength = 1024
const closingMs = 5_000

export interface HttpReceiverOptions {
  readonly source: string
  readonly host: string
  readonly port: number
  readonly token: string | undefined
  readonly path: string
  readonly maxBodyBytes: number
  readonly maxPendingBytes: number
  readonly maxLogBytes: number
}

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  /** Seconds after which trying again makes sense. */
  readonly retryAfter?: number
}

const refused = (status: number, error: string, more: Readonly<Record<string, unknown>> = {}) => ({
  status,
  body: { error, ...more },
})

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** The HTTP side: checks a request and answers it when its events are durable. */
export class HttpReceiver {
  readonly #options: HttpReceiverOptions
  readonly #log: SegmentLog
  readonly #telemetry: Telemetry
  readonly #server: FastifyInstance
  /** Requests under way by key, so that a repeat waits for the first one instead of being taken twice. */
  readonly #underWay = new Map<string, Promise<Answer>>()
  /** Why events can't be taken now, in words. */
  trouble: string | undefined

  constructor(options: HttpReceiverOptions, log: SegmentLog, telemetry: Telemetry) {
    this.#options = options
    this.#log = log
    this.#telemetry = telemetry
    this.#server = Fastify({ bodyLimit: options.maxBodyBytes, forceCloseConnections: 'idle' })
    this.#routes()
  }

  get address(): { readonly host: string; readonly port: number } {
    const [bound] = this.#server.addresses()
    if (typeof bound !== 'object') return { host: this.#options.host, port: this.#options.port }
    return { host: bound.address, port: bound.port }
  }

  async listen(): Promise<void> {
    const { host, port, source } = this.#options
    try {
      await this.#server.listen({ host, port })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new WardenError('source_unreachable', `source ${source} can't listen: ${message}`, {
        cause: error,
      })
    }
  }

  /** Requests under way are answered first, for as long as `closingMs`. */
  async close(): Promise<void> {
    const cancel = this.#telemetry.clock.after(closingMs, () => {
      this.#server.server.closeAllConnections()
    })
    await this.#server.close()
    cancel()
  }

  #routes(): void {
    const server = this.#server
    server.removeAllContentTypeParsers()
    server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
      done(null, body)
    })
    server.addHook('onRequest', async (request, reply) => {
      if (!this.#isAllowed(request)) {
        const answer = refused(401, 'a bearer token is needed: Authorization: Bearer <token>')
        return this.#send(reply.header('www-authenticate', 'Bearer'), answer)
      }
      const busy = this.#busy()
      return busy === undefined ? undefined : this.#send(reply, busy)
    })
    server.post(this.#options.path, async (request, reply) =>
      this.#send(reply, await this.#receive(request)),
    )
    server.setNotFoundHandler((_request, reply) =>
      this.#send(reply, refused(404, `POST events to ${this.#options.path}`)),
    )
    server.setErrorHandler((error: Error & { readonly statusCode?: number }, _request, reply) =>
      this.#send(reply, refused(error.statusCode ?? 500, error.message)),
    )
  }

  #send(reply: FastifyReply, answer: Answer): FastifyReply {
    const { source } = this.#options
    this.#telemetry.metrics
      .counter('warden_http_requests_total', 'Requests to HTTP sources by status.', [
        'source',
        'status',
      ])
      .add(1, { source, status: String(answer.status) })
    this.#telemetry.metrics
      .gauge('warden_http_log_bytes', 'Bytes of an HTTP source’s log on disk.', ['source'])
      .set(this.#log.diskBytes, { source })
    if (answer.retryAfter !== undefined) reply.header('retry-after', answer.retryAfter)
    return reply.code(answer.status).send(answer.body)
  }

  #isAllowed(request: FastifyRequest): boolean {
    const { token } = this.#options
    if (token === undefined) return true
    const given = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
    const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
    return timingSafeEqual(digest(given), digest(token))
  }

  #busy(): Answer | undefined {
    const { maxLogBytes, maxPendingBytes } = this.#options
    if (this.#log.diskBytes >= maxLogBytes)
      return {
        ...refused(429, `the log is full (${maxLogBytes} bytes): the pipeline is behind`),
        retryAfter: 10,
      }
    if (this.#log.queuedBytes >= maxPendingBytes)
      return { ...refused(429, 'too much is waiting to be written'), retryAfter: 1 }
    return undefined
  }

  async #receive(request: FastifyRequest): Promise<Answer> {
    const body = await this.#bodyOf(request)
    if (!Buffer.isBuffer(body)) return body
    const split = splitDocuments(body)
    if (split.kind === 'invalid') {
      const { message, position, document } = split.problem
      return refused(400, `document ${document}, byte ${position}: ${message}`, {
        position,
        document,
      })
    }
    const given = request.headers['idempotency-key']
    if (given === undefined) return this.#append(split.lines, split.count, undefined)
    if (typeof given !== 'string' || given === '' || given.length > maxKeyLength)
      return refused(400, `Idempotency-Key must have 1 to ${maxKeyLength} characters`)
    return this.#appendOnce(split.lines, split.count, given)
  }

  async #bodyOf(request: FastifyRequest): Promise<Buffer | Answer> {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase()
    if (encoding === 'identity') return body
    if (encoding !== 'gzip')
      return refused(415, `content-encoding ${encoding} is not known: use gzip or none`)
    const { maxBodyBytes } = this.#options
    try {
      return await unzip(body, { maxOutputLength: maxBodyBytes })
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
        return refused(413, `the body is larger than ${maxBodyBytes} bytes when decompressed`)
      return refused(400, 'the body is no valid gzip', { position: 0 })
    }
  }

  /** One append for each key, however often and however close together it is sent. */
  async #appendOnce(lines: Buffer, count: number, given: string): Promise<Answer> {
    const key = hashKey(given)
    const name = key.toString('latin1')
    for (let first = this.#underWay.get(name); first !== undefined; ) {
      const answer = await first
      if (answer.status === 200) return duplicate
      first = this.#underWay.get(name)
    }
    if (this.#log.keys.has(key, this.#telemetry.clock.now())) return duplicate
    const appended = this.#append(lines, count, key)
    this.#underWay.set(name, appended)
    try {
      return await appended
    } finally {
      this.#underWay.delete(name)
    }
  }

  async #append(lines: Buffer, count: number, key: Buffer | undefined): Promise<Answer> {
    if (count === 0) return { status: 200, body: { accepted: 0 } }
    // It was checked before the body came; many may have come at once since.
    const busy = this.#busy()
    if (busy !== undefined) return busy
    try {
      await this.#log.append(lines, key)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.trouble = `the log can't be written: ${message}`
      this.#telemetry.logger.error({ source: this.#options.source, error: message }, this.trouble)
      return { ...refused(503, this.trouble), retryAfter: 5 }
    }
    this.trouble = undefined
    return { status: 200, body: { accepted: count } }
  }
}

const duplicate: Answer = { status: 200, body: { accepted: 0, duplicate: true } }
