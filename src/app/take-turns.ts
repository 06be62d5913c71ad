import type { HaConfig } from '../config/ha-config.ts'
import { asWardenError } from '../core/errors.ts'
import type { Gauge, Telemetry } from '../core/telemetry.ts'
import type { Tenure } from '../core/tenure.ts'
import type { Lease } from '../lease/lease.ts'
import type { PrometheusMetrics } from '../prometheus-metrics.ts'
import { type JobHealth, startServer } from './http-server.ts'
import { createLease, ownName } from './leases.ts'
import type { JobOptions } from './running-job.ts'

/** What a leader is and may. */
export interface Leadership extends Tenure {
  /** Who leads, in words: this process. */
  readonly holder: string
}

const roles = ['standby', 'leader'] as const

/**
 * Several Wardens for one job: standby → leader → (the lease is lost → standby)* → done. A standby waits for the lease, and serves its
 * health and metrics; the leader does the job.
 * @param lead does the job until it has ended, was stopped, or failed; when the lease is lost it rejects, and everything is closed by then
 * @throws WardenError what made the job fail, or `lease_refused`
 */
export async function takeTurns(
  options: JobOptions,
  ha: HaConfig,
  stop: AbortSignal,
  lead: (leadership: Leadership) => Promise<'ended' | 'stopped'>,
): Promise<'ended' | 'stopped'> {
  const { telemetry } = options
  const holder = ownName()
  const lease = createLease(ha, holder, telemetry)
  const meters = new RoleMeters(telemetry.metrics)
  try {
    while (!stop.aborted) {
      meters.show('standby')
      const holding = await standBy(options, lease, stop)
      if (holding === undefined) break
      meters.took()
      const lost = () => meters.lost()
      holding.lost.addEventListener('abort', lost, { once: true })
      telemetry.logger.info({ holder, token: String(holding.token) }, 'this Warden leads')
      try {
        const { lost: signal } = holding
        return await lead({ holder, held: () => holding.held(), lost: signal })
      } catch (cause) {
        if (holding.held()) throw cause
        const fields = { err: asWardenError(cause), reason: reasonOf(holding.lost) }
        telemetry.logger.warn(fields, 'the lease is lost: nothing is written any more; standing by')
      } finally {
        holding.lost.removeEventListener('abort', lost)
      }
    }
    return 'stopped'
  } finally {
    await lease.close()
  }
}

/** Until this process holds the lease; undefined: it was told to stop. */
async function standBy(
  options: JobOptions,
  lease: Lease,
  stop: AbortSignal,
): Promise<Awaited<ReturnType<Lease['acquire']>> | undefined> {
  const { config, telemetry } = options
  const server = await startServer(
    {
      ...config.server.listen,
      token: config.server.token?.reveal(),
      health: () => standbyHealth(lease),
      exposition: () => telemetry.metrics.exposition(),
      expositionType: telemetry.metrics.contentType,
      register: async (instance) => {
        instance.setNotFoundHandler(async (_, reply) => {
          const error = 'this Warden stands by; ask the leader'
          return await reply.code(503).send({ error, leader: lease.holder() })
        })
      },
    },
    telemetry.logger,
  )
  try {
    telemetry.logger.info({ job: config.job }, 'standing by')
    return await lease.acquire(stop)
  } catch (cause) {
    if (stop.aborted) return undefined
    throw cause
  } finally {
    await server.close()
  }
}

/** Ready is who could lead: it knows that another one does. */
function standbyHealth(lease: Lease): JobHealth {
  const leader = lease.holder()
  const troubles = leader === undefined ? ['it is not known who holds the lease'] : []
  const details = { status: 'standby', phase: 'standby', role: 'standby', leader }
  return { ready: leader !== undefined, troubles, details }
}

const reasonOf = ({ reason }: AbortSignal): string =>
  reason instanceof Error ? reason.message : String(reason)

class RoleMeters {
  readonly #metrics: PrometheusMetrics
  readonly #role: Gauge
  readonly #held: Gauge
  readonly #takeovers: ReturnType<Telemetry['metrics']['counter']>
  readonly #losses: ReturnType<Telemetry['metrics']['counter']>

  constructor(metrics: PrometheusMetrics) {
    this.#metrics = metrics
    this.#role = metrics.gauge('warden_role', '1 for what this Warden is: leader or standby', [
      'role',
    ])
    this.#held = metrics.gauge('warden_lease_held', '1 while this Warden holds the lease')
    this.#takeovers = metrics.counter(
      'warden_takeovers_total',
      'Times that this Warden became the leader',
    )
    this.#losses = metrics.counter(
      'warden_lease_losses_total',
      'Times that this Warden lost the lease while it was the leader',
    )
    this.#takeovers.add(0)
    this.#losses.add(0)
  }

  show(role: (typeof roles)[number]): void {
    this.#metrics.forgetGauges()
    for (const one of roles) this.#role.set(Number(one === role), { role: one })
    this.#held.set(0)
  }

  took(): void {
    this.show('leader')
    this.#held.set(1)
    this.#takeovers.add(1)
  }

  lost(): void {
    this.#held.set(0)
    this.#losses.add(1)
  }
}
