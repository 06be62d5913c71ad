import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { HaConfig } from '../config/ha-config.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { KubernetesLease } from '../lease/kubernetes-lease.ts'
import type { Lease } from '../lease/lease.ts'
import { ZookeeperLease } from '../lease/zookeeper-lease.ts'

/** What this process is known by to the others: host, process, and chance, as in containers the first two may be the same. */
export const ownName = (): string =>
  `${hostname()}/${process.pid}/${randomBytes(3).toString('hex')}`

/** The lease that a config describes. @param holder who asks */
export function createLease({ lease }: HaConfig, holder: string, telemetry: Telemetry): Lease {
  if (lease.type === 'kubernetes') {
    const { name, namespace, durationMs, url, account } = lease
    const options = {
      name,
      holder,
      durationMs,
      ...(namespace === undefined ? {} : { namespace }),
      ...(url === undefined ? {} : { url }),
      ...(account === undefined ? {} : { account }),
    }
    return new KubernetesLease(options, telemetry, Math.random)
  }
  const { servers, path, sessionTimeoutMs, credentials, tls } = lease
  const options = {
    servers,
    path,
    holder,
    sessionTimeoutMs,
    ...(credentials === undefined ? {} : { credentials: credentials.reveal() }),
    ...(tls === undefined ? {} : { tls: { ca: tls.ca?.reveal() } }),
  }
  return new ZookeeperLease(options, telemetry, Math.random)
}
