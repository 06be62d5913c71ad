import type { Entry, EntryCache } from './origin.ts'
import type { RedisClient } from './redis-client.ts'
import { entriesOf } from './redis-origin.ts'

/** Entries that processes share in front of a slow origin: a key each, which Redis forgets by itself. */
export class RedisCache implements EntryCache {
  readonly #client: RedisClient
  readonly #prefix: string

  /** @param prefix of the keys; one per table */
  constructor(client: RedisClient, prefix: string) {
    this.#client = client
    this.#prefix = prefix
  }

  async get(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Entry>> {
    if (keys.length === 0) return new Map()
    const names = keys.map((key) => this.#prefix + key)
    return entriesOf(keys, await this.#client.send(['MGET', ...names], signal))
  }

  async set(
    entries: ReadonlyMap<string, Entry>,
    ttlMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const ttl = ['PX', String(Math.max(1, Math.round(ttlMs)))]
    const commands = [...entries].map(([key, entry]) => {
      const text = typeof entry === 'string' ? entry : JSON.stringify(entry)
      return ['SET', this.#prefix + key, text, ...ttl]
    })
    await this.#client.sendAll(commands, signal)
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}
