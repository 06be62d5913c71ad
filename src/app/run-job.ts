import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { planOf } from '../config/plan.ts'
import { asWardenError } from '../core/errors.ts'
import { LmdbStateStore } from '../state/lmdb-state-store.ts'
import { registerStoreApi } from '../store/api/http-store-api.ts'
import { LmdbPointStore } from '../store/lmdb-point-store.ts'
import { StoreUpkeep } from '../store/store-upkeep.ts'
import { AlertService } from './alert-service.ts'
import { openJobState } from './build-pipeline.ts'
import { startServer } from './http-server.ts'
import { type JobOptions, RunningJob } from './running-job.ts'
import { registerSavepointRoutes } from './savepoint-routes.ts'
import { StateCopier, savepointsOf, stateDirectory } from './savepoints.ts'
import { createSink } from './sinks.ts'
import { restoreFromReplica, StateReplica } from './state-replica.ts'

/**
 * Runs a job until its sources have ended, `stop` is aborted, or it failed for good.
 * @throws WardenError what made it fail
 */
export async function runJob(options: JobOptions, stop: AbortSignal): Promise<'ended' | 'stopped'> {
  const { config, telemetry } = options
  const plan = planOf(config)
  await restoreFromReplica(config, telemetry)
  const store = new LmdbStateStore(stateDirectory(config))
  const closing: (() => Promise<unknown>)[] = [() => store.close()]
  try {
    const state = await openJobState(config, plan, store, options.dropMetrics, telemetry)
    const points = config.sinks.some(({ type }) => type === 'embedded')
      ? new LmdbPointStore(join(config.stateDir, 'store'))
      : undefined
    if (points !== undefined) {
      const upkeep = new StoreUpkeep(points, config.store, telemetry)
      closing.unshift(() => points.close())
      closing.unshift(() => upkeep.stop())
      upkeep.start()
    }
    const sinks = config.sinks.map((sink) => createSink(sink, points, telemetry))
    closing.unshift(() => Promise.allSettled(sinks.map((sink) => sink.close())))
    const alerts = await AlertService.open(config, store, points, telemetry)
    closing.unshift(() => alerts.close())
    const copier = new StateCopier(config, store, options.version, telemetry)
    const replicated = new AbortController()
    const replica = new StateReplica(config, copier, telemetry).run(replicated.signal)
    closing.unshift(() => {
      replicated.abort()
      return replica
    })
    const job = new RunningJob(options, { plan, store, state, alerts }, sinks)
    const server = await startServer(
      {
        ...config.server.listen,
        token: config.server.token?.reveal(),
        health: () => job.health(),
        exposition: () => telemetry.metrics.exposition(),
        expositionType: telemetry.metrics.contentType,
        register: async (instance: FastifyInstance) => {
          await alerts.register(instance)
          registerSavepointRoutes(instance, copier, savepointsOf(config))
          if (points !== undefined)
            await registerStoreApi(instance, { store: points, telemetry, version: options.version })
        },
      },
      telemetry.logger,
    )
    closing.unshift(() => server.close())
    options.onListening?.(urlOf(server))
    return await job.run(stop)
  } finally {
    for (const close of closing) {
      await close().catch((error: unknown) => {
        telemetry.logger.warn({ err: asWardenError(error) }, 'closing failed')
      })
    }
  }
}

function urlOf(server: FastifyInstance): string {
  const address = server.server.address()
  if (address === null || typeof address === 'string') return String(address)
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}
