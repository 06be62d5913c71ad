import { EventEmitter } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import {
  AuthenticationError,
  type Connection,
  NetworkError,
  Reader,
  saslAuthenticateV2,
  saslHandshakeV1,
  saslPlain,
  saslScramSha,
  TimeoutError,
  Writer,
} from '@platformatic/kafka'
import type { KafkaSasl } from './kafka-sasl.ts'

export interface FetchConnectionOptions {
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  /** undefined: plain text. */
  readonly tls: ConnectionOptions | undefined
  readonly sasl: KafkaSasl | undefined
}

type Send = Connection['send']
type Callback = (error: Error | null, answer: unknown) => void

interface Request {
  readonly parse: (correlation: number, key: number, version: number, reader: Reader) => unknown
  readonly apiKey: number
  readonly apiVersion: number
  readonly isTagged: boolean
  readonly done: Callback
  readonly timeout: NodeJS.Timeout
}

/** What the socket reads into, over and over. */
const readBytes = 131_072
/** Answers up to this long get memory of their own, which their reader may keep; longer ones share one piece. */
const ownBytes = 65_536
/** Memory kept from one answer for the next. */
const keptBytes = 8 * 2 ** 20
/** The protocol's own bound is 2^31 - 1; what is longer than this is no answer of a broker. */
const maxAnswerBytes = 2 ** 30
/** Share of a login's lifetime after which no new request is sent. */
const usableLifetime = 0.8

/**
 * A connection that reads into memory of its own. The library's takes a fresh 64 KiB from Node for every read, and the
 * garbage collector runs for memory outside its heap: a third of what reading cost. It is to the library's APIs what a
 * `Connection` is, and logs in with the library's SASL. Whoever parses a long answer must copy what is to stay.
 */
export class KafkaFetchConnection extends EventEmitter<{ close: []; error: [Error] }> {
  readonly #options: FetchConnectionOptions
  readonly #requests = new Map<number, Request>()
  readonly #head = Buffer.alloc(4)
  #headBytes = 0
  /** Of the answer under way; -1 while its length is not known. */
  #length = -1
  #have = 0
  #answer = Buffer.alloc(0)
  #correlation = 0
  #isConnected = false
  #isExpired = false
  #expiry: NodeJS.Timeout | undefined
  host: string | undefined
  port: number | undefined
  socket: Socket | undefined

  constructor(options: FetchConnectionOptions) {
    super()
    this.#options = options
  }

  /** This one for the library's types: its APIs use `send` alone. */
  get asConnection(): Connection {
    return this as unknown as Connection
  }

  isConnected(): boolean {
    return this.#isConnected && !this.#isExpired
  }

