import { formatDuration } from '../../core/time.ts'
import type { Config } from '../config.ts'

/** Who of several Wardens works; empty where there is one. */
export function haText({ ha, state }: Config): string {
  if (ha === undefined) return ''
  const { lease } = ha
  const [what, termMs] =
    lease.type === 'zookeeper'
      ? [
          `node ${lease.path} of ZooKeeper ${lease.servers.map(({ host, port }) => `${host}:${port}`).join(', ')}`,
          lease.sessionTimeoutMs,
        ]
      : [`Kubernetes lease ${lease.namespace ?? "(the pod's)"}/${lease.name}`, lease.durationMs]
  return `one leader, by ${what}, lost after ${formatDuration(termMs)}; a standby goes on from the newest copy in ${state.replica?.directory ?? ''}`
}
