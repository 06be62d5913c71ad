import { LRUCache } from 'lru-cache'
import type { Config } from '../config/config.ts'
import type { EnrichConfig, TableRedisConfig } from '../config/enrich-config.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { FileOrigin } from '../enrich/file-origin.ts'
import { HttpOrigin } from '../enrich/http-origin.ts'
import type { KeyTable } from '../enrich/key-table.ts'
import { KeyedTable, type Remembered } from '../enrich/keyed-table.ts'
import type { Origin } from '../enrich/origin.ts'
import { RedisCache } from '../enrich/redis-cache.ts'
import { RedisClient } from '../enrich/redis-client.ts'
import { RedisOrigin } from '../enrich/redis-origin.ts'
import { TableSet } from '../enrich/table-set.ts'
import { WholeTable } from '../enrich/whole-table.ts'

/** Bytes of a file beyond which it is taken for a mistake. */
const maxFileBytes = 256 * 2 ** 20

/** The tables of a config; nothing is read yet. */
export function createTables(
  config: Pick<Config, 'enrich' | 'job'>,
  telemetry: Telemetry,
): TableSet {
  const tables = config.enrich.map((one) => createTable(one, config.job, telemetry))
  return new TableSet(tables, telemetry.clock)
}

function createTable(table: EnrichConfig, job: string, telemetry: Telemetry): KeyTable {
  if (table.type === 'file') {
    const { path, format, key } = table
    const origin = new FileOrigin({ path, format, key, maxBytes: maxFileBytes })
    return new WholeTable(origin, table, telemetry)
  }
  const { requests: concurrency, cacheKeys } = table
  const memory = new LRUCache<string, Remembered>({ max: cacheKeys })
  const readsAhead = table.type === 'redis' ? table.preload : table.preloadUrl !== undefined
  const options = { ...table, concurrency, preload: readsAhead ? cacheKeys : 0 }
  const cache =
    table.type === 'http' && table.cache !== undefined
      ? new RedisCache(clientOf(table.cache, table), `warden:${job}:enrich:${table.name}:`)
      : undefined
  const parts = { origin: originOf(table), cache, memory, random: Math.random }
  return new KeyedTable(parts, options, telemetry)
}

function originOf(table: Exclude<EnrichConfig, { readonly type: 'file' }>): Origin {
  if (table.type === 'redis') return new RedisOrigin(clientOf(table.server, table), table.layout)
  const { url, preloadUrl, headers, token } = table
  return new HttpOrigin({ url, preloadUrl, headers, token: token?.reveal() })
}

function clientOf(
  { url, username, password }: TableRedisConfig,
  { timeoutMs }: Pick<EnrichConfig, 'timeoutMs'>,
): RedisClient {
  return new RedisClient({
    url,
    username,
    password: password?.reveal(),
    connectTimeoutMs: timeoutMs,
  })
}
