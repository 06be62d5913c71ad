import type { DurationMs } from '../core/time.ts'
import type { Secret } from './secret.ts'

/** Several Wardens for one job: what the one that works holds. */
export interface HaConfig {
  readonly lease: ZookeeperLeaseConfig | KubernetesLeaseConfig
}

export interface ZookeeperLeaseConfig {
  readonly type: 'zookeeper'
  readonly servers: readonly { readonly host: string; readonly port: number }[]
  /** Absolute. */
  readonly path: string
  readonly sessionTimeoutMs: DurationMs
  readonly credentials: Secret | undefined
  readonly tls: { readonly ca: Secret | undefined } | undefined
}

export interface KubernetesLeaseConfig {
  readonly type: 'kubernetes'
  readonly name: string
  /** undefined: that of the pod. */
  readonly namespace: string | undefined
  readonly durationMs: DurationMs
  /** undefined: as the pod is told it. */
  readonly url: string | undefined
  /** Absolute directory of the service account; undefined: that of the pod. */
  readonly account: string | undefined
}
