import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import type { Clock } from '../../src/core/telemetry.ts'
import type { StoreApiLimits } from '../../src/store/api/http-exchange.ts'
import { registerStoreApi } from '../../src/store/api/http-store-api.ts'
import { LmdbPointStore } from '../../src/store/lmdb-point-store.ts'
import { RecordingLogger } from './recording-logger.ts'
import { RecordingMetrics } from './recording-metrics.ts'

/** The embedded store with its HTTP API on a free port of the loopback, in a temporary directory. */
export interface StoreServer {
  readonly url: string
  readonly store: LmdbPointStore
  readonly logger: RecordingLogger
  close(): Promise<void>
}

export async function startStoreServer(
  clock: Clock,
  limits: Partial<StoreApiLimits> = {},
): Promise<StoreServer> {
  const directory = await mkdtemp(join(tmpdir(), 'warden-store-'))
  const store = new LmdbPointStore(directory)
  const logger = new RecordingLogger()
  const server = fastify()
  const telemetry = { clock, logger, metrics: new RecordingMetrics() }
  await registerStoreApi(server, { store, telemetry, version: 'test', limits })
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    url,
    store,
    logger,
    async close() {
      await server.close()
      await store.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
