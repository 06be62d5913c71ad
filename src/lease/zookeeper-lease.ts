import { fullJitter } from '../core/backoff.ts'
import { asWardenError, WardenError } from '../core/errors.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { durationMs } from '../core/time.ts'
import type { Holding, Lease } from './lease.ts'
import { LeaseTerm } from './lease-term.ts'
import { type ZookeeperAddress, ZookeeperConnection, zookeeperError } from './zookeeper-session.ts'
import {
  createRequest,
  getRequest,
  type NodeContent,
  nodeExists,
  noNode,
  readNode,
} from './zookeeper-wire.ts'

export interface ZookeeperLeaseOptions {
  /** Tried in turn. */
  readonly servers: readonly ZookeeperAddress[]
  /** Of the node, absolute; nodes above it are made where they are missing. */
  readonly path: string
  /** Who asks, in words for people: host and process. */
  readonly holder: string
  /** How long a holder that is gone keeps the lease; a server agrees to 2 to 20 of its ticks (of 2 s by default). */
  readonly sessionTimeoutMs: number
  /** `user:password`; then nobody else can touch the node. */
  readonly credentials?: string
  readonly tls?: { readonly ca: string | undefined }
}

const retry = { initialMs: durationMs(200), maxMs: durationMs(5_000) }

/**
 * A lease that is an ephemeral node of ZooKeeper: it is there as long as its holder's session. Waiting processes watch it.
 * The token is the transaction that made the node, which grows.
 */
export class ZookeeperLease implements Lease {
  readonly #options: ZookeeperLeaseOptions
  readonly #telemetry: Telemetry
  readonly #random: () => number
  #holder: string | undefined
  #connection: ZookeeperConnection | undefined
  #term: LeaseTerm | undefined
  #server = 0
  #closed = false

  constructor(options: ZookeeperLeaseOptions, telemetry: Telemetry, random: () => number) {
    this.#options = options
    this.#telemetry = telemetry
    this.#random = random
  }

  holder(): string | undefined {
    return this.#holder
  }

  async acquire(signal: AbortSignal): Promise<Holding> {
    await this.#letGo('asked for anew')
    const { clock, logger } = this.#telemetry
    for (let attempt = 0; ; ) {
      signal.throwIfAborted()
      try {
        const term = await this.#ask(signal, () => {
          attempt = 0
        })
        this.#holder = this.#options.holder
        return term
      } catch (cause) {
        this.#connection?.drop()
        this.#connection = undefined
        this.#holder = undefined
        signal.throwIfAborted()
        const error = asWardenError(cause)
        if (error.recovery === 'stop') throw error
        const waitMs = fullJitter(retry, attempt++, this.#random())
        logger.warn(
          { err: error, waitMs },
          'ZooKeeper can not be asked for the lease; trying again',
        )
        await clock.sleep(waitMs, signal)
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#letGo('given back')
  }

  async #letGo(reason: string): Promise<void> {
    const connection = this.#connection
    this.#term?.end(reason)
    this.#term = undefined
    this.#connection = undefined
    this.#holder = undefined
    await connection?.close()
  }

  /** One session: waits for the node to be free and makes it. */
  async #ask(signal: AbortSignal, onAnswer: () => void): Promise<LeaseTerm> {
    const { path, holder, credentials } = this.#options
    let wake = () => {}
    let heardAt = 0
    const connection = await this.#connect(undefined, {
      onHeard: (sentAt) => {
        heardAt = Math.max(heardAt, sentAt)
        this.#term?.renewed(sentAt)
      },
      onWatch: () => wake(),
    })
    this.#connection = connection
    onAnswer()
    await this.#makeParents(connection)
    const stopped = aborted(signal)
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve
      })
      const made = await connection.request((xid) =>
        createRequest(xid, path, holder, 'ephemeral', credentials !== undefined),
      )
      if (made.error !== 0 && made.error !== nodeExists) throw zookeeperError(made.error, path)
      const node = await this.#read(connection)
      if (node !== undefined && node.owner === connection.session.id) {
        const begun = Math.max(heardAt, connection.sentAt)
        const term = new LeaseTerm(node.createdIn, connection.timeoutMs, begun, () =>
          performance.now(),
        )
        this.#term = term
        void this.#keep(term, connection)
        return term
      }
      if (node === undefined) continue
      if (this.#holder !== node.text) {
        this.#holder = node.text
        this.#telemetry.logger.info(
          { holder: node.text, path },
          'another process holds the lease; waiting',
        )
      }
      const gone = await Promise.race([changed, connection.closed, stopped])
      signal.throwIfAborted()
      if (gone instanceof WardenError) throw gone
    }
  }

  /** Keeps the session of a lease that is held: over other servers when one fails, until the term is over. */
  async #keep(term: LeaseTerm, first: ZookeeperConnection): Promise<void> {
    const { logger, clock } = this.#telemetry
    let connection = first
    for (;;) {
      const why = await connection.closed
      if (term.lost.aborted || this.#closed) return
      logger.warn(
        { err: why, leftMs: Math.round(term.leftMs) },
        'the connection that keeps the lease broke; trying other servers',
      )
      for (;;) {
        if (!term.held()) return
        try {
          const next = await this.#connect(connection, {
            onHeard: (sentAt) => term.renewed(sentAt),
            onWatch: () => {},
          })
          if (!term.held()) {
            next.drop()
            return
          }
          connection = next
          this.#connection = next
          term.renewed(next.sentAt)
          break
        } catch (cause) {
          const error = asWardenError(cause)
          if (error.code === 'lease_lost' || error.recovery === 'stop') {
            term.end(error.message)
            return
          }
          await clock.sleep(Math.min(500, Math.max(20, term.leftMs / 10)))
        }
      }
    }
  }

  async #connect(
    before: ZookeeperConnection | undefined,
    heed: { readonly onHeard: (sentAt: number) => void; readonly onWatch: () => void },
  ): Promise<ZookeeperConnection> {
    const { servers, tls, credentials, sessionTimeoutMs } = this.#options
    const address = servers[this.#server++ % servers.length]
    if (address === undefined) throw new WardenError('internal', 'a lease without servers')
    return await ZookeeperConnection.open({
      address,
      tls,
      credentials,
      sessionTimeoutMs,
      session: before?.session,
      ...heed,
    })
  }

  async #makeParents(connection: ZookeeperConnection): Promise<void> {
    const names = this.#options.path.split('/').slice(1, -1)
    for (let depth = 1; depth <= names.length; depth++) {
      const parent = `/${names.slice(0, depth).join('/')}`
      const made = await connection.request((xid) =>
        createRequest(xid, parent, '', 'persistent', this.#options.credentials !== undefined),
      )
      if (made.error !== 0 && made.error !== nodeExists) throw zookeeperError(made.error, parent)
    }
  }

  /** The node, watched from now on; undefined when it is not there. */
  async #read(connection: ZookeeperConnection): Promise<NodeContent | undefined> {
    const { path } = this.#options
    const reply = await connection.request((xid) => getRequest(xid, path, true))
    if (reply.error === noNode) return undefined
    if (reply.error !== 0) throw zookeeperError(reply.error, path)
    return readNode(reply.body)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