  /** Rejects with the library's errors. */
  async connect(host: string, port: number): Promise<void> {
    this.host = host
    this.port = port
    const { tls, sasl, connectTimeoutMs } = this.#options
    const onread = {
      buffer: Buffer.allocUnsafeSlow(readBytes),
      callback: (count: number, bytes: Uint8Array) => this.#read(bytes, count),
    }
    const options = { host, port, onread }
    const socket =
      tls === undefined ? createConnection(options) : connectTls({ ...options, ...tls })
    this.socket = socket.setNoDelay(true)
    let cause: Error | undefined
    socket.on('error', (error) => {
      cause = error
    })
    socket.on('close', () => this.#closed(cause))
    const late = setTimeout(() => {
      socket.destroy(new TimeoutError(`Connection to ${host}:${port} timed out.`))
    }, connectTimeoutMs)
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once(tls === undefined ? 'connect' : 'secureConnect', resolve)
        socket.once('close', () => reject(cause ?? new NetworkError('Connection closed')))
      })
      this.#isConnected = true
      if (sasl !== undefined) await this.#login(sasl)
    } catch (error) {
      socket.destroy()
      throw new NetworkError(`Connection to ${host}:${port} failed.`, { cause: error as Error })
    } finally {
      clearTimeout(late)
    }
  }

  /** As the library's connection has it. */
  readonly send: Send = (key, version, payload, parse, isRequestTagged, isAnswerTagged, done) => {
    const { clientId, requestTimeoutMs } = this.#options
    const correlation = ++this.#correlation
    const writer = Writer.create()
    writer.appendInt16(key).appendInt16(version).appendInt32(correlation)
    writer.appendString(clientId, false)
    if (isRequestTagged) writer.appendTaggedFields()
    writer.appendFrom(payload()).prependLength()
    if (!this.#isConnected || this.socket === undefined) {
      ;(done as Callback)(new NetworkError('Connection closed'), undefined)
      return
    }
    const timeout = setTimeout(() => {
      this.#requests.delete(correlation)
      ;(done as Callback)(new TimeoutError('Request timed out'), undefined)
    }, requestTimeoutMs)
    this.#requests.set(correlation, {
      parse: parse as Request['parse'],
      apiKey: key,
      apiVersion: version,
      isTagged: isAnswerTagged,
      done: done as Callback,
      timeout,
    })
    this.socket.write(writer.buffer)
  }

  close(done: (error: Error | null) => void): void {
    this.socket?.destroy()
    done(null)
  }

  /** Bytes came; true: go on reading. */
  #read(bytes: Uint8Array, count: number): boolean {
    for (let at = 0; at < count; ) {
      if (this.#length < 0) {
        this.#head[this.#headBytes++] = bytes[at++] as number
        if (this.#headBytes < 4) continue
        this.#headBytes = 0
        if (!this.#begin(this.#head.readInt32BE(0))) return false
      }
      const end = Math.min(count, at + this.#length - this.#have)
      this.#answer.set(bytes.subarray(at, end), this.#have)
      this.#have += end - at
      at = end
      if (this.#have === this.#length) this.#end()
    }
    return true
  }

  #begin(length: number): boolean {
    if (length < 4 || length > maxAnswerBytes) {
      this.socket?.destroy(new NetworkError(`An answer of ${length} bytes is none`))
      return false
    }
    if (length > this.#answer.length) {
      this.#answer = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(length)))
    }
    this.#length = length
    this.#have = 0
    return true
  }

  #end(): void {
    const shared = this.#answer.subarray(0, this.#length)
    const bytes = this.#length <= ownBytes ? Buffer.from(shared) : shared
    this.#length = -1
    const correlation = bytes.readInt32BE(0)
    const request = this.#requests.get(correlation)
    // A request that was given up for its time takes its connection with it.
    if (request === undefined) return
    this.#requests.delete(correlation)
    clearTimeout(request.timeout)
    let answer: unknown
    let failure: Error | null = null
    try {
      const reader = Reader.from(bytes.subarray(request.isTagged ? 5 : 4))
      answer = request.parse(correlation, request.apiKey, request.apiVersion, reader)
    } catch (error) {
      failure = error as Error
    }
    if (this.#answer.length > keptBytes) this.#answer = Buffer.alloc(0)
    request.done(failure, answer)
    if (this.#isExpired && this.#requests.size === 0) this.socket?.destroy()
  }

  #closed(cause: Error | undefined): void {
    this.#isConnected = false
    clearTimeout(this.#expiry)
    const error = new NetworkError('Connection closed', cause === undefined ? {} : { cause })
    const requests = [...this.#requests.values()]
    this.#requests.clear()
    for (const { done, timeout } of requests) {
      clearTimeout(timeout)
      done(error, undefined)
    }
    this.emit('close')
  }

  /** SASL by the library. A login that ends after a while is followed by another connection: nothing is in the middle of anything there. */
  async #login({ mechanism, username, password }: KafkaSasl): Promise<void> {
    const connection = this.asConnection
    const { api } = saslAuthenticateV2
    try {
      await saslHandshakeV1.api.async(connection, mechanism)
    } catch (error) {
      const message = 'Cannot find a suitable SASL mechanism.'
      throw new AuthenticationError(message, { cause: error as Error })
    }
    const { sessionLifetimeMs } = await new Promise<{ readonly sessionLifetimeMs: bigint }>(
      (resolve, reject) => {
        const done = (error: Error | null, answer: { readonly sessionLifetimeMs: bigint }): void =>
          error === null || error === undefined ? resolve(answer) : reject(error)
        if (mechanism === 'PLAIN') {
          saslPlain.authenticate(api, connection, username, password, done as never)
        } else {
          const algorithm = mechanism === 'SCRAM-SHA-256' ? 'SHA-256' : 'SHA-512'
          const { authenticate, defaultCrypto } = saslScramSha
          authenticate(api, connection, algorithm, username, password, defaultCrypto, done as never)
        }
      },
    )
    const lifetimeMs = Number(sessionLifetimeMs)
    if (lifetimeMs <= 0) return
    this.#expiry = setTimeout(() => {
      this.#isExpired = true
      this.emit('close')
      if (this.#requests.size === 0) this.socket?.destroy()
    }, lifetimeMs * usableLifetime).unref()
  }
}
