import type { HaConfig } from './ha-config.ts'
import type { ConfigDocument } from './schema.ts'

export function resolveHa({ lease }: NonNullable<ConfigDocument['ha']>, job: string): HaConfig {
  if (lease.type === 'kubernetes') {
    const { namespace, duration, url, account } = lease
    const name = lease.name ?? `warden-${job.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')}`
    return { lease: { type: 'kubernetes', name, namespace, durationMs: duration, url, account } }
  }
  const { servers, sessionTimeout, credentials, tls, ca } = lease
  return {
    lease: {
      type: 'zookeeper',
      servers: servers.map(serverOf),
      path: lease.path ?? `/warden/${job}/leader`,
      sessionTimeoutMs: sessionTimeout,
      credentials,
      tls: tls ? { ca } : undefined,
    },
  }
}

function serverOf(text: string): { readonly host: string; readonly port: number } {
  const colon = text.lastIndexOf(':')
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(text.slice(colon + 1)) }
}
