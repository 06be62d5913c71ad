import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { WardenError } from '../core/errors.ts'
import {
  authRequest,
  authXid,
  type Connected,
  closeRequest,
  connectRequest,
  MessageReader,
  pingRequest,
  pingXid,
  type Reply,
  readConnected,
  readReply,
  type Session,
  watchXid,
  zookeeperErrors,
} from './zookeeper-wire.ts'

export interface ZookeeperAddress {
  readonly host: string
  readonly port: number
}

export interface ZookeeperConnectionOptions {
  readonly address: ZookeeperAddress
  readonly tls: { readonly ca: string | undefined } | undefined
  /** `user:password` of the digest scheme. */
  readonly credentials: string | undefined
  /** What is asked for; the server may agree to another. */
  readonly sessionTimeoutMs: number
  /** The session to go on with; undefined: a new one. */
  readonly session: Session | undefined
  /** An answer came to a request that was sent at this time: the server counts the session's timeout from then or later. */
  readonly onHeard: (sentAt: number) => void
  /** Something that is watched has changed. */
  readonly onWatch: () => void
}

const failure = (message: string, cause?: unknown) =>
  new WardenError('lease_unreachable', message, { cause })

/**
 * One connection of a ZooKeeper session: connecting → open → closed. A session outlives its connections: open the next one
 * with `session`, within its timeout.
 */
export class ZookeeperConnection {
  readonly timeoutMs: number
  readonly session: Session
  /** When the request that opened it was sent, by `performance.now()`. */
  readonly sentAt: number
  /** Resolves when it is closed, with what closed it. */
  readonly closed: Promise<WardenError>
  readonly #socket: Socket
  readonly #waiting = new Map<number, (reply: Reply | WardenError) => void>()
  readonly #options: ZookeeperConnectionOptions
  readonly #pinger: NodeJS.Timeout
  #settle: (error: WardenError) => void = () => {}
  #nextXid = 1
  #pingSentAt: number | undefined
  #error: WardenError | undefined

  private constructor(
    socket: Socket,
    reader: MessageReader,
    connected: Connected,
    sentAt: number,
    options: ZookeeperConnectionOptions,
  ) {
    this.#socket = socket
    this.#options = options
    this.timeoutMs = connected.timeoutMs
    this.session = connected.session
    this.sentAt = sentAt
    this.closed = new Promise((resolve) => {
      this.#settle = resolve
    })
    socket.on('data', (chunk: Buffer) => this.#read(reader, chunk))
    socket.on('error', (cause) => this.#end(failure(cause.message, cause)))
    socket.on('close', () => this.#end(failure('the server closed the connection')))
    this.#pinger = setInterval(() => this.#ping(), Math.max(50, connected.timeoutMs / 6))
    this.#pinger.unref()
  }

  /** @throws WardenError `lease_unreachable`, or `lease_lost` when the server says that the session has expired */
  static async open(options: ZookeeperConnectionOptions): Promise<ZookeeperConnection> {
    const { host, port } = options.address
    const waitMs = Math.max(1000, options.sessionTimeoutMs / 3)
    const socket =
      options.tls === undefined
        ? connect({ host, port })
        : connectTls({
            host,
            port,
            servername: host,
            ...(options.tls.ca === undefined ? {} : { ca: options.tls.ca }),
          })
    const reader = new MessageReader()
    let sentAt = 0
    try {
      const answer = await new Promise<Buffer>((resolve, reject) => {
        socket.setTimeout(waitMs, () => reject(failure(`no answer within ${waitMs / 1000} s`)))
        socket.once('error', (cause) => reject(failure(cause.message, cause)))
        socket.once('close', () => reject(failure('the server closed the connection')))
        socket.on('data', (chunk: Buffer) => {
          const [message] = reader.push(chunk)
          if (message !== undefined) resolve(message)
        })
        socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => {
          sentAt = performance.now()
          socket.write(connectRequest(options.sessionTimeoutMs, options.session))
        })
      })
      socket.removeAllListeners()
      socket.setTimeout(0)
      const connected = readConnected(answer)
      if (connected.timeoutMs <= 0) throw new WardenError('lease_lost', 'the session has expired')
      const connection = new ZookeeperConnection(socket, reader, connected, sentAt, options)
      if (options.credentials !== undefined) socket.write(authRequest(options.credentials))
      return connection
    } catch (cause) {
      socket.removeAllListeners()
      socket.on('error', () => {})
      socket.destroy()
      if (cause instanceof WardenError) {
        throw new WardenError(cause.code, `ZooKeeper ${host}:${port}: ${cause.message}`, { cause })
      }
      throw failure(`ZooKeeper ${host}:${port} does not speak its protocol`, cause)
    }
  }

  /** @param write makes the request with the number that its answer will carry. @returns the answer, whatever its error number */
  request(write: (xid: number) => Buffer): Promise<Reply> {
    const xid = this.#nextXid++
    const sentAt = performance.now()
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) {
        reject(this.#error)
        return
      }
      this.#waiting.set(xid, (reply) => {
        if (reply instanceof WardenError) return reject(reply)
        this.#options.onHeard(sentAt)
        resolve(reply)
      })
      this.#socket.write(write(xid))
    })
  }

  /** Ends the session: its ephemeral nodes go at once. */
  async close(): Promise<void> {
    if (this.#error !== undefined) return
    const done = this.request(closeRequest).catch(() => {})
    const bound = new Promise<void>((resolve) => setTimeout(resolve, 2000).unref())
    await Promise.race([done, this.closed, bound])
    this.drop()
  }

  /** Breaks the connection; the session lives until its timeout. */
  drop(): void {
    this.#end(failure('closed'))
  }

  #ping(): void {
    if (this.#pingSentAt !== undefined) {
      // The server is silent: try another one while the session lives.
      if (performance.now() - this.#pingSentAt > this.timeoutMs / 3) {
        this.#end(failure('the server does not answer'))
      }
      return
    }
    this.#pingSentAt = performance.now()
    this.#socket.write(pingRequest())
  }

  #read(reader: MessageReader, chunk: Buffer): void {
    try {
      for (const message of reader.push(chunk)) this.#take(readReply(message))
    } catch (cause) {
      this.#end(failure('the server does not speak the protocol of ZooKeeper', cause))
    }
  }

  #take(reply: Reply): void {
    if (reply.xid === watchXid) {
      this.#options.onWatch()
      return
    }
    if (reply.xid === pingXid) {
      if (this.#pingSentAt !== undefined) this.#options.onHeard(this.#pingSentAt)
      this.#pingSentAt = undefined
      return
    }
    if (reply.xid === authXid) {
      if (reply.error !== 0) {
        this.#end(new WardenError('lease_refused', 'ZooKeeper refused the credentials'))
      }
      return
    }
    const waiting = this.#waiting.get(reply.xid)
    this.#waiting.delete(reply.xid)
    waiting?.(reply)
  }

  #end(error: WardenError): void {
    if (this.#error !== undefined) return
    this.#error = error
    clearInterval(this.#pinger)
    this.#socket.destroy()
    for (const settle of this.#waiting.values()) settle(error)
    this.#waiting.clear()
    this.#settle(error)
  }
}

export function zookeeperError(error: number, path: string): WardenError {
  const words = zookeeperErrors[error] ?? `error ${error}`
  const refused = [-102, -114, -115].includes(error)
  return new WardenError(
    refused ? 'lease_refused' : 'lease_unreachable',
    `ZooKeeper refused ${path}: ${words}`,
  )
}
