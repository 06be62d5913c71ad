import type { EnrichConfig, TableRedisConfig } from './enrich-config.ts'
import type { ConfigDocument } from './schema.ts'

export type EnrichDocument = NonNullable<ConfigDocument['enrich']>[string]
type RedisLogin = Pick<
  Extract<EnrichDocument, { readonly type: 'redis' }>,
  'url' | 'username' | 'password'
>

/** Longest wait for a file. */
const fileTimeoutMs = 10_000

export function resolveEnrich(document: ConfigDocument['enrich']): readonly EnrichConfig[] {
  return Object.entries(document ?? {}).map(([name, one]) => resolveTable(name, one))
}

function resolveTable(name: string, document: EnrichDocument): EnrichConfig {
  const { onOutage, refresh: refreshMs } = document
  if (document.type === 'file') {
    const { path, key, maxEntries } = document
    const timeoutMs = fileTimeoutMs as EnrichConfig['timeoutMs']
    const format = document.format ?? formatOf(path) ?? 'csv'
    return { name, type: 'file', path, format, key, maxEntries, refreshMs, timeoutMs, onOutage }
  }
  const { expire, missingFor, timeout, batch, requests, cacheKeys } = document
  const keyed = {
    name,
    refreshMs,
    expireMs: expire,
    missingForMs: missingFor,
    timeoutMs: timeout,
    batchKeys: batch,
    requests,
    cacheKeys,
    onOutage,
  }
  if (document.type === 'redis') {
    const { hash, prefix, preload } = document
    const layout =
      hash === undefined
        ? ({ kind: 'keys', prefix: prefix ?? '' } as const)
        : ({ kind: 'hash', hash } as const)
    return { ...keyed, type: 'redis', server: serverOf(document), layout, preload }
  }
  const { url, preload, headers, token, cache } = document
  return {
    ...keyed,
    type: 'http',
    url,
    preloadUrl: preload,
    headers: headers ?? {},
    token,
    cache: cache && serverOf(cache),
  }
}

const serverOf = ({ url, username, password }: RedisLogin): TableRedisConfig => ({
  url,
  username,
  password,
})

/** What a name's end says of the content; undefined: nothing. */
export function formatOf(path: string): 'csv' | 'json' | 'yaml' | undefined {
  const [, end] = /\.([a-z]+)$/i.exec(path) ?? []
  switch (end?.toLowerCase()) {
    case 'csv':
    case 'json':
    case 'yaml':
      return end.toLowerCase() as 'csv' | 'json' | 'yaml'
    case 'yml':
      return 'yaml'
    default:
      return undefined
  }
}
