import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { WardenError } from '../core/errors.ts'
import type { Clock, Counter, Logger, Metrics } from '../core/telemetry.ts'
import type { Tenure } from '../core/tenure.ts'
import { FileStateCopies } from '../state/file-state-copies.ts'
import type { CopyKind, CopySource, StateCopy } from '../state/state-copy.ts'
import { factsIn } from './state-facts.ts'

type StateConfig = Pick<Config, 'stateDir' | 'job' | 'state'>

/** Directory of the LMDB state of a job. */
export const stateDirectory = (config: Pick<Config, 'stateDir'>): string =>
  join(config.stateDir, 'state')

export const savepointsOf = (config: StateConfig): FileStateCopies =>
  new FileStateCopies(config.state.savepoints.directory, 'savepoint')

/** undefined where the config has no replica. */
export function replicasOf(config: StateConfig): FileStateCopies | undefined {
  const { replica } = config.state
  return replica && new FileStateCopies(join(replica.directory, config.job), 'replica')
}

export interface CopyTelemetry {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Copies the state of one job, one copy at a time, while the job goes on. */
export class StateCopier {
  readonly #config: StateConfig
  readonly #source: CopySource
  readonly #version: string
  readonly #telemetry: CopyTelemetry
  readonly #counter: Counter
  #busy = false

  constructor(config: StateConfig, source: CopySource, version: string, telemetry: CopyTelemetry) {
    this.#config = config
    this.#source = source
    this.#version = version
    this.#telemetry = telemetry
    this.#counter = telemetry.metrics.counter(
      'warden_state_copies_total',
      'Savepoints and replicas of the state, by result',
      ['kind', 'result'],
    )
  }

  /** A savepoint of the last checkpoint; beyond `state.savepoints.retain` the oldest go. @throws WardenError `usage` while another copy is written */
  savepoint(): Promise<StateCopy> {
    return this.copy(savepointsOf(this.#config), this.#config.state.savepoints.retain)
  }

  /** @param tenure a copy appears, and old ones go, only while it is held; undefined: there is one Warden */
  async copy(copies: FileStateCopies, retain: number, tenure?: Tenure): Promise<StateCopy> {
    if (this.#busy)
      throw new WardenError(
        'usage',
        'a copy of the state is being written; try again when it is done',
      )
    this.#busy = true
    const { kind } = copies
    const { clock, logger } = this.#telemetry
    const begun = clock.now()
    try {
      const copy = await copies.create({
        source: this.#source,
        work: join(this.#config.stateDir, `copying-${kind}`),
        describe: factsIn,
        at: new Date(begun),
        version: this.#version,
        beforePublishing: () => requireHeld(tenure),
      })
      requireHeld(tenure)
      const removed = await copies.retain(retain)
      this.#count(kind, 'ok')
      const bytes = copy.files.reduce((sum, file) => sum + file.bytes, 0)
      const { id, checkpoint } = copy
      logger.info({ kind, id, checkpoint, bytes, ms: clock.now() - begun, removed }, 'state copied')
      return copy
    } catch (error) {
      this.#count(kind, 'failed')
      throw error
    } finally {
      this.#busy = false
    }
  }

  #count(kind: CopyKind, result: 'ok' | 'failed'): void {
    this.#counter.add(1, { kind, result })
  }
}

function requireHeld(tenure: Tenure | undefined): void {
  if (tenure === undefined || tenure.held()) return
  throw new WardenError('lease_lost', 'another Warden may hold the lease: no copy is written')
}
