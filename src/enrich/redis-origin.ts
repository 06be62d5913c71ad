import { WardenError } from '../core/errors.ts'
import { entryOfText } from './entry.ts'
import type { Entry, Origin } from './origin.ts'
import type { RedisClient } from './redis-client.ts'

/** `hash`: all keys are fields of one hash. Else each key is a Redis key, behind a prefix. Values are texts or JSON objects. */
export type RedisLayout =
  | { readonly kind: 'hash'; readonly hash: string }
  | { readonly kind: 'keys'; readonly prefix: string }

/** Keys of one SCAN. */
const scanCount = 1_000

/** A table in Redis. */
export class RedisOrigin implements Origin {
  readonly #client: RedisClient
  readonly #layout: RedisLayout

  constructor(client: RedisClient, layout: RedisLayout) {
    this.#client = client
    this.#layout = layout
  }

  async lookup(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Entry>> {
    if (keys.length === 0) return new Map()
    const layout = this.#layout
    const words =
      layout.kind === 'hash'
        ? ['HMGET', layout.hash, ...keys]
        : ['MGET', ...keys.map((key) => layout.prefix + key)]
    return entriesOf(keys, await this.#client.send(words, signal))
  }

  async all(limit: number, signal: AbortSignal): Promise<ReadonlyMap<string, Entry>> {
    const entries = new Map<string, Entry>()
    let cursor = '0'
    do {
      const [next, found] = await this.#scan(cursor, signal)
      for (const [key, entry] of found) if (entries.size < limit) entries.set(key, entry)
      cursor = next
    } while (cursor !== '0' && entries.size < limit)
    return entries
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  /** The entries that one step of a scan finds; the next cursor, `0` at the end. */
  async #scan(
    cursor: string,
    signal: AbortSignal,
  ): Promise<readonly [string, ReadonlyMap<string, Entry>]> {
    const layout = this.#layout
    const count = ['COUNT', String(scanCount)]
    if (layout.kind === 'hash') {
      const [next, texts] = scanned(
        await this.#client.send(['HSCAN', layout.hash, cursor, ...count], signal),
      )
      const entries = new Map<string, Entry>()
      for (let at = 0; at + 1 < texts.length; at += 2) {
        entries.set(texts[at] ?? '', entryOfText(texts[at + 1] ?? ''))
      }
      return [next, entries]
    }
    const { prefix } = layout
    const match = ['MATCH', `${prefix.replaceAll(/[\\*?[\]]/g, '\\$&')}*`]
    const [next, names] = scanned(
      await this.#client.send(['SCAN', cursor, ...match, ...count], signal),
    )
    const keys = names.map((name) => name.slice(prefix.length))
    return [next, await this.lookup(keys, signal)]
  }
}

/** The entries of a reply with one text or null for each key. */
export function entriesOf(keys: readonly string[], reply: unknown): ReadonlyMap<string, Entry> {
  if (!Array.isArray(reply) || reply.length !== keys.length) {
    throw new WardenError('enrich_refused', 'Redis gave no list of values')
  }
  return new Map(
    keys.flatMap((key, index) => {
      const value: unknown = reply[index]
      return value === null || value === undefined
        ? []
        : [[key, entryOfText(String(value))] as const]
    }),
  )
}

function scanned(reply: unknown): readonly [string, readonly string[]] {
  if (Array.isArray(reply) && Array.isArray(reply[1]))
    return [String(reply[0]), reply[1].map(String)]
  throw new WardenError('enrich_refused', 'Redis gave no answer of a scan')
}
