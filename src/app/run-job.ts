import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { planOf } from '../config/plan.ts'
import { asWardenError } from '../core/errors.ts'
import type { StateStore } from '../core/state-store.ts'
import { FencedStateStore } from '../state/fenced-state-store.ts'
import { LmdbStateStore } from '../state/lmdb-state-store.ts'
import { registerStoreApi } from '../store/api/http-store-api.ts'
import { LmdbPointStore } from '../store/lmdb-point-store.ts'
import { StoreUpkeep } from '../store/store-upkeep.ts'
import { AlertService } from './alert-service.ts'
import { openJobState } from './build-pipeline.ts'
import { type JobHealth, startServer } from './http-server.ts'
import { registerProfileRoute } from './profile-routes.ts'
import { type JobOptions, RunningJob } from './running-job.ts'
import { registerSavepointRoutes } from './savepoint-routes.ts'
import { StateCopier, savepointsOf, stateDirectory } from './savepoints.ts'
import { createSink } from './sinks.ts'
import { restoreFromReplica, StateReplica } from './state-replica.ts'
import { beginTenure, takeOverState } from './take-over.ts'
import { type Leadership, takeTurns } from './take-turns.ts'

/**
 * Runs a job until its sources have ended, `stop` is aborted, or it failed for good. With `ha` it does so while it leads.
 * @throws WardenError what made it fail
 */
export async function runJob(options: JobOptions, stop: AbortSignal): Promise<'ended' | 'stopped'> {
  const { config, telemetry } = options
  if (config.ha !== undefined) {
    return await takeTurns(options, config.ha, stop, async (leadership) => {
      await takeOverState(config, telemetry)
      return await runAlone(options, stop, leadership)
    })
  }
  await restoreFromReplica(config, telemetry)
  return await runAlone(options, stop)
}

/** @param leadership undefined: there is one Warden */
async function runAlone(
  options: JobOptions,
  stop: AbortSignal,
  leadership?: Leadership,
): Promise<'ended' | 'stopped'> {
  const { config, telemetry } = options
  const plan = planOf(config)
  const lmdb = new LmdbStateStore(stateDirectory(config))
  const store = leadership === undefined ? lmdb : new FencedStateStore(lmdb, leadership)
  const closing: (() => Promise<unknown>)[] = [() => lmdb.close()]
  try {
    const opened = await openJobState(config, plan, store, options.dropMetrics, telemetry)
    const state =
      leadership === undefined
        ? opened
        : await beginTenure(config, store, opened, leadership.holder, telemetry)
    const points = config.sinks.some(({ type }) => type === 'embedded')
      ? new LmdbPointStore(join(config.stateDir, 'store'))
      : undefined
    if (points !== undefined) {
      const upkeep = new StoreUpkeep(points, config.store, telemetry)
      closing.unshift(() => points.close())
      closing.unshift(() => upkeep.stop())
      upkeep.start()
    }
    const sinks = config.sinks.map((sink) => createSink(sink, points, telemetry, leadership))
    closing.unshift(() => Promise.allSettled(sinks.map((sink) => sink.close())))
    const alerts = await AlertService.open(config, store, points, telemetry, leadership)
    closing.unshift(() => alerts.close())
    const copier = new StateCopier(config, lmdb, options.version, telemetry)
    const replicated = new AbortController()
    const replicas = new StateReplica(config, copier, telemetry, leadership)
    const replicating = replicas.run(replicated.signal, leadership && hasCheckpoint(lmdb))
    const endReplicas = (): Promise<void> => {
      replicated.abort()
      return replicating
    }
    closing.unshift(endReplicas)
    const parts = { plan, store, state, alerts, tenure: leadership }
    const job = new RunningJob(options, parts, sinks)
    const server = await startServer(
      {
        ...config.server.listen,
        token: config.server.token?.reveal(),
        health: () => ledBy(leadership, job.health()),
        exposition: () => telemetry.metrics.exposition(),
        expositionType: telemetry.metrics.contentType,
        register: async (instance: FastifyInstance) => {
          await alerts.register(instance)
          registerSavepointRoutes(instance, copier, savepointsOf(config))
          registerProfileRoute(instance, telemetry.clock)
          if (points !== undefined)
            await registerStoreApi(instance, { store: points, telemetry, version: options.version })
        },
      },
      telemetry.logger,
    )
    closing.unshift(() => server.close())
    options.onListening?.(urlOf(server))
    const outcome = await job.run(stop)
    if (leadership !== undefined) {
      // Whoever leads next goes on right here.
      await endReplicas()
      await replicas.write()
    }
    return outcome
  } finally {
    for (const close of closing) {
      await close().catch((error: unknown) => {
        telemetry.logger.warn({ err: asWardenError(error) }, 'closing failed')
      })
    }
  }
}

/** Was a checkpoint taken since this call? Before that there is nothing that another Warden could go on with. */
function hasCheckpoint(store: StateStore): () => boolean {
  const number = () => Buffer.from(store.get('checkpoint') ?? []).toString()
  const before = number()
  return () => number() !== before
}

function ledBy(leadership: Leadership | undefined, health: JobHealth): JobHealth {
  if (leadership === undefined) return health
  const { holder } = leadership
  return { ...health, details: { ...health.details, role: 'leader', leader: holder } }
}

function urlOf(server: FastifyInstance): string {
  const address = server.server.address()
  if (address === null || typeof address === 'string') return String(address)
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}
