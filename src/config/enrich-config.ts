import type { DurationMs } from '../core/time.ts'
import type { Secret } from './secret.ts'

/** A Redis and who logs in. */
export interface TableRedisConfig {
  /** `redis://host:port/database` or `rediss://…`; no password in it. */
  readonly url: string
  readonly username: string | undefined
  readonly password: Secret | undefined
}

/** A table that dimensions are looked up in. */
export type EnrichConfig = FileTableConfig | RedisTableConfig | HttpTableConfig

interface TableBase {
  readonly name: string
  readonly refreshMs: DurationMs
  readonly timeoutMs: DurationMs
  readonly onOutage: 'wait' | 'unknown'
}

export interface FileTableConfig extends TableBase {
  readonly type: 'file'
  /** Absolute. */
  readonly path: string
  readonly format: 'csv' | 'json' | 'yaml'
  /** undefined: the first column, or an object by key. */
  readonly key: string | undefined
  readonly maxEntries: number
}

/** Of tables of which memory holds the keys used last. */
interface KeyedTableBase extends TableBase {
  readonly expireMs: DurationMs
  readonly missingForMs: DurationMs
  readonly batchKeys: number
  readonly requests: number
  readonly cacheKeys: number
}

export interface RedisTableConfig extends KeyedTableBase {
  readonly type: 'redis'
  readonly server: TableRedisConfig
  readonly layout:
    | { readonly kind: 'hash'; readonly hash: string }
    | { readonly kind: 'keys'; readonly prefix: string }
  readonly preload: boolean
}

export interface HttpTableConfig extends KeyedTableBase {
  readonly type: 'http'
  readonly url: string
  /** undefined: nothing is read ahead. */
  readonly preloadUrl: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly token: Secret | undefined
  /** The level between; undefined: none. */
  readonly cache: TableRedisConfig | undefined
}
