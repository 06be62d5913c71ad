import type { Config } from '../config/config.ts'
import { WardenError } from '../core/errors.ts'
import type { MetricPlan } from '../core/plan.ts'
import type { Telemetry } from '../core/telemetry.ts'
import { RedisClaimServer, type RedisOptions } from '../dedup/shared/redis-claim-server.ts'
import { SharedDedup } from '../dedup/shared/shared-dedup.ts'

/** What a lane needs to claim the users of a metric; plain, so that it can go to another thread. */
export interface RedisDedupOptions {
  readonly job: string
  readonly cacheKeys: number
  readonly server: RedisOptions
}

/** By metric, of those whose `dedup` names a Redis. */
export function redisDedupOf({
  job,
  metrics,
}: Pick<Config, 'job' | 'metrics'>): ReadonlyMap<string, RedisDedupOptions> {
  return new Map(
    metrics.flatMap(({ name, backend }) => {
      if (backend?.type !== 'redis') return []
      const { url, username, password, timeoutMs, cacheKeys } = backend
      const server = { url, username, password: password?.reveal(), timeoutMs }
      return [[name, { job, cacheKeys, server }] as const]
    }),
  )
}

/** What claims the users of a metric in one lane, with a connection of its own; undefined where they are not claimed. */
export function sharedDedupOf(
  metric: MetricPlan,
  options: RedisDedupOptions | undefined,
  telemetry: Telemetry,
): SharedDedup | undefined {
  if (metric.backend?.type !== 'redis') return undefined
  // Without it the lane would remember its users by itself, and nobody would notice.
  if (options === undefined) throw new WardenError('internal', `${metric.name} has no Redis`)
  const { job, cacheKeys, server } = options
  return new SharedDedup(
    new RedisClaimServer(server, telemetry.logger),
    { job, metric: metric.name, cacheKeys },
    telemetry,
    Math.random,
  )
}
