import { createClient, ErrorReply } from '@redis/client'
import { WardenError } from '../core/errors.ts'

export interface RedisClientOptions {
  /** `redis://host:port/database` or `rediss://…`; no password in it. */
  readonly url: string
  readonly username: string | undefined
  readonly password: string | undefined
  /** Longest wait for a connection. */
  readonly connectTimeoutMs: number
}

type Client = ReturnType<typeof clientOf>

/** Replies after which asking again is right: the server is starting, full, failing over, or can't save. */
const passing = /^(OOM|LOADING|BUSY|MASTERDOWN|READONLY|MISCONF|CLUSTERDOWN|TRYAGAIN|NOREPLICAS)\b/

/** One connection to a Redis, made when it is needed and anew when it broke; commands are pipelined over it. */
export class RedisClient {
  readonly #options: RedisClientOptions
  #connection: Promise<Client> | undefined

  constructor(options: RedisClientOptions) {
    this.#options = options
  }

  /** The reply. Rejects with `enrich_unreachable`, `enrich_refused`, or the signal's reason; what is then under way is given up. */
  async send(words: readonly string[], signal: AbortSignal): Promise<unknown> {
    const [reply] = await this.sendAll([words], signal)
    return reply
  }

  /** The replies of several commands, in one go. */
  async sendAll(
    commands: readonly (readonly string[])[],
    signal: AbortSignal,
  ): Promise<readonly unknown[]> {
    this.#connection ??= this.#connect()
    const connection = this.#connection
    const onAbort = () => this.#abandon(connection)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      signal.throwIfAborted()
      const client = await connection
      return await Promise.all(commands.map((words) => client.sendCommand([...words])))
    } catch (cause) {
      signal.throwIfAborted()
      if (!(cause instanceof ErrorReply)) this.#abandon(connection)
      throw this.#classify(cause)
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async close(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    const client = await connection?.catch(() => undefined)
    if (client?.isOpen === true) client.destroy()
  }

  /** A connection whose state is not known is never used again. */
  #abandon(connection: Promise<Client>): void {
    if (this.#connection === connection) this.#connection = undefined
    void connection.then(
      (client) => {
        if (client.isOpen) client.destroy()
      },
      () => {},
    )
  }

  async #connect(): Promise<Client> {
    const client = clientOf(this.#options)
    // Every request that was under way rejects by itself.
    client.on('error', () => {})
    await client.connect()
    return client
  }

  #classify(cause: unknown): WardenError {
    const message = cause instanceof Error ? cause.message : String(cause)
    const refused = cause instanceof ErrorReply && !passing.test(message)
    const code = refused ? 'enrich_refused' : 'enrich_unreachable'
    return new WardenError(code, `Redis ${this.#options.url}: ${message}`, { cause })
  }
}

function clientOf({ url, username, password, connectTimeoutMs }: RedisClientOptions) {
  return createClient({
    url,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    disableOfflineQueue: true,
    socket: { connectTimeout: connectTimeoutMs, reconnectStrategy: false },
  })
}
