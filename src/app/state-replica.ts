import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { asWardenError } from '../core/errors.ts'
import type { Gauge } from '../core/telemetry.ts'
import type { Tenure } from '../core/tenure.ts'
import { stateFile } from '../state/lmdb-state-store.ts'
import type { StateCopy } from '../state/state-copy.ts'
import { restoreCopy } from './savepoint-restore.ts'
import { type CopyTelemetry, replicasOf, type StateCopier, stateDirectory } from './savepoints.ts'

/** Copies kept: a new one is whole before the one before goes. */
const retained = 2
/** Time between looks at whether there is something to copy. */
const beginningMs = 500

/** Keeps a copy of the state in another place, on its own cadence; a failure is told and tried again, and stops nothing. */
export class StateReplica {
  readonly #config: Pick<Config, 'stateDir' | 'job' | 'state'>
  readonly #copier: StateCopier
  readonly #telemetry: CopyTelemetry
  readonly #age: Gauge
  readonly #tenure: Tenure | undefined
  #succeededAt: number

  /** @param tenure undefined: there is one Warden */
  constructor(
    config: Pick<Config, 'stateDir' | 'job' | 'state'>,
    copier: StateCopier,
    telemetry: CopyTelemetry,
    tenure?: Tenure,
  ) {
    this.#config = config
    this.#copier = copier
    this.#tenure = tenure
    this.#telemetry = telemetry
    this.#succeededAt = telemetry.clock.now()
    this.#age = telemetry.metrics.gauge(
      'warden_state_replica_age_seconds',
      'Time since the last good replica of the state, or since the start',
    )
  }

  /**
   * Until `stop` is aborted; resolves at once where the config has no replica.
   * @param hasBegun the first replica is written as soon as it says so; after the usual time unless given
   */
  async run(stop: AbortSignal, hasBegun?: () => boolean): Promise<void> {
    const { clock } = this.#telemetry
    const intervalMs = this.#config.state.replica?.intervalMs
    if (intervalMs === undefined) return
    try {
      if (hasBegun !== undefined) {
        while (!hasBegun()) await clock.sleep(beginningMs, stop)
        await this.write()
      }
      for (;;) {
        await clock.sleep(intervalMs, stop)
        await this.write()
      }
    } catch (error) {
      if (!stop.aborted) throw error
    }
  }

  /** Writes one now, where the config has replicas. */
  async write(): Promise<void> {
    const copies = replicasOf(this.#config)
    if (copies === undefined) return
    const { clock, logger } = this.#telemetry
    try {
      await this.#copier.copy(copies, retained, this.#tenure)
      this.#succeededAt = clock.now()
    } catch (error) {
      const fields = { err: asWardenError(error), directory: copies.directory }
      logger.warn(fields, 'the replica of the state could not be written; it is tried again')
    }
    this.#age.set((clock.now() - this.#succeededAt) / 1000)
  }
}

/**
 * At a start without state: restores the newest good replica, so that counting goes on from its positions. What was read after it
 * is read again. Does nothing where there is a state, or no replica. @returns what was restored
 */
export async function restoreFromReplica(
  config: Pick<Config, 'stateDir' | 'job' | 'state'>,
  telemetry: CopyTelemetry,
): Promise<StateCopy | undefined> {
  const copies = replicasOf(config)
  const directory = stateDirectory(config)
  if (copies === undefined || existsSync(join(directory, stateFile))) return undefined
  const { logger, clock } = telemetry
  const copy = await copies.newestGood(({ id, reason }) =>
    logger.error({ id, reason }, 'a replica of the state is damaged; an older one is looked for'),
  )
  if (copy === undefined) {
    logger.info({ directory: copies.directory }, 'no state and no replica of it: a first start')
    return undefined
  }
  await restoreCopy(copies, copy.id, directory, config.job, new Date(clock.now()))
  const { id, createdAt, checkpoint, positions } = copy
  logger.warn(
    { id, createdAt, checkpoint, positions, from: copies.directory },
    'the local state was gone and is that of the newest replica now; what was read after it is read again',
  )
  return copy
}
