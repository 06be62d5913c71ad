import { createClient, ErrorReply } from '@redis/client'
import { WardenError } from '../../core/errors.ts'
import type { Logger } from '../../core/telemetry.ts'
import type { DurationMs } from '../../core/time.ts'
import type { ClaimServer } from './claim-server.ts'

export interface RedisOptions {
  /** `redis://host:port/database` or `rediss://…`; no password in it. */
  readonly url: string
  readonly username: string | undefined
  readonly password: string | undefined
  /** Longest wait for a connection or an answer; then it counts as away. */
  readonly timeoutMs: DurationMs
}

/** All fields of one bucket in one atomic step; Redis 2.6 and everything that speaks like it. */
const claimScript = `local held = {}
for i = 1, #ARGV, 2 do
  if redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) == 1 then held[#held + 1] = ARGV[i + 1]
  else held[#held + 1] = redis.call('HGET', KEYS[1], ARGV[i]) end
end
return held`

/** Replies after which asking again is right: the server is starting, full, failing over, or can't save. */
const passing = /^(OOM|LOADING|BUSY|MASTERDOWN|READONLY|MISCONF|CLUSTERDOWN|TRYAGAIN|NOREPLICAS)\b/

type Client = ReturnType<typeof clientOf>

/** Claims as hashes of a Redis; requests are pipelined over one connection, which is made anew when it broke. */
export class RedisClaimServer implements ClaimServer {
  readonly #options: RedisOptions
  readonly #logger: Logger
  #connection: Promise<Client> | undefined
  #scriptHash: string | undefined
  #warned = false

  constructor(options: RedisOptions, logger: Logger) {
    this.#options = options
    this.#logger = logger
  }

  async claim(
    bucket: string,
    fields: readonly string[],
    values: readonly string[],
  ): Promise<readonly string[]> {
    const words = fields.flatMap((field, index) => [field, values[index] ?? ''])
    const held = await this.#withClient((client) => this.#run(client, ['1', bucket, ...words]))
    if (!Array.isArray(held) || held.length !== fields.length)
      throw new WardenError('dedup_refused', `${this.#options.url} gave no answer of a claim`)
    return held.map(String)
  }

  async drop(buckets: readonly string[]): Promise<void> {
    await this.#withClient((client) => client.sendCommand(['UNLINK', ...buckets]))
  }

  async close(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    const client = await connection?.catch(() => undefined)
    if (client?.isOpen === true) client.destroy()
  }

  async #run(client: Client, words: readonly string[]): Promise<unknown> {
    if (this.#scriptHash !== undefined) {
      try {
        return await client.sendCommand(['EVALSHA', this.#scriptHash, ...words])
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      }
    }
    this.#scriptHash = String(await client.sendCommand(['SCRIPT', 'LOAD', claimScript]))
    return await client.sendCommand(['EVALSHA', this.#scriptHash, ...words])
  }

  async #withClient<T>(run: (client: Client) => Promise<T>): Promise<T> {
    this.#connection ??= this.#connect()
    const connection = this.#connection
    try {
      const client = await this.#inTime(connection)
      return await this.#inTime(run(client))
    } catch (cause) {
      const error = this.#classify(cause)
      if (!(cause instanceof ErrorReply)) this.#abandon(connection)
      throw error
    }
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
    await this.#warnOfEviction(client)
    return client
  }

  async #warnOfEviction(client: Client): Promise<void> {
    if (this.#warned) return
    const memory = String(await client.sendCommand(['INFO', 'memory']).catch(() => ''))
    const policy = /maxmemory_policy:(\S+)/.exec(memory)?.[1] ?? 'noeviction'
    if (policy === 'noeviction' || /maxmemory:0\b/.test(memory)) return
    this.#warned = true
    this.#logger.warn(
      { url: this.#options.url, policy },
      'this Redis evicts keys when it is full, and users would be counted again; set maxmemory-policy to noeviction',
    )
  }

  async #inTime<T>(answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const { timeoutMs } = this.#options
      timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs)
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #classify(cause: unknown): WardenError {
    if (cause instanceof WardenError) return cause
    const message = cause instanceof Error ? cause.message : String(cause)
    const text = `Redis ${this.#options.url}: ${message}`
    if (!(cause instanceof ErrorReply) || passing.test(message))
      return new WardenError('dedup_unreachable', text, { cause })
    return new WardenError('dedup_refused', text, { cause })
  }
}

function clientOf({ url, username, password, timeoutMs }: RedisOptions) {
  return createClient({
    url,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    disableOfflineQueue: true,
    socket: { connectTimeout: timeoutMs, reconnectStrategy: false },
  })
}
